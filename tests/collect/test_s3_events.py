"""Messages about objects in S3, in every form in which they come."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from trailkeep.collect.s3_events import S3Object, objects_in
from trailkeep.core.errors import InputError

SAMPLES = Path(os.environ.get("TRAILKEEP_SAMPLES", Path(__file__).parents[3] / "shared" / "samples"))


def record(key: str = "a/b%2Bc+d.gz", name: str = "ObjectCreated:Put", **found: Any) -> dict[str, Any]:
    return {
        "awsRegion": "eu-west-1",
        "eventName": name,
        "s3": {"bucket": {"name": "logs"}, "object": {"key": key, "size": 7, **found}},
    }


def bridge(kind: str = "Object Created", source: str = "aws.s3") -> dict[str, Any]:
    detail = {"bucket": {"name": "logs"}, "object": {"key": "a/b+c d.gz", "size": 7}}
    return {"detail-type": kind, "source": source, "region": "eu-west-1", "detail": detail}


def sns(inner: Any) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "1", "Message": json.dumps(inner)}


WANTED = S3Object("logs", "a/b+c d.gz", "eu-west-1", None, 7)


@pytest.mark.parametrize(
    "message",
    [
        {"Records": [record()]},
        sns({"Records": [record()]}),
        {"Records": [{"Sns": {"Message": json.dumps({"Records": [record()]})}}]},
        {"Records": [{"body": json.dumps({"Records": [record()]})}]},
        bridge(),
        sns(bridge()),
        {"detail": bridge()["detail"], "region": "eu-west-1"},
    ],
)
def test_a_new_object(message: Any) -> None:
    assert objects_in(json.dumps(message)) == [WANTED]


def test_versions_and_several_objects() -> None:
    found = objects_in(json.dumps({"Records": [record("x", versionId="v1"), record("y", "s3:ObjectCreated:Copy")]}))
    assert [(each.key, each.version) for each in found] == [("x", "v1"), ("y", None)]
    assert found[0].url == "s3://logs/x"


@pytest.mark.parametrize(
    "message",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "logs"},
        {"Records": [record(name="ObjectRemoved:Delete"), record(name="ObjectRestore:Completed")]},
        bridge("Object Deleted"),
        sns(bridge("Object Restore Completed")),
        {"Records": []},
    ],
)
def test_nothing_to_fetch(message: Any) -> None:
    assert objects_in(json.dumps(message)) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("hello", "no notification of S3: JSONDecodeError"),
        ("[]", "no notification of S3"),
        ('{"a": 1}', "with the keys a"),
        (json.dumps(bridge(source="aws.ec2")), "an event of aws.ec2"),
        ('{"Records": [{"eventName": "INSERT", "dynamodb": {}}]}', "without the key s3"),
        ('{"Records": [{"eventName": "ObjectCreated:Put", "s3": {}}]}', "KeyError: 'object'"),
        ("null", "no notification of S3: TypeError"),
    ],
)
def test_what_is_no_notification(body: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        objects_in(body)


def test_real_notifications() -> None:
    folder = SAMPLES / "delivery_envelope"
    if not folder.is_dir():
        pytest.skip(f"NO REAL SAMPLES at {SAMPLES}: set TRAILKEEP_SAMPLES to test against them")
    found = {
        path.name: [each.url for each in objects_in(path.read_text(encoding="utf-8"))]
        for path in folder.rglob("*s3*.json")
        if "batch" not in path.name and "lambda-event" not in path.name
    }
    assert found["events__sqs_s3.json"] and found["events__sqs_sns_s3.json"]
    assert found["testdata__eventbridge-s3-event.json"] and found["s3-event.json"]
    assert found["testdata__events__s3-test-event.json"] == []
    assert {name for name, urls in found.items() if not urls} == {
        "testdata__events__s3-test-event.json",
        # Of objects that are archived, restored, replicated or expired.
        *("s3-glacier-event.json", "s3-intelligenttier-event.json", "s3-lifecycle-event.json"),
        *("s3-replication-event.json", "s3-restore-event.json"),
    } & found.keys()
