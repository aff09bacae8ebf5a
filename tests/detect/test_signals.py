"""Matches in, signals out: their text is JSON as DuckDB writes it, and tells rule, event and record."""

import json
from hashlib import sha256

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tests.detect.engine import BASE, CLOUDTRAIL, raw_table, rule
from trailkeep.core.columns import SIGNAL_SOURCE
from trailkeep.detect.match import Matcher
from trailkeep.detect.signals import make_signals, spelled
from trailkeep.engine.duckdb import connect
from trailkeep.normalize.mapping import Mapper

CON = connect()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_texts_are_spelled_as_duckdb_spells_them(text: str) -> None:
    assert CON.execute("SELECT to_json($1::VARCHAR)::VARCHAR", [text]).fetchall() == [(spelled(text),)]


def test_a_signal_tells_of_its_rule_and_event() -> None:
    rules = [rule({"s": {"eventName": name}, "condition": "s"}) for name in ("DeleteUser", "CreateUser")]
    events = Mapper(CON).map(CLOUDTRAIL, raw_table([json.dumps(BASE | {"eventID": "e-1"})])).events
    matches = Matcher(rules, {CLOUDTRAIL.name: CLOUDTRAIL}).match(CON, events, CLOUDTRAIL.name, CLOUDTRAIL.natives)
    (signal,) = make_signals(events, matches, rules).to_pylist()
    uid = sha256(f"{rules[1].id}:e-1".encode()).hexdigest()[:32]
    assert (signal["event_uid"], signal["finding_uid"], signal["related_event"]) == (uid, uid, "e-1")
    assert (signal["source"], signal["rule_uid"], signal["event_name"]) == (SIGNAL_SOURCE, rules[1].id, "CreateUser")
    assert signal["raw_sha256"] == sha256(signal["raw_data"].encode()).digest()
    assert json.loads(signal["raw_data"]) == {
        "rule": rules[1].id,
        "version": rules[1].content_hash,
        "title": "Test",
        "level": rules[1].level,
        "tags": [],
        "source": "aws_cloudtrail",
        "event": "e-1",
        "object": "0" * 32,
        "record": 0,
    }


def test_signals_are_in_order_of_record_and_rule() -> None:
    rules = [
        rule({"s": {"eventName": "CreateUser"}, "condition": ["s"]}),
        rule({"s": {"eventName|exists": True}, "condition": "s"}),
    ]
    events = Mapper(CON).map(CLOUDTRAIL, raw_table([json.dumps(BASE)] * 2)).events
    matches = Matcher(rules, {CLOUDTRAIL.name: CLOUDTRAIL}).match(CON, events, CLOUDTRAIL.name, CLOUDTRAIL.natives)
    signals: pa.Table = make_signals(events, matches, rules)
    found = list(zip(signals["record_no"].to_pylist(), signals["rule_uid"].to_pylist(), strict=True))
    assert len(found) == 4 and found == sorted(found)
