"""A rule pack in, what is weak about it out: what cannot match, cannot be tested, or leaves people alone."""

from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from trailkeep.core.errors import Fault
from trailkeep.core.source import Source
from trailkeep.detect.correlations import silent
from trailkeep.detect.declared import waits_for
from trailkeep.detect.rule import AnyRule, Rule
from trailkeep.detect.rules import RulePack
from trailkeep.detect.tree import Listed, Not, Null, Or, Pair, Test, leaves
from trailkeep.detect.witness import witness


def lint(pack: RulePack, sources: Collection[Source]) -> Iterator[Fault]:
    """Notes, each with the file and line of its rule."""
    titles = Counter(one.title for one in pack.every)
    quiet = silent(pack.rules, pack.correlations)
    for rule in pack.rules:
        notes = [*_about(rule, titles), *_rule(rule, sources)]
        if rule.id in quiet and rule.level in ("high", "critical"):
            why = "correlations refer to it, none with `generate: true`" if rule.alert else "it says `alert: false`"
            notes.append(f"is {rule.level} and makes no alert: {why}")
        yield from (Fault(rule.path, rule.line, note) for note in notes)
    for one in pack.every[len(pack.rules) :]:
        yield from (Fault(one.path, one.line, note) for note in _about(one, titles))


def _about(one: AnyRule, titles: Counter[str]) -> Iterator[str]:
    if titles[one.title] > 1:
        yield f"its title {one.title!r} is that of another rule, too"
    told = {match for _, match in one.told_tests}
    if not told:
        yield "has no tests: nobody knows whether it matches anything"
    elif True not in told:
        yield "has no test that must match"
    elif False not in told:
        yield "has no near miss: a test that must not match"
    if not one.description:
        yield "has no description"
    if not one.runbook:
        yield "has no runbook: whoever gets the alert does not know what to do"
    if not one.falsepositives:
        yield "names no harmless causes (falsepositives)"
    if not any(tag.startswith("attack.t") for tag in one.tags):
        yield "names no ATT&CK technique (tags)"


def _rule(rule: Rule, sources: Collection[Source]) -> Iterator[str]:
    where = ", ".join(f"{key}: {value}" for key, value in rule.logsource.items())
    here = [source for source in sources if rule.applies_to(source.logsource)]
    if not here:
        yield f"cannot match: there is no source of {where}"
        return
    node = rule.tested or rule.detection
    known = {name.partition(".")[0] for source in here for name in (*source.shape, *source.fields)}
    asked = {name.partition(".")[0] for leaf in leaves(node) for name in _names(leaf)}
    for name in sorted(asked - known):
        if not any(f'"{name}"' in text for source in here for text in _samples(source.folder)):
            yield f"asks for {name}, which records of {where} are not known to have"
    if any("event_name" in source.fields.values() and witness(node, source) is None for source in here):
        yield "meets every event: it names no exact value that events must have, such as an event name"
    if isinstance(node, Not) or (isinstance(node, Or) and any(isinstance(part, Not) for part in node.nodes)):
        yield "matches whatever it does not name: `not` stands alone"


@cache
def _samples(folder: Path) -> tuple[str, ...]:
    """The texts of the samples of a source, in whose records there may be fields that it does not map."""
    return tuple(path.read_text(errors="replace") for path in sorted(folder.glob("samples/*")) if path.is_file())


def _names(leaf: Test | Null | Listed | Pair) -> tuple[str, ...]:
    return (leaf.field, leaf.other) if isinstance(leaf, Pair) else (leaf.field,) if leaf.field else ()


def waiting(pack: RulePack) -> Iterator[Fault]:
    """Rules, correlations and filters that do nothing until somebody declares the lists that they ask for."""
    places = {one.id: (one.path, one.line) for one in pack.every}
    places |= {one.id: (one.path, one.line) for one in pack.filters}
    for uid, names in pack.waiting.items():
        yield Fault(*places[uid], waits_for(names))
