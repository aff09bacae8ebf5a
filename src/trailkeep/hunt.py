"""Log files and rules in, matches out; nothing is stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import msgspec
import pyarrow as pa

from trailkeep.collect.files import LogFile, fetch, split
from trailkeep.core.columns import natives_in
from trailkeep.detect.correlate import Given, correlate_once
from trailkeep.detect.match import Matcher
from trailkeep.detect.rule import Correlation
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
    given: list[tuple[str, Given]] = field(default_factory=list)
    """matches that correlations are about, each with its source; the object in it is the file"""


def hunt(reading: Reading, matcher: Matcher, files: list[LogFile], workers: int) -> Iterator[Found]:
    """Run the rules over `files`, one `Found` for each portion of about 64 MB, and one of correlations at the end."""
    given: list[tuple[str, Given]] = []
    for found in _portions(reading, matcher, files, workers):
        given += found.given
        yield found
    if given:
        yield Found(matches=list(_correlated(given, matcher.correlations)))


def _correlated(given: list[tuple[str, Given]], correlations: Sequence[Correlation]) -> Iterator[dict[str, Any]]:
    """A match for each happening: the signal with which its condition held."""
    sources = {signal.event: source for source, signal in given}
    for hit in correlate_once((signal for _, signal in given), correlations).begun:
        name, *_, file, record = hit.facts
        yield {
            "rule_id": hit.correlation.id,
            "title": hit.correlation.title,
            "level": hit.correlation.level,
            "event_uid": hit.event,
            "event_name": name,
            "time": hit.time,
            "source": sources.get(hit.event),
            "file": file,
            "record": record,
        }


def _portions(reading: Reading, matcher: Matcher, files: list[LogFile], workers: int) -> Iterator[Found]:
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

    def match(self, source: str, events: pa.Table) -> tuple[list[dict[str, Any]], list[Given]]:
        """Each match on mapped events, as `hunt` prints it, and as correlations see it; object ids as files."""
        natives = natives_in(events.column_names)
        matches = self._matcher.match(self._connection, events, source, natives)
        if not len(matches):
            return [], []
        facts = events.select(["object_id", "record_no", "event_uid", "event_name", "time"]).take(matches["row"])
        printed = [
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
        values = self._matcher.values(self._connection, events, matches, source).to_pylist()
        times = facts["time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
        given = [
            Given(
                match["rule_id"],
                time,
                match["event_uid"],
                msgspec.json.decode(value),
                (match["event_name"], None, None, None, match["file"], match["record"]),
            )
            for match, time, value in zip(printed, times, values, strict=True)
            if value is not None
        ]
        return printed, given


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
        matches, given = self._hunter.match(source, events)
        self.found.matches += [match | {"file": self._keys[match["file"]]} for match in matches]
        for signal in given:
            file, record = self._keys[signal.facts[-2]], signal.facts[-1]
            self.found.given.append((source, replace(signal, facts=(*signal.facts[:-2], file, record))))
