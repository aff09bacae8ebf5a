"""Rules and raw records in, which rule matches which record out: by the Matcher, and by each rule's SQL predicate."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from trailkeep.core.source import Source, load_sources
from trailkeep.detect.fields import native, native_sql, predicate, resolve
from trailkeep.detect.lists import Lists
from trailkeep.detect.match import Matcher
from trailkeep.detect.rule import Rule
from trailkeep.detect.sigma.document import parse_file
from trailkeep.detect.tree import Pair, leaves
from trailkeep.engine.duckdb import connect
from trailkeep.normalize.mapping import RAW, Mapper

SOURCES = load_sources()
CLOUDTRAIL = SOURCES["aws_cloudtrail"]
LOGSOURCE = {"product": "aws", "service": "cloudtrail"}
BASE = {
    "eventVersion": "1.08",
    "eventTime": "2026-10-01T05:06:07Z",
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateUser",
    "awsRegion": "eu-west-1",
    "userIdentity": {"type": "IAMUser", "accountId": "111122223333", "userName": "alice"},
}
Matches = set[tuple[int, int]]


def rule(detection: Mapping[str, Any], logsource: Mapping[str, str] = LOGSOURCE) -> Rule:
    """A rule with this detection section; JSON is YAML too."""
    text = json.dumps({"title": "Test", "logsource": logsource, "detection": detection})
    return rules_of(text)[0]


def rules_of(text: str) -> tuple[Rule, ...]:
    loaded = parse_file(text.encode(), Path("test.yml"), Lists({"admins": ("root", "adm*")}))
    assert not loaded.faults, loaded.faults
    return loaded.rules


def raw_table(records: Iterable[str], raw_format: str | None = None) -> pa.Table:
    rows = [(text, raw_format, "0" * 32, number, None) for number, text in enumerate(records)]
    return pa.Table.from_arrays(
        [pa.array(column, type) for column, type in zip(zip(*rows, strict=True), RAW.types, strict=True)],
        schema=RAW,
    )


def matched(rules: Sequence[Rule], records: Sequence[Mapping[str, Any]], source: Source = CLOUDTRAIL) -> Matches:
    """(rule, record) pairs of records laid over BASE; the Matcher and the predicates must agree."""
    texts = [json.dumps(BASE | record, ensure_ascii=False) for record in records]
    return matched_raw(rules, raw_table(texts), source)


def matched_raw(rules: Sequence[Rule], raw: pa.Table, source: Source) -> Matches:
    con = connect()
    events = Mapper(con).map(source, raw).events
    matcher = Matcher(rules, {source.name: source})
    for _ in range(2):  # the second time from what it remembers
        rows = matcher.match(con, events, source.name, source.natives).to_pylist()
        by_matcher = {(row["rule"], row["record_no"]) for row in rows}
        assert len(rows) == len(by_matcher)
    con.register("events", events)
    by_name = matcher.match(con, "events", source.name, source.natives).to_pylist()
    assert {(row["rule"], row["record_no"]) for row in by_name} == by_matcher
    by_predicate = {
        (number, record)
        for number, one in enumerate(rules)
        if one.applies_to(source.logsource)
        for (record,) in con.execute(full_scan(one, source)).fetchall()
    }
    assert by_predicate == by_matcher
    return by_matcher


def full_scan(one: Rule, source: Source) -> str:
    names = [leaf.field for leaf in leaves(one.detection)]
    names += [leaf.other for leaf in leaves(one.detection) if isinstance(leaf, Pair)]
    tops = {top for name in names if name for top in resolve(name, source).natives} - set(source.natives)
    added = "".join(f", {native_sql(top, source)} AS {native(top)}" for top in sorted(tops))
    return f"SELECT record_no FROM (SELECT *{added} FROM events) WHERE {predicate(one.detection, source)}"


def matches(detection: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    return bool(matched([rule(detection)], [record]))
