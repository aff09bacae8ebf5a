"""Signals become the same alerts in whatever order and portions they arrive."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select

from tests.alert.signals import NOW, START, Alert, add, found, signal, spans, state_at
from trailkeep.alert.derive import DEFAULT_WINDOW, Signal, read_signals
from trailkeep.alert.desk import decide, list_alerts, show_alert
from trailkeep.core.errors import UsageError
from trailkeep.store.database import reading
from trailkeep.store.tables import alert_events, alert_history, alerts


@pytest.fixture
def state(tmp_path: Path) -> Engine:
    return state_at(tmp_path)


def test_one_alert_for_each_rule_and_subject(state: Engine) -> None:
    signals = [signal(0), signal(1), signal(1, rule="s"), signal(2, subject="bob")]
    assert add(state, signals) == 4
    assert [(rule, subject, len(events)) for rule, subject, _, _, events in found(state)] == [
        ("r", "alice", 2),
        ("r", "bob", 1),
        ("s", "alice", 1),
    ]


def test_a_gap_of_the_window_joins_and_a_longer_one_parts(state: Engine) -> None:
    add(state, [signal(0), signal(60), signal(120), signal(120 + 60 + 1 / 60)])
    assert spans(state) == [(0, 120), (180 + 1 / 60, 180 + 1 / 60)]


def test_the_window_is_the_rules_own(state: Engine) -> None:
    add(state, [signal(m, rule=rule) for rule in ("short", "other") for m in (0, 11)], {"short": 600})
    assert [rule for rule, *_ in found(state)] == ["other", "short", "short"]


def test_a_late_signal_merges_two_alerts_into_the_older_one(state: Engine) -> None:
    add(state, [signal(100)])
    add(state, [signal(0)])
    decide(state, 2, "acked", "dana", "looking", NOW)
    assert spans(state) == [(0, 0), (100, 100)]
    add(state, [signal(50)])
    assert spans(state) == [(0, 100)]
    alert = show_alert(state, 1)
    assert [event["event_uid"] for event in alert["events"]] == ["alice at 0", "alice at 50", "alice at 100"]
    assert [step["who"] for step in alert["history"]] == ["dana"]
    merged = show_alert(state, 2)
    assert (merged["status"], merged["events"]) == ("merged", [])
    assert [(step["action"], step["why"]) for step in merged["history"]] == [("merged", "into alert 1")]
    assert list_alerts(state, "merged")["id"].to_pylist() == [2]
    with pytest.raises(UsageError, match="alert 2 was merged into another"):
        decide(state, 2, "closed", "dana", "done", NOW)


def test_the_number_of_a_merged_alert_is_not_given_out_again(state: Engine) -> None:
    for minutes in (0, 100, 50, 900):
        add(state, [signal(minutes)])
    assert sorted(list_alerts(state)["id"].to_pylist()) == [1, 3]


def test_a_merged_alert_is_open_while_one_of_its_parts_is(state: Engine) -> None:
    add(state, [signal(0)])
    decide(state, 1, "acked", "dana", None, NOW)
    add(state, [signal(100)])
    add(state, [signal(50)])
    assert list_alerts(state)["status"].to_pylist() == ["open"]


def test_the_same_signals_again_change_nothing(state: Engine) -> None:
    signals = [signal(0), signal(50), signal(200)]
    assert add(state, signals) == 3
    before = list_alerts(state)
    assert add(state, signals) == 0
    assert list_alerts(state) == before


def test_an_event_counts_once_however_often_it_was_delivered(state: Engine) -> None:
    assert add(state, [signal(0, "e"), signal(0, "e")]) == 1
    assert add(state, [signal(0, "e"), signal(0, "e", rule="other")]) == 1
    assert [(rule, len(events)) for rule, *_, events in found(state)] == [("other", 1), ("r", 1)]


def test_closed_stays_closed(state: Engine) -> None:
    add(state, [signal(0), signal(1)])
    decide(state, 1, "closed", "dana", "planned", NOW)
    add(state, [signal(0), signal(1)])
    assert (len(found(state, "closed")), len(found(state, "open"))) == (1, 0)
    add(state, [signal(2)])
    assert found(state, "closed") == [("r", "alice", 0, 1, frozenset({"alice at 0", "alice at 1"}))]
    assert found(state, "open") == [("r", "alice", 2, 2, frozenset({"alice at 2"}))]


def test_a_new_event_joins_an_acknowledged_alert(state: Engine) -> None:
    add(state, [signal(0)])
    decide(state, 1, "acked", "dana", None, NOW)
    add(state, [signal(5)])
    assert found(state, "acked") == [("r", "alice", 0, 5, frozenset({"alice at 0", "alice at 5"}))]


def test_more_subjects_and_events_than_one_query_takes(state: Engine) -> None:
    signals = [signal(minute, subject=f"user {n}") for n in range(900) for minute in (0, 1)]
    assert add(state, signals[::2]) == 900
    assert add(state, signals) == 900
    assert [len(events) for *_, events in found(state)] == [2] * 900


@pytest.mark.parametrize(
    ("fields", "subject", "kind"),
    [
        ({"principal": "arn:p", "src_ip": "192.0.2.1", "account_uid": "1"}, "arn:p", "principal"),
        ({"principal": None, "src_ip": "192.0.2.1", "account_uid": "1"}, "192.0.2.1", "address"),
        ({"principal": "", "src_ip": None, "account_uid": "1"}, "1", "account"),
        ({"src_ip": None}, "unknown", "none"),
    ],
)
def test_subject(fields: dict[str, str | None], subject: str, kind: str) -> None:
    row = {
        "rule_uid": "r",
        "finding_title": "t",
        "severity_id": 4,
        "time": START,
        "related_event": "e",
        "object_id": "0",
        "record_no": 0,
    }
    (read,) = read_signals(pa.Table.from_pylist([row | fields]))
    assert (read.subject, read.subject_kind, read.level) == (subject, kind, "high")


@pytest.mark.parametrize(
    ("first", "subject", "kind"),
    [
        (["resource"], "arn:bucket", "resource"),
        (["destination"], "10.0.0.5", "destination"),
        (["account", "resource"], "1", "account"),
        ([], "arn:p", "principal"),
    ],
)
def test_a_rule_says_what_its_alerts_are_about(first: list[str], subject: str, kind: str) -> None:
    row = {"rule_uid": "r", "finding_title": "t", "severity_id": 4, "time": START, "related_event": "e"}
    row |= {"object_id": "0", "record_no": 0, "principal": "arn:p", "account_uid": "1", "dst_ip": "10.0.0.5"}
    other = row | {"resources": None, "dst_ip": None, "account_uid": None}
    table = pa.Table.from_pylist([row | {"resources": ["arn:bucket", "arn:object"]}, other])
    one, without = read_signals(table, {"r": first})
    assert (one.subject, one.subject_kind) == (subject, kind)
    assert (without.subject, without.subject_kind) == ("arn:p", "principal")


signals_ = st.lists(
    st.builds(
        signal,
        # Around the window and beside it, so that chains, gaps and merges occur.
        st.sampled_from([0, 1, 30, 59, 60, 61, 90, 120, 121, 150, 181, 240, 300]),
        rule=st.sampled_from(["r", "short"]),
        subject=st.sampled_from(["alice", "bob"]),
    ),
    max_size=25,
)

WINDOWS = {"short": 1800}


def expected(signals: Sequence[Signal]) -> list[Alert]:
    """The alerts as the definition has them: chains of signals with gaps of at most the window."""
    groups = defaultdict(set)
    for one in signals:
        groups[one.rule_uid, one.subject].add((one.time, one.event_uid))
    wanted = []
    for (rule, subject), members in groups.items():
        chains: list[list[tuple[object, str]]] = []
        last = None
        for time, uid in sorted(members):
            if last is None or time - last > timedelta(seconds=WINDOWS.get(rule, DEFAULT_WINDOW)):
                chains.append([])
            chains[-1].append((time, uid))
            last = time
        for chain in chains:
            minutes = [float((time - START).total_seconds() / 60) for time, _ in chain]  # type: ignore[operator]
            wanted.append((rule, subject, minutes[0], minutes[-1], frozenset(uid for _, uid in chain)))
    return sorted(wanted)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(signals=signals_, data=st.data())
def test_any_order_and_any_portions_give_the_same_alerts(
    state: Engine, signals: list[Signal], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(signals))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(signals)), max_size=6)))
    portions = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    with state.begin() as connection:
        for table in (alert_history, alert_events, alerts):
            connection.execute(delete(table))
    for portion in data.draw(st.sampled_from([portions, portions + portions[:2]])):
        add(state, portion, WINDOWS)
    assert found(state) == expected(signals)
    with reading(state) as connection:
        ids = set(connection.execute(select(alerts.c.id).where(alerts.c.status != "merged")).scalars())
        assert set(connection.execute(select(alert_events.c.alert_id)).scalars()) == ids
