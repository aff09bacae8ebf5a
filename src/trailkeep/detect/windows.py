"""The signals of one group in, which of them a correlation is about out; nothing is kept between calls.

A window ends at each moment at which a signal is and reaches `timespan` back, both ends within: it slides with the
signals and knows no bucket. Where the condition holds in a window, all signals in it are hits (of `temporal_ordered`:
those that are part of a chain in the right order, equal times in any). A moment is a start where the condition holds
and did not in the windows that ended in the `timespan` before: it stands for one happening where correlations refer to
this one.
"""

import operator
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple, Protocol

from trailkeep.detect.rule import NUMERIC, Correlation

_OPERATORS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    name: getattr(operator, {"gte": "ge", "lte": "le", "neq": "ne"}.get(name, name))
    for name in ("gt", "gte", "lt", "lte", "eq", "neq")
}


class Member(NamedTuple):
    """A signal: microseconds since 1970, event, rule, values of the correlation's `fields` (None where missing)."""

    time: int
    event: str
    rule: str
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class Found:
    """Places of hits among the members, and of starts: the last member at that moment."""

    hits: list[int]
    starts: list[int]


def evaluate(one: Correlation, members: Sequence[Member]) -> Found:
    """`members` of one group, sorted, each (event, rule) once."""
    if one.kind == "temporal_ordered":
        return _ordered(one, members)
    span = one.timespan * 1_000_000
    held = _accumulator(one)
    spans: list[tuple[int, int]] = []
    starts: list[int] = []
    first = 0
    last_end: int | None = None
    for moment, place in _moments(members):
        for number in range(place[0], place[1]):
            held.add(members[number])
        while members[first].time < moment - span:
            held.remove(members[first])
            first += 1
        if held.holds():
            spans.append((first, place[1]))
            if last_end is None or last_end < moment - span:
                starts.append(place[1] - 1)
            last_end = moment
    return Found(_covered(spans), starts)


def _moments(members: Sequence[Member]) -> Iterator[tuple[int, tuple[int, int]]]:
    """Each time that members have, with the places from and to which they have it."""
    start = 0
    for moment, some in groupby(members, key=lambda member: member.time):
        end = start + sum(1 for _ in some)
        yield moment, (start, end)
        start = end


def _covered(spans: list[tuple[int, int]]) -> list[int]:
    """The places within half-open `spans`, which come in order."""
    places: list[int] = []
    reached = 0
    for start, end in spans:
        places += range(max(start, reached), end)
        reached = max(reached, end)
    return places


class _Held(Protocol):
    """What is known of the signals of a window."""

    def add(self, member: Member) -> None: ...

    def remove(self, member: Member) -> None: ...

    def holds(self) -> bool: ...


def _accumulator(one: Correlation) -> _Held:
    if one.kind == "temporal":
        return _Temporal(one)
    if one.kind in NUMERIC:
        return _Numbers(one)
    return _Distinct(one)


class _Distinct:
    """Different events, or different values, of which a missing one is none."""

    def __init__(self, one: Correlation) -> None:
        self._of_values = one.kind == "value_count"
        self._bounds = _bounds(one)
        self._counts = Counter[object]()

    def _key(self, member: Member) -> object:
        if not self._of_values:
            return member.event
        return None if None in member.values else member.values

    def add(self, member: Member) -> None:
        if (key := self._key(member)) is not None:
            self._counts[key] += 1

    def remove(self, member: Member) -> None:
        if (key := self._key(member)) is not None:
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]

    def holds(self) -> bool:
        return self._bounds(Fraction(len(self._counts)))


class _Numbers:
    """Numbers, each event's once; what is no number is left out. Sums are exact, whatever comes and goes."""

    def __init__(self, one: Correlation) -> None:
        self._kind = one.kind
        self._share = Fraction(50 if one.percentile is None else str(one.percentile)) / 100
        self._bounds = _bounds(one)
        self._events: dict[str, tuple[int, Fraction]] = {}
        self._sum = Fraction(0)
        self._sorted: list[Fraction] = []

    def add(self, member: Member) -> None:
        number = number_of(member.values[0])
        if number is None:
            return
        count, first = self._events.get(member.event, (0, number))
        self._events[member.event] = count + 1, first
        if not count:
            self._sum += number
            insort(self._sorted, number)

    def remove(self, member: Member) -> None:
        if number_of(member.values[0]) is None:
            return
        count, first = self._events[member.event]
        self._events[member.event] = count - 1, first
        if count == 1:
            del self._events[member.event]
            self._sum -= first
            del self._sorted[bisect_left(self._sorted, first)]

    def holds(self) -> bool:
        if not self._sorted:
            return False
        if self._kind == "value_sum":
            return self._bounds(self._sum)
        if self._kind == "value_avg":
            return self._bounds(self._sum / len(self._sorted))
        return self._bounds(percentile(self._sorted, self._share))


