"""Correlations, filters and the rules that they are about in, brought together out.

Source: Sigma specification 2.1.0, correlation rules and filters.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from trailkeep.core.errors import Fault
from trailkeep.detect.rule import Correlation, Filter, Rule
from trailkeep.detect.tree import And


def resolve(
    correlations: Iterable[Correlation], rules: Sequence[Rule]
) -> tuple[tuple[Correlation, ...], tuple[Fault, ...]]:
    """Correlations that refer by id, inner before outer, and faults of those that refer to what there is not."""
    waiting = {one.id: one for one in correlations}
    every: list[Rule | Correlation] = [*rules, *waiting.values()]
    known = {one.id: one.id for one in every} | {one.name: one.id for one in every if one.name}
    done: dict[str, Correlation] = {}
    faults: list[Fault] = []
    usable = {rule.id for rule in rules}
    for one in list(waiting.values()):
        missing = [name for name in dict.fromkeys((*one.rules, *_aliased(one))) if name not in known]
        if missing:
            reason = f"refers to {', '.join(missing)}: no rule has such an id or name"
            faults.append(Fault(one.path, one.line, reason))
            del waiting[one.id]
    while waiting:
        ready = [one for one in waiting.values() if all(known[name] in usable for name in one.rules)]
        if not ready:  # a circle, or built on one that is left out
            for one in waiting.values():
                names = ", ".join(name for name in one.rules if known[name] not in usable)
                faults.append(Fault(one.path, one.line, f"refers to {names}: left out, or it refers back to this one"))
            break
        for one in ready:
            del waiting[one.id]
            usable.add(one.id)
            done[one.id] = replace(
                one,
                rules=tuple(known[name] for name in one.rules),
                condition=tuple(f"={known[word[1:]]}" if word[0] == "=" else word for word in one.condition),
                aliases={
                    alias: {known[rule]: field for rule, field in fields.items()}
                    for alias, fields in one.aliases.items()
                },
            )
    return tuple(done.values()), tuple(faults)


def _aliased(one: Correlation) -> list[str]:
    return [rule for fields in one.aliases.values() for rule in fields]


def needed_fields(correlations: Iterable[Correlation]) -> Mapping[str, tuple[str, ...]]:
    """Rule or correlation id -> the fields of its events that correlations read."""
    found: dict[str, dict[str, None]] = {}
    for one in correlations:
        for rule in one.rules:
            names = found.setdefault(rule, {})
            names |= dict.fromkeys(one.field_of(name, rule) for name in (*one.group_by, *one.fields))
    return {rule: tuple(names) for rule, names in found.items()}


def silent(rules: Iterable[Rule], correlations: Iterable[Correlation]) -> set[str]:
    """Ids of rules and correlations that make no alerts by themselves.

    They say `alert: false`, or correlations refer to them and none says `generate: true`.
    """
    referred, loud = set[str](), set[str]()
    every = list(correlations)
    for one in every:
        (loud if one.generate else referred).update(one.rules)
    told = {one.id for some in (rules, every) for one in some if not one.alert}
    return referred - loud | told


def waiting(correlations: Iterable[Correlation], rules: Iterable[Rule]) -> dict[str, tuple[str, ...]]:
    """Id of each rule and correlation that can find nothing while lists are not declared -> their names.

    `correlations` are resolved, inner before outer. One without a condition of `or` and `not` needs all its rules where
    it is temporal, else any.
    """
    found = {rule.id: rule.undeclared for rule in rules if rule.undeclared}
    for one in correlations:
        idle = [name for name in one.rules if name in found]
        every = one.kind.startswith("temporal") and not one.condition and not one.bounds
        if idle and (every or len(idle) == len(one.rules)):
            names = dict.fromkeys(name for rule in idle for name in found[rule])
            found[one.id] = tuple(names)
    return found


def filtered(rules: Sequence[Rule], filters: Iterable[Filter]) -> tuple[list[Rule], list[Fault]]:
    """The rules, each with the conditions of the filters that are about it; faults of filters that are about none."""
    faults: list[Fault] = []
    found = list(rules)
    for one in filters:
        places = [number for number, rule in enumerate(found) if one.is_about(rule)]
        missing = [name for name in one.rules if all(name not in (rule.id, rule.name) for rule in rules)]
        if missing:
            reason = f"refers to {', '.join(missing)}: no rule has such an id or name"
            faults.append(Fault(one.path, one.line, reason))
        elif not places:
            where = ", ".join(f"{key}: {value}" for key, value in one.logsource.items())
            faults.append(Fault(one.path, one.line, f"no rule that it is about has the logsource {where}"))
        for number in places if not one.undeclared else ():
            rule = found[number]
            digest = sha256(f"{rule.content_hash}{one.content_hash}".encode()).hexdigest()
            tested = rule.tested if rule.tested is None or one.lists else And((rule.tested, one.detection))
            found[number] = replace(
                rule, detection=And((rule.detection, one.detection)), tested=tested, content_hash=digest
            )
    return found, faults
