"""Matches of rules on a batch of events in, signals out: rows of the events table, class 2004."""

import json
from collections.abc import Sequence

import pyarrow as pa

from trailkeep.core.columns import SIGNAL_SOURCE
from trailkeep.core.levels import severity_of
from trailkeep.detect.rules import Rule
from trailkeep.engine.duckdb import Connection

# A signal tells by itself what an alert needs; the event stays where it is, found by event_uid and record.
_SIGNALS = """
    SELECT *, unhex(sha256(raw_data)) AS raw_sha256
    FROM (
        SELECT
            e.time, $source AS source, e.account_uid, e.region, e.service, e.event_name, e.principal,
            e.src_ip, e.access_key, left(sha256(r.uid || ':' || e.event_uid), 32) AS event_uid,
            2004::INTEGER AS class_uid, 1::INTEGER AS activity_id, r.severity_id, 1::INTEGER AS status_id,
            left(sha256(r.uid || ':' || e.event_uid), 32) AS finding_uid, r.title AS finding_title,
            r.uid AS rule_uid, e.event_uid AS related_event, e.object_id, e.record_no, 1::INTEGER AS map_version,
            to_json({
                'rule': r.uid, 'version': r.version, 'title': r.title, 'level': r.level, 'tags': r.tags::JSON,
                'source': e.source, 'event': e.event_uid, 'object': e.object_id, 'record': e.record_no
            })::VARCHAR AS raw_data
        FROM matched e
        JOIN matched_rules r ON r.rule = e.rule
        ORDER BY e.object_id, e.record_no, r.uid
    )
"""


def make_signals(connection: Connection, events: pa.Table, matches: pa.Table, rules: Sequence[Rule]) -> pa.Table:
    """One row for each of `matches` on `events`, of which there is at least one.

    `matches` has `row`, an index into `events`, and `rule`, one into `rules`.
    """
    facts = [_facts(number, rules[number]) for number in sorted(set(matches["rule"].to_pylist()))]
    matched = events.select([name for name in _READ if name in events.column_names]).take(matches["row"])
    relations = {
        "matched": matched.append_column("rule", matches["rule"]),
        "matched_rules": pa.Table.from_pylist(facts, schema=_FACTS),
    }
    for name, table in relations.items():
        connection.register(name, table)
    try:
        return connection.execute(_SIGNALS, {"source": SIGNAL_SOURCE}).to_arrow_table()
    finally:
        for name in relations:
            connection.unregister(name)


_READ = (
    "time",
    "source",
    "account_uid",
    "region",
    "service",
    "event_name",
    "principal",
    "src_ip",
    "access_key",
    "event_uid",
    "object_id",
    "record_no",
)
_FACTS = pa.schema(
    [
        ("rule", pa.int32()),
        ("uid", pa.string()),
        ("version", pa.string()),
        ("title", pa.string()),
        ("level", pa.string()),
        ("severity_id", pa.int32()),
        ("tags", pa.string()),
    ]
)


def _facts(number: int, rule: Rule) -> dict[str, object]:
    return {
        "rule": number,
        "uid": rule.id,
        "version": rule.content_hash,
        "title": rule.title,
        "level": rule.level,
        "severity_id": severity_of(rule.level),
        "tags": json.dumps(rule.tags),
    }
