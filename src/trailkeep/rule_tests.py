"""Rules with inline tests in, results out: mapping and rule proven together, from raw records on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from trailkeep.core.source import Source
from trailkeep.detect.match import Matcher
from trailkeep.detect.rules import Rule
from trailkeep.engine.duckdb import connect
from trailkeep.normalize.mapping import RAW, Mapper


@dataclass(frozen=True)
class Result:
    """One inline test; `failure` is None where it passed."""

    rule: Rule
    test: str
    failure: str | None


def run_tests(rules: Sequence[Rule], sources: Mapping[str, Source]) -> Iterator[Result]:
    """Run every test of `rules`. A test passes if the rule matches one of its events, or none, as it says.

    Sources may share a logsource, such as Windows events as JSON and as XML: one of them has to map the events.
    """
    connection = connect()
    mapper, matcher = Mapper(connection), Matcher(rules, dict(sources))
    matched: set[tuple[int, str]] = set()
    refused: dict[str, str] = {}
    taken: set[str] = set()
    for source in sources.values():
        raw = _raw(rules, source)
        if not len(raw):
            continue
        mapped = mapper.map(source, raw)
        refused |= {row["object_id"]: row["reason"] for row in mapped.rejected.to_pylist()}
        taken.update(mapped.events["object_id"].to_pylist())
        natives = {name.removeprefix("$") for name in mapped.events.column_names if name.startswith("$")}
        for row in matcher.match(connection, mapped.events, source.name, natives).to_pylist():
            matched.add((row["rule"], row["object_id"]))
    for number, rule in enumerate(rules):
        for test_number, test in enumerate(rule.tests):
            test_id = f"{number}.{test_number}"
            found = (number, test_id) in matched
            failure = None
            if test_id in refused and test_id not in taken:
                failure = f"a record cannot be mapped: {refused[test_id]}"
            elif found != test.match:
                failure = "matches, and should not" if found else "does not match, and should"
            yield Result(rule, test.name, failure)


def _raw(rules: Sequence[Rule], source: Source) -> pa.Table:
    """The test events of every rule that applies to `source`; object_id tells rule and test."""
    rows = [
        _record(event, source) | {"object_id": f"{number}.{test_number}", "record_no": record_no}
        for number, rule in enumerate(rules)
        if rule.applies_to(source.logsource)
        for test_number, test in enumerate(rule.tests)
        for record_no, event in enumerate(test.events)
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
