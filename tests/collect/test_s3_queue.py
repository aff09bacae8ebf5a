"""Objects by notification: stored once, their messages deleted then; what cannot be had is noted and tried again."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus
from uuid import uuid4

import pytest

from tests.aws import REGION
from tests.collect.conftest import Collect
from tests.collect.working import working
from tests.conftest import Program
from tests.e2e.picture import picture
from tests.e2e.records import document, event_uid, good, packed
from trailkeep.collect import s3_queue
from trailkeep.collect.s3_events import S3Object, objects_in
from trailkeep.collect.s3_queue import S3Queue

Queue = tuple[str, Any]


@pytest.fixture
def queue(aws: Callable[[str], Any]) -> Queue:
    sqs = aws("sqs")
    return sqs.create_queue(QueueName=f"q-{uuid4().hex[:12]}")["QueueUrl"], sqs


def notify(aws: Callable[[str], Any], bucket: str, queue: Queue) -> None:
    url, sqs = queue
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    aws("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)


def config(queue: Queue, extra: str = "") -> str:
    return f"collect:\n  trail: {{type: s3_queue, queue: '{queue[0]}', region: {REGION}{extra}}}\n"


def left(queue: Queue) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = queue[1].get_queue_attributes(QueueUrl=queue[0], AttributeNames=names)["Attributes"]
    return sum(map(int, found.values()))


def send(queue: Queue, bucket: str, *keys: str) -> None:
    records = [
        {
            "eventName": "ObjectCreated:Put",
            "awsRegion": REGION,
            "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}},
        }
        for key in keys
    ]
    queue[1].send_message(QueueUrl=queue[0], MessageBody=json.dumps({"Records": records}))


def uids(lake: Path) -> list[str]:
    return sorted(uid for uid, _ in picture(lake).events.elements())


def test_from_bucket_to_lake(
    aws: Callable[[str], Any], bucket: str, queue: Queue, collect: Collect, tmp_path: Path, trailkeep: Program
) -> None:
    notify(aws, bucket, queue)  # sends a test event, too
    key = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/17/a file+1.json.gz"
    metadata = {"signature": "abc"}
    aws("s3").put_object(Bucket=bucket, Key=key, Body=packed(document(*good(3))), Metadata=metadata)
    aws("s3").put_object(Bucket=bucket, Key="other.txt", Body=b"what is this?")
    send(queue, bucket, "other.txt", key)  # both again
    done = collect(config(queue))
    assert done.code == 1  # one was not recognised
    assert "3 records" not in done.err
    lake = tmp_path / "lake"
    assert uids(lake) == [event_uid(n) for n in range(3)]
    assert left(queue) == 0
    found = picture(lake)
    assert {(key, reason, data) for key, _, _, reason, _, data in found.quarantine} == {
        (f"s3://{bucket}/other.txt", "not recognised: begins with 'what is this?'", b"what is this?")
    }
    shown = trailkeep("status", "--home", lake)
    assert "1 piece: not recognised" in shown.err
    assert not list((lake / "spool" / "fetched" / "trail").iterdir())
    again = collect(config(queue))
    assert (again.code, picture(lake)) == (0, found)


def test_what_is_not_there_is_given_up_and_can_be_tried_again(
    aws: Callable[[str], Any], bucket: str, queue: Queue, collect: Collect, tmp_path: Path, trailkeep: Program
) -> None:
    send(queue, bucket, "late.json")
    queue[1].send_message(QueueUrl=queue[0], MessageBody="no JSON")
    assert collect(config(queue, ", tries: 1")).code == 0
    assert left(queue) == 0
    shown = trailkeep("status", "--home", tmp_path / "lake")
    assert f"trail: given up: s3://{bucket}/late.json: NoSuchKey" in shown.err
    assert "no notification of S3" in shown.err
    aws("s3").put_object(Bucket=bucket, Key="late.json", Body=document(*good(2)))
    done = collect(config(queue, ", tries: 1"), "--redrive")
    assert "2 objects to be tried again" in done.out
    assert uids(tmp_path / "lake") == [event_uid(0), event_uid(1)]
    shown = trailkeep("status", "--home", tmp_path / "lake")
    assert f"given up: s3://{bucket}/late.json" not in shown.err
    assert "no notification of S3" in shown.err  # it still is none


def test_a_message_that_breaks_everything_is_tried_and_given_up_and_the_others_are_taken(
    aws: Callable[[str], Any], bucket: str, queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(body: str) -> Iterator[S3Object]:
        if "poison" in body:
            raise ZeroDivisionError("nobody thought of it")
        return objects_in(body)

    monkeypatch.setattr(s3_queue, "objects_in", breaking)
    aws("s3").put_object(Bucket=bucket, Key="a.json", Body=b'"x"')
    send(queue, bucket, "poison")
    send(queue, bucket, "a.json")
    told = S3Queue(type="s3_queue", queue=queue[0], region=REGION, tries=2, threads=2)
    said: list[str] = []
    with working(told, tmp_path, once=True, say=said.append) as found:
        found.wait(lambda: found.context.health.condition == "done")
    assert found.lines == ["x"]
    assert said == ["one: a message: ZeroDivisionError: nobody thought of it"] * 2
    (key,) = found.context.kept.all_given_up("one")
    assert key.startswith("sqs:")
    assert left(queue) == 0


def test_an_object_that_is_too_large_is_given_up(
    aws: Callable[[str], Any], bucket: str, queue: Queue, collect: Collect, tmp_path: Path, trailkeep: Program
) -> None:
    aws("s3").put_object(Bucket=bucket, Key="big", Body=b"x" * ((1 << 20) + 1))
    send(queue, bucket, "big")
    collect(config(queue, ", max_object_mb: 1"))
    assert left(queue) == 0
    assert "1,048,577 bytes, more than the limit" in trailkeep("status", "--home", tmp_path / "lake").err


def test_a_role_is_assumed_with_its_external_id(
    aws: Callable[[str], Any],
    bucket: str,
    queue: Queue,
    collect: Collect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws("s3").put_object(Bucket=bucket, Key="a.json", Body=document(*good(1)))
    send(queue, bucket, "a.json")
    monkeypatch.setenv("READER_ID", "e-1234")
    accounts = (
        "accounts:\n  prod:\n    role: arn:aws:iam::123456789012:role/reader\n    external_id: {env: READER_ID}\n"
    )
    assert collect(accounts + config(queue, ", bucket_account: prod")).code == 0
    assert uids(tmp_path / "lake") == [event_uid(0)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("collect: {}\n", ":1: collect: Dictionary should have at least 1 item"),
        ("collect:\n  a:\n    type: s3_quene\n", ":2: collect.a: Input tag 's3_quene' found using 'type'"),
        ("collect:\n  a:\n    type: s3_queue\n", ":2: collect.a.queue: Field required"),
        ("collect:\n  a:\n    type: s3_queue\n    queue: x\n", ":4: collect.a.queue: String should match"),
        ("collect:\n  a: {type: s3_queue, queue: 'http://q', foo: 1}\n", ":2: collect.a.foo: no such key"),
        ("x: [\n", ": no YAML: "),
        ("collect:\n  a: 1\n  a: 2\n", ":3: the key a is there twice"),
        (
            "collect:\n  a: {type: s3_queue, queue: 'http://q', account: prod}\n",
            "collect.a.account: no account 'prod' in accounts; there are: none",
        ),
        ("accounts: {p: {role: me}}\ncollect:\n  a: {type: s3_queue, queue: 'http://q'}\n", ":1: accounts.p.role"),
        (
            "drop: [{reason: x}]\ncollect:\n  a: {type: s3_queue, queue: 'http://q'}\n",
            ":1: drop.0: would drop everything",
        ),
    ],
)
def test_a_wrong_configuration_is_told_with_its_lines(collect: Collect, tmp_path: Path, text: str, said: str) -> None:
    done = collect(text)
    assert done.code == 1
    assert f"{tmp_path / 'trailkeep.yaml'}:" in done.err
    assert said in done.err
    assert not (tmp_path / "lake").exists()


def test_only_one_process_collects_into_a_lake(queue: Queue, collect: Collect, tmp_path: Path) -> None:
    assert collect(config(queue)).code == 0
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        from trailkeep.lake.home import open_home

        with open_home(tmp_path / "lake").exclusive("collect"):
            held.set()
            over.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(60)
        done = collect(config(queue))
        assert done.code == 1
        assert "another process does `collect` on this lake" in done.err
    finally:
        over.set()
        thread.join()


def test_check_and_names(queue: Queue, collect: Collect) -> None:
    assert "1 collector, no faults" in collect(config(queue), "--check").out
    done = collect(config(queue), "other")
    assert (done.code, "no collector other" in done.err) == (2, True)
