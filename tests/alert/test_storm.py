"""A storm of alerts is few messages, nothing of it is lost, and the worst is told one by one."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tests.alert.inbox import Answer, Inbox
from tests.alert.office import NOON, Office, config, office, signal, webhook
from trailkeep.alert import outbox
from trailkeep.alert.desk import decide
from trailkeep.store.database import reading
from trailkeep.store.tables import outbox as rows


def stormy(tmp_path: Path, web: Inbox, **more: Any) -> Office:
    return office(tmp_path, config(channels={"hook": webhook(web.url, tmp_path)}, **more))


def told(web: Inbox) -> set[int]:
    """The alerts that the messages which were taken are about."""
    return {number for request in web.requests for number in request.json["alerts"]}


def states(each: Office) -> dict[str, int]:
    counted: dict[str, int] = {}
    for _, _, state in each.rows():
        counted[state] = counted.get(state, 0) + 1
    return counted


def test_a_storm_is_some_messages_and_a_summary(tmp_path: Path, web: Inbox) -> None:
    each = stormy(tmp_path, web)
    each.alert(
        *(signal(f"user {number}", rule=f"r{number % 12}") for number in range(150)),
        *(signal(f"worst {number}", rule="worst", level="critical") for number in range(9)),
    )
    assert each.run() == {"sent": 26}
    *single, last = (request.json for request in web.requests)
    assert sum(message["level"] == "critical" for message in single) == 9
    assert last["headline"] == "[high] 134 more alerts, by 11 rules"
    assert "by rule:\n- [high] Title of r" in last["text"] and "- and 1 more" in last["text"]
    assert "Together: more than 25 messages in 10 minutes" in last["text"]
    assert "How bad:  134 high" in last["text"] and "trailkeep alerts list" in last["text"]
    assert told(web) == set(range(1, 160))
    assert states(each) == {"sent": 160}
    assert each.run(minutes=1) == {}


def test_a_storm_that_goes_on_never_exceeds_the_limit_and_waits_a_little_only(tmp_path: Path, web: Inbox) -> None:
    each = stormy(tmp_path, web, storm={"messages": 12, "within": "10m"})
    sent: list[Any] = []
    alerts = 0
    for minute in range(40):
        each.alert(*(signal(f"user {minute}/{n}", at=NOON + timedelta(minutes=minute)) for n in range(20)))
        alerts += 20
        before = len(web.requests)
        each.run(minutes=1)
        sent += [each.now] * (len(web.requests) - before)
    for moment in sent:
        assert sum(moment - timedelta(minutes=10) < other <= moment for other in sent) <= 12
    each.run(minutes=5)
    assert told(web) == set(range(1, alerts + 1))


def test_a_summary_that_fails_loses_nothing(tmp_path: Path, web: Inbox) -> None:
    each = stormy(tmp_path, web, storm={"messages": 2}, tries=1)
    web.answer = lambda request: Answer(500 if request.json["kind"] == "summary" else 200)
    each.alert(*(signal(f"user {number}") for number in range(5)))
    assert each.run() == {"sent": 1, "dead": 1}
    assert states(each) == {"sent": 1, "gathered": 4, "dead": 1}
    web.answer = lambda _: Answer()
    outbox.redrive(each.home.state, "hook", each.now)
    assert each.run() == {"sent": 1}
    assert states(each) == {"sent": 6}
    assert told(web) == set(range(1, 6))


def test_what_was_tried_before_a_storm_does_not_stand_in_the_way_of_its_summary(tmp_path: Path, web: Inbox) -> None:
    each = stormy(tmp_path, web, storm=None)
    web.answer = lambda _: Answer(503)
    for number in range(60):
        each.alert(signal(f"early {number}"))
        each.now += timedelta(minutes=1)
        assert each.run() == {"failed": 1}
    each.config = config(channels={"hook": webhook(web.url, tmp_path)}, storm={"messages": 2})
    with each.home.state.begin() as connection:
        connection.execute(rows.update().values(tries=1, next_try=each.now))
    each.alert(*(signal(f"user {number}") for number in range(5)))
    web.requests.clear()
    web.answer = lambda _: Answer()
    each.run()
    each.run(minutes=1)
    assert [request.json["kind"] for request in web.requests] == ["new", "summary"]


def test_what_a_summary_told_is_escalated_like_anything_else(tmp_path: Path, web: Inbox, other: Inbox) -> None:
    channels = {"hook": webhook(web.url, tmp_path), "boss": webhook(other.url, tmp_path, "boss")}
    more = {"routes": [{"to": ["hook"]}], "escalate": [{"after": "15m", "to": ["boss"]}], "storm": {"messages": 2}}
    each = office(tmp_path, config(channels=channels, **more))
    each.alert(*(signal(f"user {number}") for number in range(3)))
    each.run()
    for number in (1, 2):
        decide(each.home.state, number, "acked", "dana", None, each.now)
    assert each.run(minutes=15) == {"sent": 1}
    assert other.requests[0].json["alerts"] == [3]


def test_a_summary_of_what_is_all_decided_is_not_sent(tmp_path: Path, web: Inbox) -> None:
    each = stormy(tmp_path, web, storm={"messages": 2})
    web.answer = lambda request: Answer(500 if request.json["kind"] == "summary" else 200)
    each.alert(*(signal(f"user {number}") for number in range(3)))
    each.run()
    for number in (1, 2, 3):
        decide(each.home.state, number, "closed", "dana", "planned", each.now)
    assert each.run(hours=1) == {"void": 1}
    assert states(each) == {"sent": 1, "void": 3}


def test_the_end_of_quiet_hours_is_one_message(tmp_path: Path, web: Inbox) -> None:
    each = stormy(tmp_path, web, quiet=[{"hours": "11:00-13:00"}])
    each.alert(*(signal(f"user {number}") for number in range(8)))
    assert each.run() == {}
    assert each.run(hours=1) == {"sent": 1}
    assert web.texts == ["[high] 8 more alerts, by 1 rule"]
    assert "Together: quiet hours are over" in web.requests[0].json["text"]
    assert states(each) == {"sent": 9}


def test_few_that_quiet_hours_held_back_are_told_one_by_one(tmp_path: Path, web: Inbox) -> None:
    each = stormy(tmp_path, web, quiet=[{"hours": "11:00-13:00"}])
    each.alert(*(signal(f"user {number}") for number in range(3)))
    each.run()
    assert each.run(hours=1) == {"sent": 3}


def test_without_a_limit_each_is_told(tmp_path: Path, web: Inbox) -> None:
    each = stormy(tmp_path, web, storm=None)
    each.alert(*(signal(f"user {number}") for number in range(120)))
    assert each.run() == {"sent": 120}


def test_each_channel_has_a_limit_of_its_own(tmp_path: Path, web: Inbox, other: Inbox) -> None:
    channels = {"hook": webhook(web.url, tmp_path), "other": webhook(other.url, tmp_path, "other")}
    each = office(
        tmp_path,
        config(
            channels=channels,
            storm={"messages": 2},
            routes=[{"to": ["hook"]}, {"to": ["other"], "subjects": ["user 1"]}],
        ),
    )
    each.alert(*(signal(f"user {number}") for number in range(4)))
    assert each.run() == {"sent": 3}
    assert other.texts == ["[high] Title of r"]
    with reading(each.home.state) as connection:
        assert set(connection.execute(select(rows.c.channel).where(rows.c.kind == "summary")).scalars()) == {"hook"}
