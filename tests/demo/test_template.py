"""Every template, called by every kind of caller and in every way it can fail, is a JSON record."""

import json
from random import Random

import pytest

from trailkeep.demo.actor import Sessions
from trailkeep.demo.fields import Fields, record
from trailkeep.demo.template import Template
from trailkeep.demo.templates import TEMPLATES
from trailkeep.demo.world import build_world

NOON = 1_794_916_800
WORLD = build_world("o-test000000", ("111122223333", "444455556666"), ("us-east-1",), 1)


def render(template: Template, kind: str, failure: int | None) -> dict[str, object]:
    session = Sessions(1).at(WORLD.actors["111122223333"][kind][0], NOON)
    pools = WORLD.pools["111122223333"]
    text = record(template, Fields(Random(1), pools, session, NOON, "111122223333", "us-east-1"), failure)
    loaded = json.loads(text)
    assert isinstance(loaded, dict) and "<" not in text
    return loaded


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: f"{template.service}.{template.name}")
def test_template_is_json(template: Template) -> None:
    for kind in dict.fromkeys(template.actors.split()):
        done = render(template, kind, None)
        assert "errorCode" not in done and done["eventName"] == template.name
        for failure in range(len(template.errors)):
            assert render(template, kind, failure)["errorMessage"]


def test_a_service_has_a_name_for_an_address_and_a_shared_event() -> None:
    template = next(one for one in TEMPLATES if one.name == "AssumeRole")
    event = render(template, "service", None)
    assert event["sourceIPAddress"] == event["userAgent"] == "ec2.amazonaws.com"
    assert event["userIdentity"] == {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
    assert "sharedEventID" in event and "tlsDetails" not in event


def test_a_session_keeps_its_key_until_it_ends() -> None:
    actor = WORLD.actors["111122223333"]["ci"][0]
    sessions = Sessions(1)
    now, soon, later = (sessions.at(actor, NOON + wait) for wait in (0, 3599, 3600))
    assert now is soon and now.identity != later.identity
    assert Sessions(1).at(actor, NOON) == now
