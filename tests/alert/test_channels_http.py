"""Each channel that speaks HTTP makes the requests that its vendor documents, and none of them twice over."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.alert.inbox import Answer, Inbox, Request
from tests.alert.office import SECRET
from trailkeep.alert.channels.channel import Tools
from trailkeep.alert.config import alerts_model
from trailkeep.alert.message import Message, plain
from trailkeep.aws import Aws
from trailkeep.core.errors import Refused

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
TOOLS = Tools(Aws({}), now=lambda: NOON)
UID = "0123456789abcdef0123456789abcdef"


def message(kind: str = "new", **changed: Any) -> Message:
    values: dict[str, Any] = {
        "kind": kind,
        "thread": "f" * 32,
        "alerts": (7,),
        "level": "high",
        "title": "CloudTrail switched off",
        "rule": "rule-1",
        "tags": ("attack.defense-evasion",),
        "subject": "alice",
        "subject_kind": "principal",
        "time": NOON,
        "accounts": ("111122223333",),
        "facts": (("Who", "alice"), ("What", "StopLogging")),
        "description": "An intruder switches the log off.",
        "steps": ("Ask: Was this planned?",),
        "link": "https://trailkeep.example.com/alerts/7",
    }
    return Message(**(values | changed))


TEST = message("test", alerts=(), title="Test message", level="informational", rule=None, subject=None)


def send(tmp_path: Path, told: dict[str, Any], each: Message, uid: str = UID) -> None:
    """Send through a channel; what begins with `secret:` is put into a file."""
    for name, value in told.items():
        if isinstance(value, str) and value.startswith("secret:"):
            (tmp_path / name).write_text(value.removeprefix("secret:"))
            told = told | {name: {"file": str(tmp_path / name)}}
    alerts_model().model_validate({"channels": {"c": told}}).channels["c"].send(each, uid, TOOLS)


def test_webhook_is_signed(tmp_path: Path, web: Inbox) -> None:
    key = base64.b64encode(b"twenty-four bytes of key").decode()
    told = {"type": "webhook", "url": f"secret:{web.url}/in", "secret": f"secret:whsec_{key}"}
    send(tmp_path, told, message())
    (request,) = web.requests
    assert (request.method, request.path, request.headers["content-type"]) == ("POST", "/in", "application/json")
    assert (request.headers["webhook-id"], request.headers["webhook-timestamp"]) == (UID, str(int(NOON.timestamp())))
    signed = f"{UID}.{int(NOON.timestamp())}.".encode() + request.body
    expected = hmac.new(b"twenty-four bytes of key", signed, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
    assert (request.json["subject"], request.json["alerts"]) == ("alice", [7])
    assert request.json["text"] == plain(message())


@pytest.mark.parametrize(("secret", "reason"), [("short", "shorter than 16 bytes"), ("whsec_%%%", "no Base64")])
def test_webhook_refuses_a_weak_secret(tmp_path: Path, web: Inbox, secret: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        send(tmp_path, {"type": "webhook", "url": f"secret:{web.url}", "secret": f"secret:{secret}"}, message())
    assert not web.requests


def test_slack(tmp_path: Path, web: Inbox) -> None:
    send(tmp_path, {"type": "slack", "url": f"secret:{web.url}/services/T/B/X"}, message())
    body = web.requests[0].json
    assert web.requests[0].path == "/services/T/B/X"
    assert body["text"] == "[high] CloudTrail switched off"
    head, rich = body["blocks"]
    assert head == {
        "type": "header",
        "text": {"type": "plain_text", "text": "[high] CloudTrail switched off", "emoji": False},
    }
    assert rich["type"] == "rich_text"
    assert rich["elements"][0] == {
        "type": "rich_text_section",
        "elements": [
            {"type": "text", "text": "Who: ", "style": {"bold": True}},
            {"type": "text", "text": "alice\n"},
        ],
    }
    *_, steps, link = rich["elements"]
    assert steps == {
        "type": "rich_text_list",
        "style": "bullet",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "Ask: Was this planned?"}]}],
    }
    assert link["elements"] == [
        {"type": "link", "url": "https://trailkeep.example.com/alerts/7", "text": "Open the alert"}
    ]


def test_slack_keeps_to_the_lengths_allowed(tmp_path: Path, web: Inbox) -> None:
    told = {"type": "slack", "url": f"secret:{web.url}"}
    send(tmp_path, told, message(title="t" * 300, description="d" * 9000, facts=(), steps=(), link=None))
    head, rich = web.requests[0].json["blocks"]
    assert len(head["text"]["text"]) == 150
    assert [len(each["text"]) for each in rich["elements"][0]["elements"]] == [17, 3000]


def test_a_mention_in_the_headline_is_none(tmp_path: Path, web: Inbox) -> None:
    send(tmp_path, {"type": "slack", "url": f"secret:{web.url}"}, message(title="<!channel> & all"))
    assert web.requests[0].json["text"] == "[high] &lt;!channel&gt; &amp; all"


def test_teams(tmp_path: Path, web: Inbox) -> None:
    send(tmp_path, {"type": "teams", "url": f"secret:{web.url}/workflows"}, message())
    body = web.requests[0].json
    (attachment,) = body["attachments"]
    assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["body"][1] == {
        "type": "RichTextBlock",
        "spacing": "small",
        "inlines": [
            {"type": "TextRun", "text": "Who: ", "weight": "bolder"},
            {"type": "TextRun", "text": "alice"},
        ],
    }
    assert card["actions"] == [
        {"type": "Action.OpenUrl", "title": "Open the alert", "url": "https://trailkeep.example.com/alerts/7"}
    ]


def test_chime(tmp_path: Path, web: Inbox) -> None:
    send(tmp_path, {"type": "chime", "url": f"secret:{web.url}/hook?token=x"}, message(description="d" * 9000))
    (request,) = web.requests
    assert request.path == "/hook?token=x"
    assert list(request.json) == ["Content"] and len(request.json["Content"]) == 4096


def test_pagerduty(tmp_path: Path, web: Inbox) -> None:
    told = {"type": "pagerduty", "key": "secret:R0UT1NG", "url": web.url}
    for each in (message(), message("closed"), TEST):
        send(tmp_path, told, each)
    first, closed, test, over = (request.json for request in web.requests)
    assert {request.path for request in web.requests} == {"/v2/enqueue"}
    assert (first["routing_key"], first["event_action"], first["dedup_key"]) == ("R0UT1NG", "trigger", "f" * 32)
    assert first["payload"] == {
        "summary": "[high] CloudTrail switched off",
        "source": "alice",
        "severity": "error",
        "timestamp": "2026-11-18T12:00:00+00:00",
        "component": "trailkeep",
        "class": "rule-1",
        "custom_details": {
            "Who": "alice",
            "What": "StopLogging",
            "Why it matters": "An intruder switches the log off.",
            "What to do": ["Ask: Was this planned?"],
            "Other alerts": [],
        },
    }
    assert first["links"] == [{"href": "https://trailkeep.example.com/alerts/7", "text": "Open the alert"}]
    assert closed == {"routing_key": "R0UT1NG", "event_action": "resolve", "dedup_key": "f" * 32}
    assert [(each["event_action"], each["dedup_key"]) for each in (test, over)] == [("trigger", UID), ("resolve", UID)]


def test_opsgenie(tmp_path: Path, web: Inbox) -> None:
    told = {"type": "opsgenie", "key": "secret:K3Y", "url": web.url}
    for each in (message(), message("closed"), TEST):
        send(tmp_path, told, each)
    assert {request.headers["authorization"] for request in web.requests} == {"GenieKey K3Y"}
    assert [request.path for request in web.requests] == [
        "/v2/alerts",
        f"/v2/alerts/{'f' * 32}/close?identifierType=alias",
        "/v2/alerts",
        f"/v2/alerts/{UID}/close?identifierType=alias",
    ]
    body = web.requests[0].json
    assert (body["alias"], body["priority"], body["entity"]) == ("f" * 32, "P2", "alice")
    assert body["message"] == "[high] CloudTrail switched off"
    assert (body["tags"], body["details"]) == (["attack.defense-evasion"], {"Who": "alice", "What": "StopLogging"})


class Jira:
    """A project that finds an issue by its label."""

    def __init__(self) -> None:
        self.issues: dict[str, str] = {}
        self.comments: list[str] = []

    def __call__(self, request: Request) -> Answer:
        if request.path == "/rest/api/3/search/jql":
            label = request.json["jql"].split('"')[3]
            found = [{"id": "1", "key": self.issues[label]}] if label in self.issues else []
            return Answer(body=json.dumps({"issues": found, "isLast": True}).encode())
        if request.path == "/rest/api/3/issue":
            key = f"SEC-{len(self.issues) + 1}"
            self.issues[request.json["fields"]["labels"][1]] = key
            return Answer(201, json.dumps({"id": "1", "key": key}).encode())
        self.comments.append(request.path)
        return Answer(201, b"{}")


def test_jira(tmp_path: Path, web: Inbox) -> None:
    web.answer = jira = Jira()
    told = {"type": "jira", "url": web.url, "user": "soc@example.com", "token": "secret:T0KEN", "project": "SEC"}
    for each in (message(), message(), message("more"), message("closed")):
        send(tmp_path, told, each)
    assert jira.issues == {f"trailkeep-{'f' * 32}": "SEC-1"}  # the second try made no second one
    assert jira.comments == ["/rest/api/3/issue/SEC-1/comment"] * 2
    search, issue, *_ = web.requests
    assert search.headers["authorization"] == "Basic " + base64.b64encode(b"soc@example.com:T0KEN").decode()
    assert search.json["jql"] == f'project = "SEC" AND labels = "trailkeep-{"f" * 32}"'
    fields = issue.json["fields"]
    assert (fields["project"], fields["issuetype"]) == ({"key": "SEC"}, {"name": "Task"})
    assert fields["summary"] == "[high] CloudTrail switched off"
    assert fields["description"]["content"][1]["content"] == [
        {"type": "text", "text": "Who:  alice"},
        {"type": "hardBreak"},
        {"type": "text", "text": "What: StopLogging"},
    ]


class ServiceNow:
    """A table that finds a record by its correlation id."""

    def __init__(self) -> None:
        self.records: list[dict[str, str]] = []

    def __call__(self, request: Request) -> Answer:
        if request.method == "GET":
            known = [r for r in self.records if f"correlation_id%3D{r['correlation_id']}&" in request.path]
            return Answer(body=json.dumps({"result": [{"sys_id": "s1"}] if known else []}).encode())
        if request.method == "POST":
            self.records.append(request.json)
        return Answer(201, b'{"result": {"sys_id": "s1"}}')


def test_servicenow(tmp_path: Path, web: Inbox) -> None:
    web.answer = table = ServiceNow()
    told = {"type": "servicenow", "url": web.url, "user": "trailkeep", "password": "secret:hunter2"}
    for each in (message(), message(), message("more")):
        send(tmp_path, told, each)
    (record,) = table.records
    assert (record["short_description"], record["urgency"], record["impact"]) == (message().headline, "1", "2")
    assert (record["correlation_id"], record["correlation_display"]) == ("f" * 32, "Trailkeep")
    last = web.requests[-1]
    assert (last.method, last.path) == ("PATCH", "/api/now/table/incident/s1")
    assert last.json["work_notes"].startswith("[high] More: CloudTrail switched off")
    assert last.headers["authorization"] == "Basic " + base64.b64encode(b"trailkeep:hunter2").decode()


@pytest.mark.parametrize("name", ["jira", "servicenow"])
def test_a_login_page_is_no_ticket(tmp_path: Path, web: Inbox, name: str) -> None:
    web.answer = lambda _: Answer(body=b"<html>Sign in</html>")
    told = {
        "jira": {"type": "jira", "url": web.url, "user": "u", "token": "secret:x", "project": "SEC"},
        "servicenow": {"type": "servicenow", "url": web.url, "user": "u", "password": "secret:x"},
    }
    with pytest.raises(Refused, match="look at `url`"):
        send(tmp_path, told[name], message())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Apprise's own imports
def test_apprise(tmp_path: Path, web: Inbox) -> None:
    address = web.url.replace("http://", "json://")
    send(tmp_path, {"type": "apprise", "url": f"secret:{address}/in"}, message())
    body = web.requests[0].json
    assert (body["title"], body["type"]) == ("[high] CloudTrail switched off", "failure")
    assert body["message"].startswith("[high] CloudTrail switched off\n\nWho:  alice")
    with pytest.raises(Refused, match="does not know an address"):
        send(tmp_path, {"type": "apprise", "url": "secret:pigeon://loft"}, message())


def test_apprise_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(Refused, match=r"pip install 'trailkeep\[apprise\]'"):
        send(tmp_path, {"type": "apprise", "url": "secret:json://x"}, message())


def test_no_secret_is_long_lived_in_the_configuration() -> None:
    told = {"type": "webhook", "url": {"env": "HOOK_URL"}, "secret": {"env": "HOOK_SECRET"}}
    shown = repr(alerts_model().model_validate({"channels": {"c": told}}))
    assert "HOOK_SECRET" in shown and SECRET not in shown
