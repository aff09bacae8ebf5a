"""Log files in, a shard out: the order of the stages, and nothing else.

fetch -> read -> map -> match rules -> write sorted files; what cannot be read or mapped is quarantined.
A `Worker` runs in its own process and commits nothing: ingest.py does that.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256

import pyarrow as pa

from trailkeep.collect.files import Fetched, LogFile, fetch
from trailkeep.core.errors import InputError
from trailkeep.core.source import Source
from trailkeep.detect.match import Matcher
from trailkeep.detect.signals import make_signals
from trailkeep.engine.duckdb import connect
from trailkeep.lake.home import Home
from trailkeep.lake.ledger import ObjectEntry, QuarantineEntry, stored_files
from trailkeep.lake.quarantine import QuarantineWriter
from trailkeep.lake.seal import merkle_root
from trailkeep.lake.shard import Shard, write_events
from trailkeep.normalize.mapping import Mapper
from trailkeep.normalize.read import key_time, read_object
from trailkeep.normalize.records import ObjectRecords, sha256s, to_table

MAP_BYTES = 16 << 20
FLUSH_BYTES = 64 << 20
DEFAULT_LIMIT = 1 << 30


@dataclass(frozen=True)
class Settings:
    """What every worker needs; crosses to other processes. `limit`: bytes of one decompressed object."""

    home: Home
    sources: dict[str, Source]
    matcher: Matcher
    schema: pa.Schema
    source: str | None = None
    limit: int = DEFAULT_LIMIT


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
        self.connection = connect(threads=1)
        self.mapper = Mapper(self.connection)

    def run(self, batch_id: str, number: int, files: list[LogFile]) -> Outcome:
        """Read, map and match `files`; the shard's data files are on disk when this returns."""
        run = _Run(self, batch_id, number)
        for group in fetch(files):
            run.take(group)
        return run.close()

    def detect(self, source: str, events: pa.Table) -> pa.Table:
        """The signals that the rules raise on mapped events, as rows of the events table."""
        matcher = self.settings.matcher
        self.connection.register("batch", events)
        natives = {name.removeprefix("$") for name in events.column_names if name.startswith("$")}
        matches = matcher.match(self.connection, "batch", source, natives)
        signals = make_signals(self.connection, "batch", matches, matcher.rules)
        self.connection.unregister("batch")
        return signals


