"""Rules and correlations with inline tests in, results out: mapping and rule proven together, from raw records on."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from trailkeep.baselines import passes
from trailkeep.core.columns import natives_in
from trailkeep.core.source import Source
from trailkeep.detect.baseline import SeriesTest
from trailkeep.detect.correlate import Given, correlate_once, given_of
from trailkeep.detect.lists import Lists
from trailkeep.detect.match import Matcher
from trailkeep.detect.rule import AnyRule, Baseline, Correlation, Rule, RuleTest
from trailkeep.detect.signals import make_signals
from trailkeep.engine.duckdb import Connection, connect
from trailkeep.normalize.mapping import RAW, Mapper


@dataclass(frozen=True)
class Result:
    """One inline test; `failure` is None where it passed."""

    rule: AnyRule
    test: str
    failure: str | None


@dataclass(frozen=True)
class _Case:
    """A test, and the rules, by id, that are run on its events."""

    id: str
    of: Rule | Correlation
    test: RuleTest
    rules: frozenset[str]


@dataclass
class _Seen:
    """What rules said to the events of all cases."""

    matched: set[tuple[str, str]]
    """(rule, case)"""
    signals: dict[str, list[Given]]
    """of correlations' cases"""
    refused: dict[str, str]
    taken: set[str]
    """cases of which some source could map every event"""


def run_tests(
    rules: Sequence[Rule],
    sources: Mapping[str, Source],
    correlations: Sequence[Correlation] = (),
    baselines: Sequence[Baseline] = (),
) -> Iterator[Result]:
    """Run every test. A test passes if the rule matches one of its events, or none, as it says.

    Of a correlation all events are taken as signals of the rules that it refers to, and it must find something or not.
    Rules that ask for lists have those of their `test_lists`, never the user's.
    Of a baseline the last bucket of its series must be odd, or not.
    """
    for one in baselines:
        for test in map(SeriesTest.model_validate, one.series):
            failure = None if passes(one, test) else f"the last bucket is {'not odd' if test.match else 'odd'}"
            yield Result(one, test.name, failure)
    matcher = matcher_of_tests(rules, sources, correlations)
    cases = list(_cases(rules, correlations))
    seen = _see(matcher, cases)
    for case in cases:
        if isinstance(case.of, Correlation):
            found = correlate_once(seen.signals[case.id], correlations).gained
            matches = any(hit.correlation.id == case.of.id for hit in found)
        else:
            matches = (case.of.id, case.id) in seen.matched
        failure = None
        unlisted = _unlisted(case.of)
        if unlisted:
            failure = f"test_lists has no values for {', '.join(unlisted)}: a test has lists of its own"
        elif case.id in seen.refused and case.id not in seen.taken:
            failure = f"a record cannot be mapped: {seen.refused[case.id]}"
        elif matches != case.test.match:
            failure = "matches, and should not" if matches else "does not match, and should"
        yield Result(case.of, case.test.name, failure)


def matcher_of_tests(
    rules: Sequence[Rule], sources: Mapping[str, Source], correlations: Sequence[Correlation] = ()
) -> Matcher:
    """A matcher for which each rule has the lists of its tests."""
    lists = {key: values for rule in rules for key, values in Lists.of(rule.test_lists).by_key.items()}
    tested = [rule if rule.tested is None else replace(rule, detection=rule.tested, undeclared=()) for rule in rules]
    return Matcher(tested, dict(sources), correlations, lists=lists)


def _unlisted(of: Rule | Correlation) -> list[str]:
    """Lists that a rule asks for and does not bring for its tests."""
    if isinstance(of, Correlation):
        return []
    own = Lists.of(of.test_lists)
    return [name for name in of.lists if not own.get(name)]


def _cases(rules: Sequence[Rule], correlations: Sequence[Correlation]) -> Iterator[_Case]:
    below = {rule.id: frozenset([rule.id]) for rule in rules}
    for one in correlations:  # inner before outer
        below[one.id] = frozenset[str]().union(*(below[rule] for rule in one.rules))
    every: list[Rule | Correlation] = [*rules, *correlations]
    for number, of in enumerate(every):
        for test_number, test in enumerate(of.tests):
            yield _Case(f"{number}.{test_number}", of, test, below[of.id])


def _see(matcher: Matcher, cases: Sequence[_Case]) -> _Seen:
    connection = connect()
    mapper, seen = Mapper(connection), _Seen(set(), defaultdict(list), {}, set())
    wanted = {(rule, case.id) for case in cases for rule in case.rules}
    for source in matcher.sources.values():
        raw = _raw(matcher.rules, cases, source)
        if not len(raw):
            continue
        mapped = mapper.map(source, raw)
        refused = {row["object_id"]: row["reason"] for row in mapped.rejected.to_pylist()}
        seen.refused |= refused
        seen.taken |= set(raw["object_id"].to_pylist()) - refused.keys()
        for signals in _signals(matcher, connection, mapped.events, source):
            for row in signals.select(["rule_uid", "object_id"]).to_pylist():
                seen.matched.add((row["rule_uid"], row["object_id"]))
            for given in given_of([signals], matcher.needed):
                case = given.facts[-2]
                if (given.rule, case) in wanted:
                    seen.signals[case].append(given)
    return seen


def _signals(matcher: Matcher, connection: Connection, events: pa.Table, source: Source) -> Iterator[pa.Table]:
    natives = natives_in(events.column_names)
    matches = matcher.match(connection, events, source.name, natives)
    if len(matches):
        values = matcher.values(connection, events, matches, source.name)
        yield make_signals(events, matches, matcher.rules, values)


def _raw(rules: Sequence[Rule], cases: Sequence[_Case], source: Source) -> pa.Table:
    """The test events of every case with a rule that applies to `source`; object_id tells the case."""
    here = {rule.id for rule in rules if rule.applies_to(source.logsource)}
    rows = [
        _record(event, source) | {"object_id": case.id, "record_no": record_no}
        for case in cases
        if case.rules & here
        for record_no, event in enumerate(case.test.events)
    ]
    return pa.Table.from_pylist(rows, schema=RAW)


def _record(event: str, source: Source) -> dict[str, str | None]:
    """raw_data and raw_format of one test event: JSON, or a header line and a record line as in a text file."""
    if source.format == "json":
        return {"raw_data": event, "raw_format": None}
    if source.format == "lines":
        return {"raw_data": event.strip(), "raw_format": None}
    header, _, line = event.strip().partition("\n")
    return {"raw_data": line, "raw_format": header}
