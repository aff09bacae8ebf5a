"""A message says who, what, when, from where, how bad, what next; and nothing that a log may have smuggled in."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.alert.office import NOON, Office, Rule, config, office, signal
from tests.mmdb import write_mmdb
from trailkeep.alert.channels.slack import blocks
from trailkeep.alert.channels.teams import card
from trailkeep.alert.message import Message, brief, clean, message_of, plain
from trailkeep.geo.places import Geo, Places
from trailkeep.store.database import reading

LINK = "https://trailkeep.example.com/alerts/{id}"


@pytest.fixture
def desk(tmp_path: Path) -> Office:
    return office(tmp_path, config())


def message(desk: Office, *ids: int) -> Message:
    with reading(desk.home.state) as connection:
        return message_of(connection, "new", ids, {"r": Rule()}, LINK)


def test_a_person_can_read_it(desk: Office) -> None:
    later = NOON + timedelta(minutes=5)
    desk.alert(signal(), signal(at=later, event_name="DeleteTrail", region="us-east-1", src_ip="203.0.113.9"))
    assert plain(message(desk, 1)) == (
        "[high] Title of r\n\n"
        "Who:        alice\n"
        "What:       DeleteTrail, StopLogging\n"
        "On:         arn:aws:cloudtrail:eu-central-1:111122223333:trail/main\n"
        "When:       2026-11-18 12:00:00 to 12:05:00 UTC, 2 events\n"
        "From where: 198.51.100.7, 203.0.113.9\n"
        "Account:    111122223333\n"
        "Region:     eu-central-1, us-east-1\n"
        "How bad:    high\n"
        "Alert:      1\n\n"
        "Why it matters: An intruder switches the log off.\n\n"
        "What to do:\n- Ask: Was this planned?\n- Look at: What came next.\n\n"
        "https://trailkeep.example.com/alerts/1"
    )
    assert brief(message(desk, 1)).startswith("[high] Title of r; alice; 2026-11-18 12:05Z; https://")


def test_an_alert_without_a_rule_or_facts_is_told_too(desk: Office) -> None:
    desk.alert(signal("192.0.2.1", rule="gone", subject_kind="address", event_name=None, account_uid=None, region=None))
    assert "From:    192.0.2.1\n" in plain(message(desk, 1))


def test_addresses_have_their_places(desk: Office, tmp_path: Path) -> None:
    said = {"country": {"iso_code": "NL"}, "asn": "AS64500", "as_name": "Example\r\nBcc: all@example.com"}
    path = write_mmdb(tmp_path / "geo.mmdb", {"198.51.100.0/24": said})
    places = Places(Geo(country=(path,), asn=(path,)))
    desk.alert(signal(), signal(src_ip="192.0.2.1", event_uid="2"))
    desk.alert(signal("198.51.100.9", rule="s", subject_kind="address"))
    with reading(desk.home.state) as connection:
        one, other = (dict(message_of(connection, "new", [n], {}, None, places=places).facts) for n in (1, 2))
    assert one["From where"] == "192.0.2.1, 198.51.100.7 (NL, AS64500 Example Bcc: all@example.com)"
    assert (one["Who"], other["From"]) == ("alice", "198.51.100.9 (NL, AS64500 Example Bcc: all@example.com)")


def test_many_values_are_counted(desk: Office) -> None:
    desk.alert(*(signal(src_ip=f"198.51.100.{n}", event_uid=str(n)) for n in range(9)))
    facts = dict(message(desk, 1).facts)
    assert facts["From where"].endswith("198.51.100.4, and 4 more")


def test_many_other_alerts_are_counted(desk: Office) -> None:
    desk.alert(*(signal(rule=f"r{n}") for n in range(15)))
    found = message(desk, *range(1, 16))
    assert found.headline.endswith("(and 14 more)")
    assert len(found.listed) == 11 and found.listed[-1] == "and 4 more"


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("a\r\nBcc: all@example.com", "a Bcc: all@example.com"),
        ("a\x1b[31mred\u202egnp", "a�[31mred�gnp"),
        ("x" * 400, "x" * 299 + "…"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "[masked]"),
        ("token=abc123 for you", "token=[masked] for you"),
        ("https://dana:hunter2@example.com/", "https://[masked]@example.com/"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "[masked]"),
        ("arn:aws:iam::111122223333:user/dana", "arn:aws:iam::111122223333:user/dana"),
        ("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/dana",) * 2,
        ("3f786850e387550fdab836ed7e6dc881de23001b", "3f786850e387550fdab836ed7e6dc881de23001b"),
    ],
)
def test_what_came_from_a_log_is_cleaned(dirty: str, cleaned: str) -> None:
    assert clean(dirty) == cleaned


def test_no_markup_of_slack_and_teams(desk: Office) -> None:
    """What they take literally stands as it is, so that it can be copied; nothing else holds it."""
    name = "<!channel> <https://evil.example|click> *bold* [click](https://evil.example)"
    desk.alert(signal(name))
    found = message(desk, 1)
    assert {"type": "text", "text": f"{name}\n"} in blocks(found)[1]["elements"][0]["elements"]
    assert {"type": "TextRun", "text": name} in card(found)["body"][1]["inlines"]
    kinds = re.compile(r'"type": "(\w+)"')
    text = json.dumps(blocks(found)) + json.dumps(card(found))
    assert not {"mrkdwn", "TextBlock", "FactSet"} & set(kinds.findall(text))
