"""What people were told of and what grows, gets worse or goes on is told again, and never too often."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.alert.inbox import Inbox
from tests.alert.office import NOON, Office, config, office, signal, webhook
from trailkeep.alert.desk import decide, show_alert

MINUTE = timedelta(minutes=1)


def told(tmp_path: Path, web: Inbox, **more: Any) -> Office:
    each = office(tmp_path, config(channels={"hook": webhook(web.url, tmp_path)}, **more))
    each.alert(signal())
    each.run()
    return each


def grow(each: Office, count: int, at: datetime, **more: Any) -> None:
    each.alert(*(signal(at=at, event_uid=f"{at} {number}", **more) for number in range(count)))


def test_ten_times_as_many_events_are_told_and_nine_times_are_not(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web)
    grow(each, 8, NOON + MINUTE)
    assert each.run(minutes=1) == {}
    grow(each, 1, NOON + 2 * MINUTE)
    assert each.run(minutes=1) == {"sent": 1}
    assert each.run(minutes=1) == {}
    grow(each, 80, NOON + 4 * MINUTE)
    assert each.run(minutes=1) == {}  # 90 are not ten times ten
    grow(each, 10, NOON + 5 * MINUTE)
    assert each.run(minutes=1) == {"sent": 1}
    assert web.texts == ["[high] Title of r", *["[high] Update: Title of r"] * 2]
    assert len({request.json["thread"] for request in web.requests}) == 1
    assert "Change:     10 events, 1 when it was told last" in web.requests[1].json["text"]


def test_what_goes_on_is_told_after_a_day_unless_somebody_looks(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web, updates={"grown": 100})
    for hour in range(1, 24):
        each.alert(signal(at=NOON + timedelta(hours=hour)))
        assert each.run(hours=1) == {}
    each.alert(signal(at=NOON + timedelta(hours=24), event_uid="last"))
    assert each.run(hours=1) == {"sent": 1}
    assert each.run(days=1) == {}  # it does not go on
    each.alert(signal(at=NOON + timedelta(hours=25)))
    decide(each.home.state, 1, "acked", "dana", None, each.now)
    assert each.run(days=1) == {}
    decide(each.home.state, 1, "open", "dana", None, each.now)
    assert each.run(minutes=1) == {"sent": 1}


def test_what_grows_while_somebody_looks_is_told_and_what_is_closed_is_not(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web)
    decide(each.home.state, 1, "acked", "dana", None, each.now)
    grow(each, 9, NOON + MINUTE)
    assert each.run(minutes=1) == {"sent": 1}
    grow(each, 90, NOON + 2 * MINUTE)
    decide(each.home.state, 1, "closed", "dana", "planned", each.now)
    assert each.run(minutes=1) == {}


def test_what_gets_worse_by_its_later_events_is_told_at_once(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web, weights=[{"resources": ["*payroll*"], "levels": 1}])
    grow(each, 1, NOON + MINUTE, resources=("arn:aws:s3:::larchfield-payroll",))
    assert each.run(minutes=1) == {"sent": 1}
    assert web.texts[1] == "[critical] Update: Title of r"
    assert "Change:     critical, high when it was told last; 2 events" in web.requests[1].json["text"]
    assert show_alert(each.home.state, 1)["severity"] == "critical"
    assert each.run(minutes=1) == {}


def test_updates_are_bounded_and_can_be_switched_off(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web, updates={"grown": 2, "most": 3})
    count = 1
    for minute in range(1, 7):
        grow(each, count, NOON + minute * MINUTE)
        count *= 2
        each.run(minutes=1)
    assert len(web.texts) == 1 + 3
    each.config = config(channels={"hook": webhook(web.url, tmp_path)}, updates=None)
    each.alert(signal("bob"))
    each.run()
    grow(each, 50, NOON + MINUTE, subject="bob")
    assert each.run(minutes=1) == {}


def test_an_update_waits_for_the_end_of_quiet_hours_and_tells_the_last_count(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web, quiet=[{"hours": "12:01-13:00"}])
    grow(each, 9, NOON + MINUTE)
    assert each.run(minutes=1) == {}
    grow(each, 90, NOON + 2 * MINUTE)
    assert each.run(minutes=1) == {}
    assert each.run(minutes=58) == {"sent": 1}
    assert "100 events" in web.requests[1].json["text"]


def test_a_suppressed_alert_is_not_told_again(tmp_path: Path, web: Inbox) -> None:
    each = told(tmp_path, web)
    why = [{"rules": ["r"], "until": NOON.date(), "reason": "penetration test"}]
    each.config = config(channels={"hook": webhook(web.url, tmp_path)}, suppressions=why)
    grow(each, 9, NOON + MINUTE)
    assert each.run(minutes=1) == {}
