"""Kinesis data streams in, their records out, shard by shard; the parents of a shard before the shard itself.

What is delivered has the shape in which a Lambda function gets it: `{"eventSource": "aws:kinesis", "eventSourceARN",
"kinesis": {"data" (base64), "sequenceNumber", ...}}`. A shard's position is the number of its last record.

Sources: Kinesis Data Streams API reference, GetRecords (five a second, 10 MB an answer, iterators end after five
minutes), ListShards; developer guide, "Resharding a stream".
"""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from uuid import uuid4

import msgspec
from pydantic import Field

from trailkeep.collect.feed import Delivery, Fate
from trailkeep.collect.files import LogFile
from trailkeep.collect.pull import Place, PullConfig, Refused, Stopped
from trailkeep.collect.windows import Moment, moment_of
from trailkeep.lake.progress import Position

_ITERATOR_SECONDS = 240
_LIST_SECONDS = 60


class Kinesis(PullConfig):
    """Records of Kinesis data streams."""

    type: Literal["kinesis"]
    streams: list[str] = Field(min_length=1, description="names of streams")
    since: Moment | None = Field(default=None, description="where to begin at the first run; one day back otherwise")
    every_seconds: float = Field(default=2, gt=0, description="how often to ask where everything was fetched")
    requests_per_second: float = Field(default=5, gt=0, le=1000, description="of one account and region; 5 a shard")
    page_records: int = Field(default=10_000, ge=1, le=10_000, description="most records in an answer")

    def service(self) -> str:
        """Kinesis Data Streams."""
        return "kinesis"

    def reader(self, place: Place) -> "ShardReader":
        """Reads all shards of the streams in a place."""
        return ShardReader(self, place)


@dataclass
class _Shard:
    id: str
    parents: list[str]
    sequence: str | None = None
    done: bool = False
    iterator: str | None = None
    asked: float = 0.0

    def value(self) -> dict[str, Any]:
        """As a position."""
        return {"sequence": self.sequence, "done": self.done}


@dataclass
class _Stream:
    name: str
    arn: str
    fresh: bool
    since: float
    shards: dict[str, _Shard] = field(default_factory=dict)
    listed: float = float("-inf")