def number_of(text: str | None) -> Fraction | None:
    """The number that a text is, exactly; None if it is none, or not finite."""
    try:
        return None if text is None else Fraction(int(text)) if text.isdecimal() else Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        return None


def percentile(ordered: Sequence[Fraction], share: Fraction) -> Fraction:
    """The value at `share` (0 to 1) of sorted numbers, in between by linear interpolation, as SQL's percentile_cont."""
    place = share * (len(ordered) - 1)
    low = int(place)
    if low == place:
        return ordered[low]
    return ordered[low] + (ordered[low + 1] - ordered[low]) * (place - low)


class _Temporal:
    """Which rules have signals: all must, or so many of them, or as the condition says."""

    def __init__(self, one: Correlation) -> None:
        self._rules = set(one.rules)
        self._condition = one.condition
        self._bounds = _bounds(one) if one.bounds else None
        self._counts = Counter[str]()

    def add(self, member: Member) -> None:
        self._counts[member.rule] += 1

    def remove(self, member: Member) -> None:
        self._counts[member.rule] -= 1
        if not self._counts[member.rule]:
            del self._counts[member.rule]

    def holds(self) -> bool:
        if self._bounds:
            return self._bounds(Fraction(len(self._counts)))
        if not self._condition:
            return len(self._counts) == len(self._rules)
        return boolean(self._condition, self._counts)


def boolean(condition: Sequence[str], present: "Counter[str] | set[str]") -> bool:
    """A condition in postfix order, of rules that are `present` or not."""
    stack: list[bool] = []
    for word in condition:
        if word == "not":
            stack.append(not stack.pop())
        elif word in ("and", "or"):
            right, left = stack.pop(), stack.pop()
            stack.append(left and right if word == "and" else left or right)
        else:
            stack.append(word[1:] in present)
    return stack.pop()


def _bounds(one: Correlation) -> Callable[[Fraction], bool]:
    bounds = [(_OPERATORS[name], Fraction(str(number))) for name, number in one.bounds]
    return lambda value: all(holds(value, number) for holds, number in bounds)


def _ordered(one: Correlation, members: Sequence[Member]) -> Found:
    """Chains: a signal of each rule, in the order of the rules, none before the one before it.

    A signal is a hit if the shortest chain through it is no longer than the span: from the latest start from which it
    can be reached to the earliest end that can be reached from it.
    """
    span = one.timespan * 1_000_000
    steps = {rule: number for number, rule in enumerate(one.rules)}
    begins = _reach(members, steps, forward=True)
    ends = _reach(members, steps, forward=False)
    hits = [
        number
        for number, (begin, end) in enumerate(zip(begins, ends, strict=True))
        if begin is not None and end is not None and end - begin <= span
    ]
    starts: list[int] = []
    last_end: int | None = None
    last = len(one.rules) - 1
    for number in hits:
        begin, member = begins[number], members[number]
        if steps[member.rule] != last or begin is None or member.time - begin > span:
            continue
        if last_end is None or last_end < member.time - span:
            starts.append(bisect_right(members, member.time, key=lambda each: each.time) - 1)
        last_end = member.time
    return Found(hits, starts)


def _reach(members: Sequence[Member], steps: dict[str, int], *, forward: bool) -> list[int | None]:
    """For each member the latest start of a chain that ends at it; backward, the earliest end of one it begins."""
    best: list[int | None] = [None] * len(steps)
    found: list[int | None] = [None] * len(members)
    later = max if forward else min
    moments = list(_moments(members))
    for moment, (start, end) in moments if forward else reversed(moments):
        # Among equal times any order is right: the steps are taken in theirs.
        for number in sorted(range(start, end), key=lambda each: steps[members[each].rule], reverse=not forward):
            step = steps[members[number].rule]
            before = step - 1 if forward else step + 1
            value = moment if before in (-1, len(steps)) else best[before]
            found[number] = value
            if value is not None:
                known = best[step]
                best[step] = value if known is None else later(known, value)
    return found
