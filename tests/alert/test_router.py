"""Who is told of what: groups, severity, routes, suppressions, each decided once."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from tests.alert.inbox import Answer, Inbox
from tests.alert.office import NOON, Office, config, office, signal, webhook
from trailkeep.alert.desk import decide, group_of, show_alert
from trailkeep.store.database import reading
from trailkeep.store.tables import alerts, objects


def told(tmp_path: Path, web: Inbox, **more: Any) -> Office:
    return office(tmp_path, config(channels={"hook": webhook(web.url, tmp_path)}, **more))


def test_alerts_about_one_principal_are_one_message(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web, correlation=None)
    each.alert(signal(rule="r"), signal(rule="s", level="critical"), signal(rule="t"), signal("bob"))
    assert each.run() == {"sent": 2}
    (alice,) = (request.json for request in web.requests if request.json["subject"] == "alice")
    assert alice["headline"] == "[critical] Title of s (and 2 more)"
    assert "and 2 more about the same principal:\n- [high] Title of r" in alice["text"]


def test_what_follows_is_told_together_and_what_is_worse_at_once(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web, correlation=None, group="30m")
    each.alert(signal(rule="r"))
    assert each.run() == {"sent": 1}
    for rule in ("s", "t"):
        each.now += timedelta(minutes=1)
        each.alert(signal(rule=rule))
        assert each.run() == {}
    each.alert(signal(rule="u", level="critical"))
    assert each.run() == {"sent": 1}  # with those that waited
    each.alert(signal(rule="v"))
    assert each.run() == {}
    assert each.run(minutes=27, seconds=59) == {}
    assert each.run(seconds=1) == {"sent": 1}
    each.alert(signal(rule="w"))  # the group is over
    assert each.run() == {"sent": 1}
    assert web.texts == [
        "[high] Title of r",
        "[critical] More: Title of u (and 2 more)",
        "[high] More: Title of v",
        "[high] Title of w",
    ]
    assert [request.json["thread"] == web.requests[0].json["thread"] for request in web.requests] == [True] * 3 + [
        False
    ]
    assert group_of(each.home.state, 3) == [1, 2, 3, 4, 5]


def test_what_happened_hours_apart_is_told_apart(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web, correlation={"rules": 2})
    hour = timedelta(hours=1)
    each.alert(signal(rule="r", at=NOON - 9 * hour), signal(rule="s", at=NOON - 9 * hour), signal(rule="t"))
    assert each.run() == {"sent": 2}
    each.alert(signal(rule="u", at=NOON - 5 * hour), signal(rule="v", at=NOON + timedelta(minutes=20)))
    assert each.run() == {"sent": 2}  # the last one is worse than t alone
    assert web.texts == [
        "[critical] Title of r (and 1 more)",
        "[high] Title of t",
        "[high] Title of u",
        "[critical] More: Title of v (and 1 more)",
    ]


def test_rules_together_are_worse_than_each(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web)
    each.alert(signal(rule="r", level="low"), signal(rule="s", level="low"))
    each.run()
    each.alert(signal(rule="t", level="low"))
    assert each.run() == {"sent": 1}
    assert web.texts == ["[low] Title of r (and 1 more)", "[medium] More: Title of t (and 2 more)"]
    assert "How bad:    medium (the rule says low)" in web.requests[1].json["text"]
    assert "- [medium] Title of r (alert 1)" in web.requests[1].json["text"]
    assert [show_alert(each.home.state, number)["severity"] for number in (1, 2, 3)] == ["medium"] * 3
    assert each.run(minutes=1) == {}


def test_what_is_raised_after_it_was_told_reaches_those_who_hear_of_what_is_so_bad(
    tmp_path: Path, web: Inbox, other: Inbox
) -> None:
    channels = {"team": webhook(web.url, tmp_path, "team"), "phone": webhook(other.url, tmp_path, "phone")}
    routes = [{"to": ["team"], "rules": ["r", "s"]}, {"to": ["phone"], "level": "critical"}]
    each = office(tmp_path, config(channels=channels, routes=routes, correlation={"rules": 2}))
    each.alert(signal(rule="r"))
    each.run()
    each.alert(signal(rule="quiet"))
    assert each.run() == {"sent": 2}
    assert web.texts == ["[high] Title of r", "[critical] Update: Title of r"]
    assert other.texts == ["[critical] Title of quiet (and 1 more)"]
    each.alert(signal(rule="s"))
    each.run()
    assert len(other.texts) == 1  # it is as bad as before, and waits for the others
    assert each.run(minutes=30) == {"sent": 2}


def test_what_happens_again_after_it_was_closed_is_told_at_once(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web)
    each.alert(signal())
    each.run()
    decide(each.home.state, 1, "closed", "dana", "planned", each.now)
    each.alert(signal(at=NOON + timedelta(minutes=1)))
    assert each.run(minutes=1) == {"sent": 1}
    assert web.texts == ["[high] Title of r"] * 2
    assert web.requests[0].json["thread"] != web.requests[1].json["thread"]
    assert web.requests[1].json["alerts"] == [2]


def test_what_is_informational_makes_nothing_worse(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web)
    each.alert(*(signal(rule=f"r{n}", level="informational") for n in range(5)), signal(rule="s", level="medium"))
    assert each.run() == {"sent": 1}
    assert web.texts == ["[medium] Title of s (and 5 more)"]


def test_weights_raise_and_lower(tmp_path: Path, web: Inbox) -> None:
    weights = [
        {"subjects": ["*root*"], "levels": 4},
        {"accounts": ["9*"], "levels": -2},
        {"tags": ["attack.*"], "levels": 1},
        {"resources": ["*:trail/crown-jewels"], "levels": 1},
    ]
    each = told(tmp_path, web, weights=weights)
    each.alert(signal("ROOT", rule="x"), signal("bob", rule="y", account_uid="999"), signal("eve", level="low"))
    each.run()
    assert sorted(web.texts) == ["[critical] Title of x", "[low] Title of y", "[medium] Title of r"]


@pytest.mark.parametrize(
    ("route", "goes"),
    [
        ({}, True),
        ({"level": "high"}, True),
        ({"level": "critical"}, False),
        ({"rules": ["title OF *"]}, True),
        ({"rules": ["other"]}, False),
        ({"tags": ["attack.defense-evasion"], "subjects": ["al*"]}, True),
        ({"tags": ["attack.impact"]}, False),
        ({"accounts": ["1111*"]}, True),
        ({"accounts": ["2222*"]}, False),
        ({"sources": ["aws_cloudtrail"]}, True),
        ({"sources": ["okta*"]}, False),
        ({"resources": ["*:trail/*"]}, True),
        ({"resources": ["arn:aws:s3:::*"]}, False),
        ({"when": {"hours": "09:00-17:00", "days": ["wed"]}}, True),
        ({"when": {"hours": "09:00-17:00", "zone": "Asia/Tokyo"}}, False),
        ({"when": {"days": ["sat", "sun"]}}, False),
    ],
)
def test_routes(tmp_path: Path, web: Inbox, route: dict[str, Any], goes: bool) -> None:
    each = told(tmp_path, web, routes=[{"to": ["hook"], **route}, {"to": ["hook"], **route}])
    numbers = dict.fromkeys(("stored_size", "size", "records", "stored", "duplicate", "quarantined", "dropped"), 0)
    row = {"sha256": "s", "key": "k", "object_id": "0" * 32, "batch_id": "b", "source": "aws_cloudtrail", **numbers}
    with each.home.state.begin() as connection:
        more = {"kind": "events", "stored_sha256": "s", "user_metadata": {}, "added": NOON}
        connection.execute(insert(objects).values(row | more))
    each.alert(signal())
    assert each.run() == ({"sent": 1} if goes else {})


def test_a_suppressed_alert_is_kept_and_says_why(tmp_path: Path, web: Inbox) -> None:
    why = [{"rules": ["r"], "subjects": ["ali*"], "until": NOON.date(), "reason": "penetration test CHG-12"}]
    each = told(tmp_path, web, suppressions=why)
    each.alert(signal("alice"), signal("bob"))
    assert each.run() == {"sent": 1}
    assert web.requests[0].json["subject"] == "bob"
    with reading(each.home.state) as connection:
        number = connection.execute(select(alerts.c.id).where(alerts.c.subject == "alice")).scalar_one()
    (step,) = show_alert(each.home.state, number)["history"]
    assert (step["who"], step["action"]) == ("trailkeep", "muted")
    assert step["why"] == "until 2026-11-18: penetration test CHG-12"
    each.alert(signal("alice", at=NOON + timedelta(days=1)))
    assert each.run(days=1) == {"sent": 1}


def test_old_events_wake_nobody(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web)
    each.alert(signal(at=NOON - timedelta(days=8)), signal("bob", at=NOON - timedelta(days=6)))
    assert each.run() == {"sent": 1}
    assert each.said == ["nobody is told of 1 alerts whose events are older than 7 days (alerts.oldest)"]


def test_alerts_made_before_there_were_channels_can_be_skipped(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web)
    each.alert(signal("alice"), signal("bob"))
    assert each.deliverer.skip() == 2
    each.alert(signal("carol"))
    assert each.run() == {"sent": 1}


def test_what_is_decided_before_it_is_routed_is_not_sent(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web)
    each.alert(signal())
    decide(each.home.state, 1, "acked", "dana", None, NOON)
    assert each.run() == {}


def test_a_channel_that_is_off_gets_nothing(tmp_path: Path, web: Inbox) -> None:
    channels = {"hook": webhook(web.url, tmp_path), "off": webhook(web.url, tmp_path, "off") | {"enabled": False}}
    each = office(tmp_path, config(channels=channels))
    each.alert(signal())
    assert each.run() == {"sent": 1}


def test_many_alerts_are_routed_in_portions(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web)
    each.alert(*(signal(f"user {number}") for number in range(60)), *(signal("all", f"r{n}") for n in range(700)))
    web.answer = lambda _: Answer(500)
    assert each.run() == {"failed": 1}
    single = [row for row in each.rows() if row[1] != "summary"]
    assert 61 <= len(single) <= 62  # the second portion of one principal may be told apart
