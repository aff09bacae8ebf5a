"""What a correlation finds, by its definition: every window is looked at as a whole. Slow, for comparison only."""

from fractions import Fraction
from itertools import pairwise, product
from statistics import median

from trailkeep.detect.rule import Correlation
from trailkeep.detect.windows import Found, Member

COMPARED = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "neq": lambda a, b: a != b,
}


def naive(one: Correlation, members: list[Member]) -> Found:
    """Hits and starts among sorted members of one group."""
    span = one.timespan * 1_000_000
    hits: set[int] = set()
    starts: list[int] = []
    held: list[int] = []
    for moment in sorted({member.time for member in members}):
        window = [place for place, member in enumerate(members) if moment - span <= member.time <= moment]
        found = chained(one, members, window, moment) if one.kind == "temporal_ordered" else plain(one, members, window)
        if found:
            hits |= found
            if not any(moment - span <= earlier < moment for earlier in held):
                starts.append(max(window))
            held.append(moment)
    return Found(sorted(hits), starts)


def plain(one: Correlation, members: list[Member], window: list[int]) -> set[int]:
    """The window, if the condition holds in it."""
    some = [members[place] for place in window]
    return set(window) if holds(one, some) else set()


def holds(one: Correlation, some: list[Member]) -> bool:
    rules = {member.rule for member in some}
    if one.kind == "temporal" and one.condition:
        return spoken(list(one.condition), rules)
    if one.kind == "temporal" and not one.bounds:
        return rules == set(one.rules)
    if one.kind == "temporal":
        value = Fraction(len(rules))
    elif one.kind == "event_count":
        value = Fraction(len({member.event for member in some}))
    elif one.kind == "value_count":
        value = Fraction(len({member.values for member in some if None not in member.values}))
    else:
        numbers: dict[str, Fraction] = {}
        for member in some:
            try:
                numbers.setdefault(member.event, Fraction(member.values[0] or "none"))
            except ValueError:
                continue
        if not numbers:
            return False
        ordered = sorted(numbers.values())
        if one.kind == "value_sum":
            value = sum(ordered, Fraction(0))
        elif one.kind == "value_avg":
            value = sum(ordered, Fraction(0)) / len(ordered)
        elif one.kind == "value_median":
            value = median(ordered)
        else:
            place = Fraction(str(one.percentile)) / 100 * (len(ordered) - 1)
            low, high = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
            value = low + (high - low) * (place - int(place))
    return all(COMPARED[name](value, Fraction(str(number))) for name, number in one.bounds)


def spoken(words: list[str], rules: set[str]) -> bool:
    """A condition in postfix order, by rewriting it as Python."""
    stack: list[str] = []
    for word in words:
        if word == "not":
            stack.append(f"(not {stack.pop()})")
        elif word in ("and", "or"):
            right = stack.pop()
            stack.append(f"({stack.pop()} {word} {right})")
        else:
            stack.append(str(word[1:] in rules))
    return bool(eval(stack.pop()))


def chained(one: Correlation, members: list[Member], window: list[int], moment: int) -> set[int]:
    """All that are part of a chain that is in the window and ends at `moment`... or of one that is in it at all."""
    by_step = [[place for place in window if members[place].rule == rule] for rule in one.rules]
    chains = [
        chain for chain in product(*by_step) if all(members[a].time <= members[b].time for a, b in pairwise(chain))
    ]
    # The condition holds at the moment at which a chain is complete.
    complete = any(members[chain[-1]].time == moment for chain in chains)
    return {place for chain in chains for place in chain} if complete else set()
