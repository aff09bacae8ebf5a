"""SNS, EventBridge and Security Hub take the messages, or say why not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.alert.test_channels_http import NOON, TEST, UID, message
from tests.aws import CREDENTIALS, REGION, aws_server, client, reset
from tests.collect.fake_aws import FakeAws, Fault, fake_aws
from trailkeep.alert.channels.channel import Tools
from trailkeep.alert.config import alerts_model
from trailkeep.alert.message import Message
from trailkeep.aws import Aws
from trailkeep.core.errors import Later, Refused


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with aws_server() as address:
        yield address


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def send(endpoint: str | None, told: dict[str, Any], each: Message) -> None:
    channel = alerts_model().model_validate({"channels": {"c": told}}).channels["c"]
    channel.send(each, UID, Tools(Aws({}, endpoint), now=lambda: NOON))


def queue_behind(endpoint: str, topic: str, name: str, **attributes: str) -> str:
    sqs = client(endpoint, "sqs")
    url: str = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client(endpoint, "sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url


def received(endpoint: str, url: str) -> list[dict[str, Any]]:
    found = client(endpoint, "sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(each["Body"]) for each in found]


def test_sns_reaches_a_queue(endpoint: str) -> None:
    reset(endpoint)
    topic = client(endpoint, "sns").create_topic(Name="alerts")["TopicArn"]
    url = queue_behind(endpoint, topic, "alerts")
    send(endpoint, {"type": "sns", "topic": topic, "region": REGION}, message(title="Größe " + "t" * 200))
    (envelope,) = received(endpoint, url)
    assert envelope["Subject"] == "[high] Gr??e " + "t" * 84 + "..."
    inside = json.loads(envelope["Message"])
    assert (inside["subject"], inside["thread"], inside["level"]) == ("alice", "f" * 32, "high")
    given = {name: each["Value"] for name, each in envelope["MessageAttributes"].items()}
    assert given == {"level": "high", "kind": "new", "rule": "rule-1", "id": UID}


def test_a_fifo_topic_drops_the_repetition(endpoint: str) -> None:
    reset(endpoint)
    topic = client(endpoint, "sns").create_topic(Name="alerts.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    url = queue_behind(endpoint, topic, "alerts.fifo", FifoQueue="true")
    for _ in range(2):
        send(endpoint, {"type": "sns", "topic": topic}, message())
    assert len(received(endpoint, url)) == 1


def test_a_topic_that_there_is_not(endpoint: str) -> None:
    reset(endpoint)
    with pytest.raises(Refused, match="AWS sns publish: NotFound"):
        send(endpoint, {"type": "sns", "topic": f"arn:aws:sns:{REGION}:123456789012:none"}, message())


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    with fake_aws(monkeypatch) as running:
        yield running


@pytest.mark.parametrize(("code", "error"), [("ExpiredToken", Later), ("AccessDeniedException", Refused)])
def test_errors_that_pass_and_errors_that_do_not(fake: FakeAws, code: str, error: type[Exception]) -> None:
    fake.faults["PutEvents"] = [Fault(code)]
    with pytest.raises(error, match=code):
        send(None, {"type": "eventbridge", "region": REGION}, message())


def test_eventbridge(fake: FakeAws) -> None:
    said: list[dict[str, Any]] = [{"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}]
    fake.answers["PutEvents"] = lambda _: said[-1]
    told = {"type": "eventbridge", "region": REGION, "bus": "security"}
    send(None, told, message())
    send(None, told, TEST)
    (entry,), (test,) = (call.body["Entries"] for call in fake.calls)
    assert {name: entry[name] for name in ("Source", "DetailType", "EventBusName")} == {
        "Source": "trailkeep",
        "DetailType": "Trailkeep Alert",
        "EventBusName": "security",
    }
    detail = json.loads(entry["Detail"])
    assert (detail["id"], detail["subject"], detail["level"]) == (UID, "alice", "high")
    assert test["DetailType"] == "Trailkeep Test"
    for code, error in (("ThrottlingException", Later), ("MalformedDetail", Refused)):
        said.append({"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "no"}]})
        with pytest.raises(error, match=f"Amazon EventBridge: {code}: no"):
            send(None, told, message())


def test_securityhub(fake: FakeAws) -> None:
    said: list[dict[str, Any]] = [{"FailedCount": 0, "SuccessCount": 1, "FailedFindings": []}]
    fake.answers["BatchImportFindings"] = lambda _: said[-1]
    told = {"type": "securityhub", "account_id": "111122223333", "region": REGION}
    for each in (message(), message("closed"), TEST):
        send(None, told, each)
    (finding,), (closed,), (test,) = (call.body["Findings"] for call in fake.calls)
    text = finding.pop("Description")
    assert text.startswith("[high] CloudTrail switched off") and len(text) <= 1024
    assert finding == {
        "SchemaVersion": "2018-10-08",
        "Id": f"trailkeep/{'f' * 32}",
        "ProductArn": f"arn:aws:securityhub:{REGION}:111122223333:product/111122223333/default",
        "ProductName": "Trailkeep",
        "CompanyName": "Trailkeep",
        "GeneratorId": "trailkeep/rule-1",
        "AwsAccountId": "111122223333",
        "Types": ["TTPs"],
        "CreatedAt": "2026-11-18T12:00:00.000Z",
        "UpdatedAt": "2026-11-18T12:00:00.000Z",
        "Severity": {"Label": "HIGH", "Original": "high"},
        "Title": "CloudTrail switched off",
        "RecordState": "ACTIVE",
        "Resources": [
            {"Type": "Other", "Id": "alice"},
            {"Type": "AwsAccount", "Id": "AWS::::Account:111122223333"},
        ],
        "SourceUrl": "https://trailkeep.example.com/alerts/7",
        "Remediation": {"Recommendation": {"Text": "Ask: Was this planned?"}},
    }
    assert (closed["Id"], closed["RecordState"]) == (finding["Id"], "ARCHIVED")
    assert (test["Id"], test["RecordState"]) == (f"trailkeep/{UID}", "ARCHIVED")
    failed = {"Id": "x", "ErrorCode": "InvalidInput", "ErrorMessage": "no"}
    said.append({"FailedCount": 1, "SuccessCount": 0, "FailedFindings": [failed]})
    with pytest.raises(Refused, match="AWS Security Hub: InvalidInput: no"):
        send(None, told, message())