class _Run:
    """One shard while it is made: raw records wait for the mapper, events for the rules and the writer."""

    def __init__(self, worker: Worker, batch_id: str, number: int) -> None:
        self._worker = worker
        self._settings = worker.settings
        self._batch_id = batch_id
        self._name = f"{batch_id}-{number:03d}"
        self._now = datetime.now(UTC)
        self._outcome = Outcome()
        self._quarantine = QuarantineWriter(self._settings.home, self._name)
        self._raw: dict[str, list[pa.Table]] = {}
        self._raw_bytes = 0
        self._events: dict[str, list[pa.Table]] = {}
        self._event_bytes = 0
        self._writes = 0
        self._entries: dict[str, ObjectEntry] = {}  # by object_id, in the order of reading
        self._digests: dict[str, pa.Table] = {}  # record_no and raw_sha256 of an object's records
        self._refused: dict[str, set[int]] = {}  # record numbers of an object that the mapping refused

    def take(self, group: list[Fetched]) -> None:
        """Fetched objects: stored before, not recognised, or read and put before the mapper."""
        digests = [sha256(file.data).hexdigest() for file in group]
        known = stored_files(self._settings.home.state, digests)
        for file, digest in zip(group, digests, strict=True):
            if file.error:
                self._outcome.failed.append((file.key, file.error))
            elif digest in known:
                self._outcome.shard.entries.append(replace(known[digest], key=file.key).as_duplicate())
            else:
                self._read(file, digest)

    def _read(self, file: Fetched, stored_sha256: str) -> None:
        settings = self._settings
        try:
            records = read_object(
                file.data, file.key, settings.sources, source=settings.source, limit=settings.limit
            )
        except InputError as error:
            self._outcome.failed.append((file.key, str(error)))
            return
        if records.kind == "unknown":
            self._outcome.unrecognised.append((file.key, records.reason))
            return
        entry = ObjectEntry(
            key=file.key,
            sha256=records.sha256,
            object_id=records.sha256[:32],
            stored_sha256=stored_sha256,
            stored_size=len(file.data),
            size=records.size,
            kind=records.kind,
            source=records.source,
            content=file.data if records.kind == "digest" else None,
            records=records.count + len(records.bad),
            reason=records.reason or None,
        )
        if entry.object_id in self._entries:
            self._outcome.shard.entries.append(entry.as_duplicate())
            return
        self._entries[entry.object_id] = entry
        for bad in records.bad:
            self._set_aside(entry, bad.position, bad.record_no, None, bad.reason, bad.data)
        if records.count:
            self._await_mapping(entry, records)

    def _await_mapping(self, entry: ObjectEntry, records: ObjectRecords) -> None:
        table = to_table(records, entry.object_id, key_time(entry.key))
        table = table.append_column("raw_sha256", _digest_column(sha256s(records)))
        self._digests[entry.object_id] = table.select(["record_no", "raw_sha256"])
        assert entry.source is not None
        for batch in table.to_batches():
            self._raw.setdefault(entry.source, []).append(pa.Table.from_batches([batch]))
            self._raw_bytes += batch["raw_data"].nbytes
            if self._raw_bytes >= MAP_BYTES:
                self._map()
            if self._event_bytes >= FLUSH_BYTES:
                self._flush()

    def _map(self) -> None:
        """Raw records to events; a record that the mapping refuses goes to the quarantine."""
        for name, tables in self._raw.items():
            mapped = self._worker.mapper.map(self._settings.sources[name], pa.concat_tables(tables))
            for row in mapped.rejected.to_pylist():
                entry, number = self._entries[row["object_id"]], row["record_no"]
                self._refused.setdefault(entry.object_id, set()).add(number)
                self._set_aside(
                    entry, number, number, row["raw_format"], row["reason"], row["raw_data"].encode()
                )
            self._events.setdefault(name, []).append(mapped.events)
        self._event_bytes += self._raw_bytes
        self._raw, self._raw_bytes = {}, 0

    def _flush(self) -> None:
        """Events to rules, signals and sorted files."""
        for name, parts in self._events.items():
            events = pa.concat_tables(parts)
            signals = self._worker.detect(name, events)
            stored = events.drop_columns([c for c in events.column_names if c.startswith("$")])
            for table in (stored, signals):
                if len(table):
                    self._write(table)
            if len(signals):
                self._outcome.shard.signals.append(signals.drop_columns(["raw_data"]))
        self._events, self._event_bytes = {}, 0

    def _write(self, table: pa.Table) -> None:
        rows = len(table)
        constants = {"batch_id": self._batch_id, "ingest_time": self._now}
        for column, value in constants.items():
            field_type = self._settings.schema.field(column).type
            table = table.append_column(column, pa.repeat(pa.scalar(value, field_type), rows))
        folder, name = self._settings.home.events_data, f"{self._name}-{self._writes:03d}"
        self._writes += 1
        self._outcome.shard.files.extend(write_events(folder, name, table, self._settings.schema))

    def close(self) -> Outcome:
        """The finished shard: all files on disk, the counts of every object added up."""
        self._map()
        self._flush()
        self._quarantine.close()
        shard = self._outcome.shard
        pieces = Counter(piece.object_id for piece in shard.pieces)
        for object_id, entry in self._entries.items():
            bad = pieces[object_id]
            shard.entries.append(replace(entry, stored=entry.records - bad, quarantined=bad))
            if object_id in self._digests:
                shard.roots[object_id] = self._root(object_id)
        return self._outcome

    def _root(self, object_id: str) -> bytes:
        digests, refused = self._digests[object_id], self._refused.get(object_id)
        if not refused:
            return merkle_root(digests["raw_sha256"].to_pylist())
        return merkle_root(
            row["raw_sha256"] for row in digests.to_pylist() if row["record_no"] not in refused
        )

    def _set_aside(
        self,
        entry: ObjectEntry,
        position: int,
        record_no: int | None,
        raw_format: str | None,
        reason: str,
        data: bytes,
    ) -> None:
        file, offset = self._quarantine.add(data)
        self._outcome.shard.pieces.append(
            QuarantineEntry(
                object_id=entry.object_id,
                sha256=entry.sha256,
                key=entry.key,
                source=entry.source,
                position=position,
                record_no=record_no,
                raw_format=raw_format,
                reason=reason,
                file=file,
                offset=offset,
                size=len(data),
            )
        )


def _digest_column(digests: bytes) -> pa.Array:
    rows = len(digests) // 32
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), rows, [None, pa.py_buffer(digests)])
    return fixed.cast(pa.binary())
