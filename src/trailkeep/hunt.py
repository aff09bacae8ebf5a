"""Log files and rules in, matches out; nothing is stored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa

from trailkeep.collect.files import LogFile, fetch, split
from trailkeep.detect.match import Matcher
from trailkeep.engine.duckdb import connect
from trailkeep.intake import Intake, Reading
from trailkeep.lake.entries import ObjectEntry
from trailkeep.normalize.mapping import Mapper
from trailkeep.normalize.records import BadPiece
from trailkeep.workers import Job, open_pool

SHARD_BYTES = 64 << 20

MATCHES = pa.schema(
    [
        ("rule_id", pa.string()),
        ("title", pa.string()),
        ("level", pa.string()),
        ("event_uid", pa.string()),
        ("event_name", pa.string()),
        ("time", pa.timestamp("us", "UTC")),
        ("source", pa.string()),
        ("file", pa.string()),
        ("record", pa.int32()),
    ]
)

# The columns that a match is printed from.
_PRINTED = frozenset({"event_uid", "event_name", "time"})


@dataclass
class Found:
    """Matches in some files, and what of the files could not be read: (key, reason)."""

    matches: list[dict[str, Any]] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    events: int = 0


def hunt(reading: Reading, matcher: Matcher, files: list[LogFile], workers: int) -> Iterator[Found]:
    """Run the rules over `files`, one `Found` for each portion of about 64 MB."""
    with open_pool(partial(Hunter, reading, matcher), workers) as submit:
        waiting: list[Job] = []
        for group in split(files, SHARD_BYTES):
            waiting.append(submit(group))
            done = [job for job in waiting if job.done]
            waiting = [job for job in waiting if job not in done]
            yield from (job.result() for job in done)
            if len(waiting) > 2 * workers or workers == 1:
                yield waiting.pop().result()
        while waiting:
            yield waiting.pop().result()


class Hunter:
    """Reads, maps and matches files. One a process."""

    def __init__(self, reading: Reading, matcher: Matcher) -> None:
        self._reading = reading
        self._matcher = matcher
        self._connection = connect(threads=1)
        self._mapper = Mapper(self._connection, reading.cache, self._columns)

    def run(self, files: list[LogFile]) -> Found:
        """The matches in `files`."""
        sink = _Sink(self)
        intake = Intake(self._reading, self._mapper, sink, digests=False)
        for group in fetch(files):
            intake.take(group)
        intake.finish()
        return sink.found

    def _columns(self, source: str) -> frozenset[str]:
        return self._matcher.columns(source) | _PRINTED

    def match(self, source: str, events: pa.Table) -> list[dict[str, Any]]:
        """Each match on mapped events, as `hunt` prints it; `object_id` instead of the file."""
        natives = {name.removeprefix("$") for name in events.column_names if name.startswith("$")}
        matches = self._matcher.match(self._connection, events, source, natives)
        if not len(matches):
            return []
        facts = events.select(["object_id", "record_no", "event_uid", "event_name", "time"]).take(matches["row"])
        return [
            {
                "rule_id": rule.id,
                "title": rule.title,
                "level": rule.level,
                "event_uid": fact["event_uid"],
                "event_name": fact["event_name"],
                "time": fact["time"],
                "source": source,
                "file": fact["object_id"],
                "record": fact["record_no"],
            }
            for fact, number in zip(facts.to_pylist(), matches["rule"].to_pylist(), strict=True)
            for rule in [self._matcher.rules[number]]
        ]


class _Sink:
    """The sink of a hunt: matches each portion of events, keeps nothing else."""

    def __init__(self, hunter: Hunter) -> None:
        self._hunter = hunter
        self._keys: dict[str, str] = {}
        self.found = Found()

    def known(self, digests: list[str]) -> Mapping[str, list[ObjectEntry]]:
        return {}

    def duplicate(self, entry: ObjectEntry) -> None:
        pass  # the same content under another name: its matches are told once

    def unrecognised(self, key: str, reason: str) -> None:
        self.found.unread.append((key, reason))

    def failed(self, key: str, reason: str) -> None:
        self.found.unread.append((key, reason))

    def opened(self, entry: ObjectEntry, digests: pa.Table) -> None:
        self._keys[entry.object_id] = entry.key

    def refused(self, entry: ObjectEntry, piece: BadPiece, raw_format: str | None, mapped: bool) -> None:
        self.found.unread.append((entry.key, f"at {piece.position}: {piece.reason}"))

    def events(self, source: str, events: pa.Table, size: int) -> None:
        self.found.events += len(events)
        for match in self._hunter.match(source, events):
            self.found.matches.append(match | {"file": self._keys[match["file"]]})