class ShardReader:
    """Reads the shards of one place, some records of each in turn."""

    def __init__(self, config: Kinesis, place: Place) -> None:
        self._config = config
        self._place = place
        self._context = place.context
        self._streams: dict[str, _Stream] = {}

    def round(self) -> bool:
        """Hand over the next records of every shard; whether there are more already."""
        more, faults = False, []
        for name in self._config.streams:
            try:
                stream = self._stream(name)
                for shard in list(self._readable(stream)):
                    if self._context.stop.is_set():
                        raise Stopped
                    more |= self._read(stream, shard)
            except Refused as error:
                faults.append(f"{name}: {error}")
        if faults:
            raise Refused("; ".join(faults), more)
        return more

    def _stream(self, name: str) -> _Stream:
        if name not in self._streams:
            told = self._place.ask("describe_stream_summary", StreamName=name)["StreamDescriptionSummary"]
            kept = self._context.kept.positions(self._context.name)
            fresh = not any(scope.startswith(self._scope(name, "")) for scope in kept)
            since = self._config.since.timestamp() if self._config.since else self._place.now() - 86_400
            since = max(since, self._place.now() - timedelta(hours=told["RetentionPeriodHours"]).total_seconds())
            self._streams[name] = _Stream(name, told["StreamARN"], fresh, since)
        stream = self._streams[name]
        if time.monotonic() - stream.listed >= _LIST_SECONDS:
            self._list(stream)
        return stream

    def _list(self, stream: _Stream) -> None:
        """Ask for the shards there are; those that have gone are forgotten."""
        found: dict[str, _Shard] = {}
        how: dict[str, Any] = {"StreamName": stream.name}
        while True:
            answer = self._place.ask("list_shards", **how)
            for told in answer["Shards"]:
                parents = [told[name] for name in ("ParentShardId", "AdjacentParentShardId") if told.get(name)]
                shard = stream.shards.get(told["ShardId"]) or self._shard(stream, told["ShardId"], parents)
                found[shard.id] = shard
            if not answer.get("NextToken"):
                break
            how = {"NextToken": answer["NextToken"]}  # nothing else may stand beside it
        stream.shards, stream.listed = found, time.monotonic()

    def _shard(self, stream: _Stream, id_: str, parents: list[str]) -> _Shard:
        kept = self._context.kept.position(self._context.name, self._scope(stream.name, id_)) or {}
        return _Shard(id_, parents, **kept)

    def _readable(self, stream: _Stream) -> Iterator[_Shard]:
        """The shards with records to come, whose parents have been read to their end."""
        for shard in stream.shards.values():
            parents = [stream.shards[each] for each in shard.parents if each in stream.shards]
            if not shard.done and all(parent.done for parent in parents):
                yield shard

    def _read(self, stream: _Stream, shard: _Shard) -> bool:
        """Hand over the next records of a shard; whether there are more already."""
        try:
            iterator = self._iterator(stream, shard)
            answer = self._place.ask("get_records", ShardIterator=iterator, Limit=self._config.page_records)
            before = (shard.sequence, shard.done)
            file = self._write(stream, shard, answer["Records"])
        except BaseException:
            shard.iterator = None
            raise
        shard.iterator, shard.asked = answer.get("NextShardIterator"), time.monotonic()
        shard.done = shard.iterator is None
        if shard.done:
            stream.listed = float("-inf")  # its children may be new
        if file or shard.done:
            if file:
                shard.sequence = answer["Records"][-1]["SequenceNumber"]
            self._hand_over(stream, shard, file, before)
        return bool(file) or shard.done or answer.get("MillisBehindLatest", 0) > 0

    def _iterator(self, stream: _Stream, shard: _Shard) -> str:
        if shard.iterator and time.monotonic() - shard.asked < _ITERATOR_SECONDS:
            return shard.iterator
        if shard.sequence:
            how: dict[str, Any] = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": shard.sequence,
            }
        elif stream.fresh and not any(each in stream.shards for each in shard.parents):
            how = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": moment_of(int(stream.since * 1000))}
        else:
            how = {"ShardIteratorType": "TRIM_HORIZON"}
        answer = self._place.ask("get_shard_iterator", StreamName=stream.name, ShardId=shard.id, **how)
        return str(answer["ShardIterator"])

    def _write(self, stream: _Stream, shard: _Shard, records: list[dict[str, Any]]) -> LogFile | None:
        if not records:
            return None
        path = self._context.spool / uuid4().hex
        while True:
            try:
                with path.open("wb") as file:
                    for record in records:
                        file.write(self._line(stream, shard, record))
                break
            except OSError as error:  # the disk is full
                path.unlink(missing_ok=True)
                if not self._context.wait(f"{path}: {error.strerror}"):
                    raise Stopped from error
        key = f"{self._scope(stream.name, shard.id)}/{records[0]['SequenceNumber']}.jsonl"
        return LogFile(path, key, path.stat().st_size)

    def _line(self, stream: _Stream, shard: _Shard, record: dict[str, Any]) -> bytes:
        number = record["SequenceNumber"]
        wrapped = {
            "eventSource": "aws:kinesis",
            "eventSourceARN": stream.arn,
            "awsRegion": self._place.region,
            "eventID": f"{shard.id}:{number}",
            "kinesis": {
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": number,
                "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
                "data": base64.b64encode(record["Data"]).decode(),
            },
        }
        return msgspec.json.encode(wrapped) + b"\n"

    def _hand_over(self, stream: _Stream, shard: _Shard, file: LogFile | None, before: tuple[str | None, bool]) -> None:
        position = Position(self._context.name, self._scope(stream.name, shard.id), shard.value())

        def settled(fate: Fate) -> None:
            if file:
                file.path.unlink(missing_ok=True)
            if fate == "failed":  # it is fetched again
                shard.sequence, shard.done = before
                shard.iterator = None

        if not self._context.deliver(
            Delivery(self._context.name, file, settled, positions=(position,), since=self._place.now())
        ):
            settled("failed")
            raise Stopped

    def _scope(self, stream: str, shard: str) -> str:
        return f"kinesis://{self._place.owner}/{self._place.region}/{stream}/{shard}"
