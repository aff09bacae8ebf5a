"""Log files in, a shard out: the order of the stages.

fetch -> read -> map (intake.py) -> match rules -> write sorted files. A `Worker` runs in its own process and
commits nothing: ingest.py does that.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.collect.files import LogFile, fetch
from trailkeep.core.columns import natives_in
from trailkeep.core.drop import Drop
from trailkeep.core.memory import expect_large_buffers, give_back
from trailkeep.detect.match import Matcher
from trailkeep.detect.signals import make_signals
from trailkeep.engine.duckdb import connect
from trailkeep.intake import Intake, Reading
from trailkeep.lake.entries import ObjectEntry, QuarantineEntry
from trailkeep.lake.home import Home
from trailkeep.lake.ledger import stored_files
from trailkeep.lake.quarantine import QuarantineWriter
from trailkeep.lake.seal import merkle_root
from trailkeep.lake.shard import Shard, write_events
from trailkeep.normalize.drop import to_drop
from trailkeep.normalize.mapping import Mapper
from trailkeep.normalize.records import BadPiece

FLUSH_BYTES = 64 << 20
# Holes in the heap grow from shard to shard, slowly; without an end, memory would rise by half in a long run.
_SHARDS_UNTIL_TRIM = 8


@dataclass(frozen=True)
class Settings:
    """What every worker needs; crosses to other processes."""

    home: Home
    reading: Reading
    matcher: Matcher
    schema: pa.Schema
    drop: tuple[Drop, ...] = ()


def settings_of(home: Home, reading: Reading, matcher: Matcher, drop: Iterable[Drop] = ()) -> Settings:
    """What workers need to write to this lake."""
    from trailkeep.lake.tables import events_arrow_schema, events_table  # workers need it not, and it takes long

    return Settings(home, reading, matcher, events_arrow_schema(events_table(home)), tuple(drop))


@dataclass
class Outcome:
    """A shard, and the files of which nothing may be stored: (key, reason)."""

    shard: Shard = field(default_factory=Shard)
    unrecognised: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


class Worker:
    """Turns files into shards. One a process: it keeps a database connection."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        expect_large_buffers()
        self.connection = connect(threads=1)
        self.mapper = Mapper(self.connection, settings.reading.cache)
        self._shards = 0

    def run(self, batch_id: str, number: int, files: list[LogFile]) -> Outcome:
        """Read, map and match `files`; the shard's data files are on disk when this returns."""
        maker = ShardMaker(self, batch_id, number)
        intake = Intake(self.settings.reading, self.mapper, maker)
        for group in fetch(files):
            intake.take(group)
        intake.finish()
        outcome = maker.close()
        self._shards += 1
        if self._shards % _SHARDS_UNTIL_TRIM == 0:
            del intake, maker  # what they hold is free first
            give_back()
        return outcome

    def refuse(self, batch_id: str, files: list[LogFile], reason: str) -> Outcome:
        """Put `files` into the quarantine, unread."""
        maker = ShardMaker(self, batch_id, 0)
        intake = Intake(self.settings.reading, self.mapper, maker)
        for group in fetch(files):
            intake.refuse(group, reason)
        return maker.close()

    def detect(self, source: str, events: pa.Table) -> pa.Table | None:
        """The signals that the rules raise on mapped events, as rows of the events table; None if there are none."""
        matcher = self.settings.matcher
        natives = natives_in(events.column_names)
        matches = matcher.match(self.connection, events, source, natives)
        if not len(matches):
            return None
        values = matcher.values(self.connection, events, matches, source)
        return make_signals(events, matches, matcher.rules, values)


