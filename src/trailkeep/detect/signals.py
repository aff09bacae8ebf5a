"""Matches of rules on a batch of events in, signals out: rows of the events table, class 2004.

A signal tells by itself what an alert needs; the event stays where it is, found by event_uid and record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa

from trailkeep.core.columns import SIGNAL_SOURCE
from trailkeep.core.levels import severity_of
from trailkeep.detect.rule import Rule

# What a signal has of its event, under the same name; `event_uid` is its own.
COPIED = (
    "time",
    "account_uid",
    "region",
    "service",
    "event_name",
    "principal",
    "src_ip",
    "dst_ip",
    "access_key",
    "resources",
    "object_id",
    "record_no",
)
_ESCAPED = {code: f"\\u{code:04X}" for code in range(0x20)} | {
    ord(text): escaped
    for text, escaped in zip('"\\\b\f\n\r\t', ('\\"', "\\\\", "\\b", "\\f", "\\n", "\\r", "\\t"), strict=True)
}


def make_signals(
    events: pa.Table, matches: pa.Table, rules: Sequence[Rule], values: pa.Array | None = None
) -> pa.Table:
    """One row for each of `matches` on `events`: `row` is an index into `events`, `rule` one into `rules`.

    `values`: for each match JSON of fields that correlations need of its event, or null.
    """
    names = [name for name in (*COPIED, "event_uid", "source") if name in events.column_names]
    used = {number: _facts(rules[number]) for number in set(matches["rule"].to_pylist())}
    uids = pa.array([used[number].uid for number in matches["rule"].to_pylist()], pa.string())
    found = events.select(names).take(matches["row"])
    found = found.set_column(names.index("object_id"), "object_id", matches["object_id"])
    found = found.append_column("rule", matches["rule"]).append_column("uid", uids)
    found = found.append_column("values", pa.nulls(len(matches), pa.string()) if values is None else values)
    found = found.sort_by([(name, "ascending") for name in ("object_id", "record_no", "uid")])
    facts = [used[number] for number in found["rule"].to_pylist()]
    keys = [found[name].to_pylist() for name in ("source", "event_uid", "object_id", "record_no", "values")]
    ids = [_hash(f"{rule.uid}:{event}").hex()[:32] for rule, event in zip(facts, keys[1], strict=True)]
    raw = [_raw(rule, *key) for rule, *key in zip(facts, *keys, strict=True)]
    columns = {name: found[name] for name in COPIED if name in names} | {
        "source": _same(SIGNAL_SOURCE, pa.string(), facts),
        "event_uid": pa.array(ids, pa.string()),
        "class_uid": _same(2004, pa.int32(), facts),
        "activity_id": _same(1, pa.int32(), facts),
        "severity_id": pa.array([rule.severity for rule in facts], pa.int32()),
        "status_id": _same(1, pa.int32(), facts),
        "finding_uid": pa.array(ids, pa.string()),
        "finding_title": pa.array([rule.title for rule in facts], pa.string()),
        "rule_uid": found["uid"],
        "related_event": found["event_uid"],
        "map_version": _same(1, pa.int32(), facts),
        "raw_data": pa.array(raw, pa.string()),
        "raw_sha256": pa.array(map(_hash, raw), pa.binary()),
    }
    return pa.table(columns)


@dataclass(frozen=True)
class _Facts:
    """What all signals of a rule have in common; `head` is the JSON text that each begins with."""

    uid: str
    title: str
    severity: int
    head: str


def _facts(rule: Rule) -> _Facts:
    members = {"rule": rule.id, "version": rule.content_hash, "title": rule.title, "level": rule.level}
    head = ",".join(f'"{name}":{spelled(text)}' for name, text in members.items())
    tags = ",".join(map(spelled, rule.tags))
    return _Facts(rule.id, rule.title, severity_of(rule.level), f'{{{head},"tags":[{tags}]')


def _raw(rule: _Facts, source: str, event: str, object_id: str, record_no: int, values: str | None) -> str:
    names = f'"source":{spelled(source)},"event":{spelled(event)},"object":{spelled(object_id)}'
    fields = f',"fields":{values}' if values else ""
    return f'{rule.head},{names},"record":{record_no}{fields}}}'


def spelled(text: str) -> str:
    """`text` as a JSON string, as DuckDB writes it."""
    return f'"{text.translate(_ESCAPED)}"'


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()


def _same(value: object, type_: pa.DataType, rows: Sequence[object]) -> pa.Array:
    return pa.repeat(pa.scalar(value, type_), len(rows))
