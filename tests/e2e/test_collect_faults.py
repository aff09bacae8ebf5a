"""S3, SQS and the commit through two hundred kills and every fault of a network: each event once, no message lost.

Notifications come twice, in any order and late; reads are throttled, cut and reset; the collector is killed at random
moments and at durable steps. A proxy sees every deletion of a message and looks whether its objects are committed.
"""

import json
import random
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote_plus

import pytest

from tests.aws import CREDENTIALS, REGION, aws_server, client
from tests.e2e.nursery import Nursery
from tests.e2e.picture import picture, stray_files
from tests.e2e.program import start
from tests.e2e.records import document, event_uid, packed, record
from tests.faulty_proxy import Faults, faulty

KILLS = 200
SEED = 20_261_125
OBJECTS, RECORDS = 400, 3
BUCKET = "logs"
FAILPOINTS = (
    *("intent.before", "intent.after", "ledger_file.before", "ledger_file.after", "snapshot.before", "snapshot.after"),
    *(
        "ledger.before",
        "ledger.after",
        "alerts.before",
        "alerts.after",
        "collect.settle.before",
        "collect.settle.after",
    ),
)
RULE = """
title: Instances listed
id: 6b0d3c1e-0000-4000-8000-000000000001
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: DescribeInstances}, condition: selection}
level: high
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with aws_server() as found:
        yield found


class Watch:
    """Hears of messages and deletions; an object is durable when the ledger has it."""

    def __init__(self, lake: Path) -> None:
        self.lake = lake
        self.bodies: dict[str, str] = {}
        self.early: list[str] = []
        self.deletions = 0

    def received(self, receipt: str, body: str) -> None:
        self.bodies[receipt] = body

    def deleted(self, receipt: str) -> None:
        self.deletions += 1
        records = json.loads(self.bodies[receipt]).get("Records", [])
        keys = {f"s3://{BUCKET}/{unquote_plus(each['s3']['object']['key'])}" for each in records}
        with closing(sqlite3.connect(f"file:{self.lake}/state.db?mode=ro", uri=True, timeout=60)) as state:
            known = {key for (key,) in state.execute("SELECT key FROM objects")}
        self.early += sorted(keys - known)


def notification(rng: random.Random, keys: list[str]) -> str:
    """A message of S3 about new objects, in one of the ways in which it comes."""
    records = [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": REGION,
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": BUCKET}, "object": {"key": key.replace(" ", "+"), "size": 1}},
        }
        for key in keys
    ]
    return json.dumps({"Records": records})


def test_two_hundred_kills(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    rng = random.Random(SEED)
    lake, rules = tmp_path / "lake", tmp_path / "rules"
    rules.mkdir()
    (rules / "rule.yml").write_text(RULE)
    s3, sqs = client(endpoint, "s3"), client(endpoint, "sqs")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    queue = sqs.create_queue(QueueName="notifications", Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
    keys = [f"AWSLogs/111122223333/CloudTrail/{REGION}/2026/11/17/file {n:04}.json.gz" for n in range(OBJECTS)]
    waiting = [[key] for key in keys] + [rng.sample(keys, 2) for _ in range(OBJECTS // 4)]  # and twice
    rng.shuffle(waiting)
    watch = Watch(lake)
    faults = Faults(random.Random(SEED), 0.1, 0.1, 0.05, watch.received, watch.deleted)
    made: set[str] = set()

    def arrive(count: int) -> None:
        """The next objects and the notifications about them; one that tells of two may come before the second."""
        for _ in range(min(count, len(waiting))):
            told = waiting.pop()
            for key in set(told) - made:
                number = keys.index(key) * RECORDS
                s3.put_object(
                    Bucket=BUCKET, Key=key, Body=packed(document(*(record(number + i) for i in range(RECORDS))))
                )
                made.add(key)
            delay = rng.choice((0, 0, 0, 1, 3))
            sqs.send_message(QueueUrl=queue, MessageBody=notification(rng, told), DelaySeconds=delay)

    with faulty(endpoint, faults) as proxy:
        config = tmp_path / "trailkeep.yaml"
        where = queue.replace(endpoint, proxy)
        config.write_text(
            f"aws_endpoint: {proxy}\nrules: [{rules}]\ncommit: {{seconds: 0.05, megabytes: 0.02}}\ncollect:\n  trail:\n"
            f"    {{type: s3_queue, queue: '{where}', region: {REGION}, visibility_seconds: 3, threads: 2}}\n"
        )
        command = ("collect", "--config", config, "--home", lake)
        ends: Counter[str] = Counter()
        nursery = Nursery(*command)
        for _ in range(KILLS):
            arrive(len(waiting) // (KILLS // 2) + 1 if len(waiting) > 40 else 1)
            place = rng.choice(FAILPOINTS)
            at_step = rng.random() < 0.5
            program = nursery.start(f"{place}:{rng.choice((1, 1, 1, 2))}" if at_step else "")
            ends[end(nursery, program, lake, rng, at_step)] += 1
        nursery.close()
        arrive(len(waiting))
        process = start(*command)
        finish(process, sqs, queue)
    print(f"\nkills: {dict(ends)}; deletions: {watch.deletions}; faults: {faults.counts}")
    assert sum(ends.values()) == KILLS
    assert ends.keys() <= {"at a step", "at work", "at a random moment"}
    assert ends["at a step"] >= KILLS // 5 and ends["at work"] >= KILLS // 5
    assert all(faults.counts[name] > 20 for name in ("throttled", "broken", "reset"))
    assert faults.defects == watch.early == []
    found = picture(lake)
    assert Counter(uid for uid, _ in found.events.elements()) == Counter(map(event_uid, range(OBJECTS * RECORDS)))
    assert Counter(related for _, _, related in found.signals.elements()).keys() == set(
        map(event_uid, range(OBJECTS * RECORDS))
    )
    assert set(found.signals.values()) == {1}
    assert {key.removeprefix(f"s3://{BUCKET}/") for key, *_ in found.objects} == set(keys)
    assert found.totals["records"] == found.totals["stored"] + found.totals["duplicate"]
    assert not found.quarantine
    assert stray_files(lake) == set()
    assert not list((lake / "spool").rglob("*.open"))


def end(nursery: Nursery, program: int, lake: Path, rng: random.Random, at_step: bool) -> str:
    """Let the collector kill itself at its failpoint, or kill it: in its start-up, or while it makes a batch."""
    started, before = time.monotonic(), batches(lake)
    patience = rng.uniform(0, 1.5) if rng.random() < 0.1 else 8
    where = "at a random moment"
    while time.monotonic() < started + patience:
        if (code := nursery.code(program)) is not None:
            return "at a step" if code == -9 and at_step else f"ended: {code}"
        if not at_step and batches(lake) - before:
            where = "at work"
            time.sleep(rng.uniform(0, 0.4))
            break
        time.sleep(0.01)
    nursery.kill(program)
    return where


def batches(lake: Path) -> set[str]:
    """The batches that were begun so far."""
    try:
        with closing(sqlite3.connect(f"file:{lake}/state.db?mode=ro", uri=True)) as state:
            return {batch_id for (batch_id,) in state.execute("SELECT batch_id FROM batches")}
    except sqlite3.OperationalError:  # it is being made
        return set()


def finish(process: "subprocess.Popen[str]", sqs: object, queue: str) -> None:
    """Let the collector work until the queue is empty, and stop it as an operator would."""
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        left = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]  # type: ignore[attr-defined]
        if not any(map(int, left.values())):
            break
        time.sleep(0.5)
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "stored" in out
    assert not any(map(int, left.values())), left