class ShardMaker:
    """The sink of an ingest: events wait until there are 64 MB, then meet the rules and are written."""

    def __init__(self, worker: Worker, batch_id: str, number: int) -> None:
        self._worker = worker
        self._home = worker.settings.home
        self._schema = worker.settings.schema
        self._batch_id = batch_id
        self._name = f"{batch_id}-{number:03d}"
        self._now = datetime.now(UTC)
        self._outcome = Outcome()
        self._shard = self._outcome.shard
        self._quarantine = QuarantineWriter(self._home, self._name)
        self._events: dict[str, list[pa.Table]] = {}
        self._bytes = 0
        self._writes = 0
        self._opened: list[tuple[ObjectEntry, pa.Table]] = []
        # Record numbers by object_id that the mapping refused, and those that are dropped by rule.
        self._unmapped: dict[str, set[int]] = {}
        self._dropped: dict[str, set[int]] = {}

    def known(self, digests: list[str]) -> Mapping[str, list[ObjectEntry]]:
        return stored_files(self._home.state, digests)

    def duplicate(self, entry: ObjectEntry) -> None:
        self._shard.entries.append(entry.as_duplicate())

    def unrecognised(self, key: str, reason: str) -> None:
        self._outcome.unrecognised.append((key, reason))

    def failed(self, key: str, reason: str) -> None:
        self._outcome.failed.append((key, reason))

    def opened(self, entry: ObjectEntry, digests: pa.Table) -> None:
        self._opened.append((entry, digests))

    def refused(self, entry: ObjectEntry, piece: BadPiece, raw_format: str | None, mapped: bool) -> None:
        if mapped:
            self._unmapped.setdefault(entry.object_id, set()).add(piece.position)
        file, offset = self._quarantine.add(piece.data)
        self._shard.pieces.append(
            QuarantineEntry(
                object_id=entry.object_id,
                sha256=entry.sha256,
                key=entry.key,
                source=entry.source,
                position=piece.position,
                record_no=piece.record_no,
                raw_format=raw_format,
                reason=piece.reason,
                file=file,
                offset=offset,
                size=len(piece.data),
                whole=entry.kind == "refused",
                envelope=piece.envelope,
            )
        )

    def events(self, source: str, events: pa.Table, size: int) -> None:
        self._events.setdefault(source, []).append(self._kept(source, events))
        self._bytes += size
        if self._bytes >= FLUSH_BYTES:
            self._flush()

    def resolve(self, pieces: list[tuple[str, int]]) -> None:
        """Quarantined pieces whose records are among the events now, with how many each holds."""
        self._shard.resolved += pieces

    def close(self) -> Outcome:
        """The finished shard: all files on disk, the counts of every object added up."""
        self._flush()
        self._quarantine.close()
        bad = Counter(piece.object_id for piece in self._shard.pieces)
        for entry, digests in self._opened:
            count, dropped = bad[entry.object_id], self._dropped.get(entry.object_id, set())
            done = replace(entry, stored=entry.records - count - len(dropped), quarantined=count, dropped=len(dropped))
            self._shard.entries.append(done)
            without = self._unmapped.get(entry.object_id, set()) | dropped
            self._shard.roots[entry.object_id] = _root(digests, without)
        return self._outcome

    def _kept(self, source: str, events: pa.Table) -> pa.Table:
        """The events without those that are dropped by rule, which are counted."""
        hits = to_drop(events, source, self._worker.settings.drop)
        if hits is None or not pc.any(hits).as_py():
            return events
        for row in events.select(["object_id", "record_no"]).filter(hits).to_pylist():
            self._dropped.setdefault(row["object_id"], set()).add(row["record_no"])
        return events.filter(pc.invert(hits))

    def _flush(self) -> None:
        for name, parts in self._events.items():
            events = pa.concat_tables(parts)
            signals = self._worker.detect(name, events)
            self._write(events.drop_columns([c for c in events.column_names if c.startswith("$")]))
            if signals is not None:
                self._write(signals)
                self._shard.signals.append(self._without_records(signals))
        self._events, self._bytes = {}, 0

    def _without_records(self, signals: pa.Table) -> pa.Table:
        """The signals, without the record of those that no correlation is about."""
        about = pc.is_in(signals["rule_uid"], pa.array(list(self._worker.settings.matcher.needed), pa.string()))
        kept = pc.if_else(about, signals["raw_data"], pa.scalar(None, pa.string()))
        return signals.set_column(signals.column_names.index("raw_data"), "raw_data", kept)

    def _write(self, table: pa.Table) -> None:
        if not len(table):
            return
        table = table.append_column("batch_id", _repeated(self._batch_id, len(table)))
        moment = pa.scalar(self._now, self._schema.field("ingest_time").type)
        table = table.append_column("ingest_time", pa.repeat(moment, len(table)))
        name = f"{self._name}-{self._writes:03d}"
        self._writes += 1
        self._shard.files.extend(write_events(self._home.events_data, name, table, self._schema))


def _repeated(text: str, rows: int) -> pa.DictionaryArray:
    """A column of one text, which is then neither copied nor compared row by row."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array([text]))


def _root(digests: pa.Table, without: set[int]) -> bytes:
    if not without:
        return merkle_root(digests["raw_sha256"].to_pylist())
    return merkle_root(row["raw_sha256"] for row in digests.to_pylist() if row["record_no"] not in without)
