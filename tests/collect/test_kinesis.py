"""Records of Kinesis: every one once, over shards that split, killed or not."""

import gzip
import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.aws import REGION
from tests.collect.conftest import Collect
from tests.collect.fake_aws import OWNER, Call, FakeAws, Fault, fake_aws
from tests.e2e.picture import picture
from tests.e2e.program import run
from tests.e2e.records import event_uid, record


@pytest.fixture
def stream(aws: Callable[[str], Any]) -> tuple[str, Any]:
    name, kinesis = f"s-{uuid4().hex[:12]}", aws("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=2)
    while kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE":
        time.sleep(0.1)
    return name, kinesis


def put(stream: tuple[str, Any], first: int, count: int) -> None:
    name, kinesis = stream
    records = [
        {"Data": json.dumps(record(number)).encode(), "PartitionKey": str(number)}
        for number in range(first, first + count)
    ]
    kinesis.put_records(StreamName=name, Records=records)


def config(name: str, more: str = "") -> str:
    how = f"streams: [{name}], regions: [{REGION}], requests_per_second: 100{more}"
    return f"collect:\n  stream: {{type: kinesis, {how}}}\n"


def uids(lake: Path) -> list[str]:
    return sorted(uid for uid, _ in picture(lake).events.elements())


def expected(count: int) -> list[str]:
    return sorted(event_uid(number) for number in range(count))


def test_of_the_emulator(stream: tuple[str, Any], collect: Collect, tmp_path: Path) -> None:
    put(stream, 0, 50)
    assert collect(config(stream[0], ", page_records: 7")).code == 0
    assert uids(tmp_path / "lake") == expected(50)
    name, kinesis = stream
    shard = kinesis.list_shards(StreamName=name)["Shards"][0]
    low, high = (int(shard["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
    kinesis.split_shard(StreamName=name, ShardToSplit=shard["ShardId"], NewStartingHashKey=str((low + high) // 2))
    put(stream, 50, 50)
    done = collect(config(stream[0]))
    assert done.code == 0, done.err
    assert uids(tmp_path / "lake") == expected(100)
    assert "0 records" in collect(config(stream[0])).out


def test_a_subscription_inside(stream: tuple[str, Any], collect: Collect, tmp_path: Path) -> None:
    told = {
        "messageType": "DATA_MESSAGE",
        "owner": OWNER,
        "logGroup": "g",
        "logStream": "s",
        "logEvents": [{"id": "1", "timestamp": 1763366400000, "message": json.dumps(record(7))}],
    }
    name, kinesis = stream
    kinesis.put_record(StreamName=name, Data=gzip.compress(json.dumps(told).encode()), PartitionKey="k")
    assert collect(config(name)).code == 0
    assert uids(tmp_path / "lake") == [event_uid(7)]


@pytest.mark.parametrize("name", ["snapshot.before", "ledger.after", "collect.settle.before"])
def test_killed(stream: tuple[str, Any], tmp_path: Path, name: str) -> None:
    put(stream, 0, 60)
    path, lake = tmp_path / "trailkeep.yaml", tmp_path / "lake"
    path.write_text("commit: {seconds: 0.05}\n" + config(stream[0], ", page_records: 5"))
    command = ("collect", "--once", "--config", path, "--home", lake)
    assert run(*command, failpoint=f"{name}:1").returncode == -signal.SIGKILL
    assert run(*command).returncode == 0
    assert uids(lake) == expected(60)
    assert picture(lake).totals["duplicate"] == 0


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    with fake_aws(monkeypatch) as running:
        yield running


class Resharded:
    """A stream whose first shard has been split; iterators are `shard@index`."""

    def __init__(self, fake: FakeAws) -> None:
        self.records = {"parent": range(0, 4), "left": range(4, 6), "right": range(6, 9)}
        self.read: list[str] = []
        summary = {
            "StreamName": "s",
            "StreamARN": f"arn:aws:kinesis:eu-west-1:{OWNER}:stream/s",
            "StreamStatus": "ACTIVE",
            "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": 0,
            "EnhancedMonitoring": [],
            "OpenShardCount": 2,
        }
        fake.answers |= {
            "DescribeStreamSummary": lambda call: {"StreamDescriptionSummary": summary},
            "ListShards": self.shards,
            "GetShardIterator": self.iterator,
            "GetRecords": self.get,
        }

    def shards(self, call: Call) -> dict[str, Any]:
        if "NextToken" in call.body:
            assert "StreamName" not in call.body
            return {"Shards": [self._shard("parent"), self._shard("right", "parent")]}
        return {"Shards": [self._shard("left", "parent")], "NextToken": "more"}

    def _shard(self, name: str, parent: str | None = None) -> dict[str, Any]:
        range_ = {"HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"}}
        numbers = {"SequenceNumberRange": {"StartingSequenceNumber": "0"}}
        return {"ShardId": name, **range_, **numbers, **({"ParentShardId": parent} if parent else {})}

    def iterator(self, call: Call) -> dict[str, Any]:
        shard, kind = call.body["ShardId"], call.body["ShardIteratorType"]
        assert kind == ("AT_TIMESTAMP" if shard == "parent" else "TRIM_HORIZON")
        return {"ShardIterator": f"{shard}@0"}

    def get(self, call: Call) -> dict[str, Any]:
        shard, _, place = call.body["ShardIterator"].partition("@")
        self.read.append(shard)
        found = list(self.records[shard])[int(place) : int(place) + 2]
        after = int(place) + len(found)
        over = shard == "parent" and after == len(self.records[shard])
        told = [
            {
                "SequenceNumber": str(number),
                "ApproximateArrivalTimestamp": 1763366400.5,
                "Data": _base64(record(number)),
                "PartitionKey": "k",
            }
            for number in found
        ]
        behind = 0 if after >= len(self.records[shard]) else 1000
        more = {} if over else {"NextShardIterator": f"{shard}@{after}"}
        return {"Records": told, "MillisBehindLatest": behind, **more}


def _base64(found: dict[str, Any]) -> str:
    import base64

    return base64.b64encode(json.dumps(found).encode()).decode()


def test_parents_before_children(fake: FakeAws, collect: Collect, tmp_path: Path) -> None:
    stream = Resharded(fake)
    fake.faults["GetRecords"] = [Fault("ProvisionedThroughputExceededException"), Fault("ExpiredIteratorException")]
    done = collect(config("s"))
    assert done.code == 0, done.err
    assert uids(tmp_path / "lake") == expected(9)
    assert stream.read[0] == "parent"
    assert "parent" not in stream.read[stream.read.index("left") :]


def test_a_stream_that_is_not_there(fake: FakeAws, collect: Collect) -> None:
    def none(call: Call) -> dict[str, Any]:
        raise Fault("ResourceNotFoundException", message="Stream s not found")

    fake.answers["DescribeStreamSummary"] = none
    done = collect(config("s"))
    assert done.code == 1
    assert "Stream s not found" in done.err
