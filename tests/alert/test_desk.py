"""What people decide about alerts is kept with who and why, and wrong requests say what would be right."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from tests.alert.signals import NOW, START, add, signal, state_at
from trailkeep.alert.derive import derive
from trailkeep.alert.desk import decide, list_alerts, show_alert
from trailkeep.core.errors import UsageError
from trailkeep.store.tables import alerts


@pytest.fixture
def state(tmp_path: Path) -> Engine:
    """Alert 1 (high, alice, two events), 2 (high, bob, later), 3 (low)."""
    state = state_at(tmp_path)
    add(state, [signal(0), signal(10)])
    add(state, [signal(20, subject="bob")])
    low = signal(30, rule="quiet")
    with state.begin() as connection:
        derive(connection, [type(low)(**{**vars(low), "level": "low"})], {}, NOW)
    return state


def test_list_is_most_severe_first_then_newest(state: Engine) -> None:
    rows = list_alerts(state).to_pylist()
    assert [(row["id"], row["level"], row["events"]) for row in rows] == [(2, "high", 1), (1, "high", 2), (3, "low", 1)]
    assert rows[1]["first_time"] == START
    assert rows[1]["last_time"] == START + timedelta(minutes=10)


def test_list_goes_by_what_raised_and_lowered_it(state: Engine) -> None:
    with state.begin() as connection:
        for number, severity in ((2, "medium"), (3, "critical")):
            connection.execute(update(alerts).where(alerts.c.id == number).values(severity=severity))
    rows = list_alerts(state).to_pylist()
    assert [(row["id"], row["severity"], row["level"]) for row in rows] == [
        (3, "critical", "low"),
        (1, "high", "high"),
        (2, "medium", "high"),
    ]
    assert list_alerts(state, level="high")["id"].to_pylist() == [3, 1]


def test_list_can_be_narrowed(state: Engine) -> None:
    decide(state, 1, "acked", "dana", None, NOW)
    assert list_alerts(state, status="open")["id"].to_pylist() == [2, 3]
    assert list_alerts(state, level="medium")["id"].to_pylist() == [2, 1]
    assert list_alerts(state, since=START + timedelta(minutes=15))["id"].to_pylist() == [2, 3]
    assert list_alerts(state, status="closed").num_rows == 0


def test_every_decision_is_in_the_history(state: Engine) -> None:
    for action, who, why in (("acked", "dana", None), ("closed", "omar", "planned"), ("open", "dana", "was not")):
        decide(state, 1, action, who, why, NOW)
    shown = show_alert(state, 1)
    assert (shown["status"], shown["assignee"], shown["updated"]) == ("open", "dana", NOW)
    assert [(step["action"], step["who"], step["why"]) for step in shown["history"]] == [
        ("acked", "dana", None),
        ("closed", "omar", "planned"),
        ("open", "dana", "was not"),
    ]
    assert [event["event_uid"] for event in shown["events"]] == ["alice at 0", "alice at 10"]
    assert show_alert(state, 2)["history"] == []


def test_closing_needs_a_reason(state: Engine) -> None:
    for why in (None, "", "  "):
        with pytest.raises(UsageError, match="--why"):
            decide(state, 1, "closed", "dana", why, NOW)
    assert show_alert(state, 1)["status"] == "open"


def test_wrong_requests_say_what_there_is(state: Engine) -> None:
    with pytest.raises(UsageError, match="no alert 9; `trailkeep alerts list`"):
        decide(state, 9, "acked", "dana", None, NOW)
    with pytest.raises(UsageError, match="no alert 9"):
        show_alert(state, 9)
    with pytest.raises(UsageError, match="open, acked, closed"):
        list_alerts(state, status="done")
    with pytest.raises(UsageError, match="open, acked, closed"):
        decide(state, 1, "done", "dana", None, NOW)
    with pytest.raises(UsageError, match="informational, low"):
        list_alerts(state, level="urgent")
