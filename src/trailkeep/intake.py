"""Fetched objects in, mapped events out, source by source; everything else is told to the sink with its reason.

The first half of every way that logs take: ingest stores what comes out, hunt only runs rules on it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.collect.files import grouped
from trailkeep.core.errors import InputError
from trailkeep.core.fetched import Fetched
from trailkeep.core.source import Source
from trailkeep.lake.entries import ObjectEntry
from trailkeep.normalize.archive import Archive, unpack
from trailkeep.normalize.mapping import Mapper
from trailkeep.normalize.read import key_time, read_objects
from trailkeep.normalize.records import BadPiece, ObjectRecords, sha256s, to_table

MAP_BYTES = 64 << 20
DEFAULT_LIMIT = 1 << 30


class Sink(Protocol):
    """Where the outcome of reading goes."""

    def known(self, digests: list[str]) -> Mapping[str, list[ObjectEntry]]:
        """Entries of files stored before, by the sha256 of their bytes."""
        ...

    def duplicate(self, entry: ObjectEntry) -> None:
        """An object whose content was stored before, or is in this run already."""
        ...

    def unrecognised(self, key: str, reason: str) -> None:
        """A file that is no log of a known source; nothing of it is kept."""
        ...

    def failed(self, key: str, reason: str) -> None:
        """A file that could not be fetched."""
        ...

    def opened(self, entry: ObjectEntry, digests: pa.Table) -> None:
        """An object was read: its entry so far, and record_no of its good records, with raw_sha256 if asked for."""
        ...

    def refused(self, entry: ObjectEntry, piece: BadPiece, raw_format: str | None, mapped: bool) -> None:
        """A piece of an opened object cannot be stored; `mapped`: it was a good record that has no event."""
        ...

    def events(self, source: str, events: pa.Table, size: int) -> None:
        """Mapped events of `size` raw bytes, with raw_sha256, in the order of reading."""
        ...


@dataclass(frozen=True)
class Reading:
    """How to read: the sources there are, one to insist on, the most bytes an object may unpack to.

    `cache` is a folder for what is costly to make and can be made again. `keep_unknown`: what is not recognised goes to
    the quarantine, because nobody else has it.
    """

    sources: Mapping[str, Source]
    source: str | None = None
    limit: int = DEFAULT_LIMIT
    cache: Path | None = None
    keep_unknown: bool = False


class Intake:
    """Reads objects and maps their records in portions of about 64 MB; call `finish` for the last one."""

    def __init__(self, reading: Reading, mapper: Mapper, sink: Sink, digests: bool = True) -> None:
        """`digests`: whether records get their raw_sha256, which who stores nothing does not need."""
        self._reading = reading
        self._mapper = mapper
        self._sink = sink
        self._digests = digests
        self._entries: dict[str, ObjectEntry] = {}
        self._waiting: dict[str, list[pa.Table]] = {}
        self._waiting_bytes = 0

    def take(self, group: Iterable[Fetched]) -> None:
        """Read a group of fetched objects, of archives the members."""
        for files in grouped(member for file in group for member in unpack(file, self._reading.limit)):
            self._take(files)

    def _take(self, files: list[Fetched]) -> None:
        digests = [sha256(file.data).hexdigest() for file in files]
        known = self._sink.known(digests)
        for file, digest in zip(files, digests, strict=True):
            if file.error:
                self._sink.failed(file.key, file.error)
            elif digest in known:
                for entry in known[digest]:
                    again = replace(entry, key=file.key + part_of(entry), version=file.version)
                    self._sink.duplicate(replace(again, user_metadata=dict(file.user_metadata)))
            else:
                self._read(file, digest)

    def refuse(self, group: Iterable[Fetched], reason: str) -> None:
        """Do not read a group of fetched objects: their bytes are bad pieces, for `reason`."""
        for file in group:
            digest = sha256(file.data).hexdigest()
            if file.error:
                self._sink.failed(file.key, file.error)
            elif digest not in self._sink.known([digest]):
                self._open(file, _refused(file, self._reading.source, digest, reason), digest)

    def put(self, entry: ObjectEntry, records: ObjectRecords) -> None:
        """Records of an object that was read: bad pieces to the sink, good records to the mapper."""
        make, told = (raw_table, ["record_no", "raw_sha256"]) if self._digests else (to_table, ["record_no"])
        table = make(records, entry.object_id, key_time(entry.key))
        self._entries[entry.object_id] = entry
        self._sink.opened(entry, table.select(told))
        for piece in records.bad:
            self._sink.refused(entry, piece, None, mapped=False)
        for batch in table.to_batches():
            assert entry.source is not None
            self._waiting.setdefault(entry.source, []).append(pa.Table.from_batches([batch]))
            self._waiting_bytes += batch["raw_data"].nbytes
            if self._waiting_bytes >= MAP_BYTES:
                self.finish()

    def finish(self) -> None:
        """Map what waits."""
        for name, tables in self._waiting.items():
            raw = pa.concat_tables(tables)
            mapped = self._mapper.map(self._reading.sources[name], raw)
            for row in mapped.rejected.to_pylist():
                number = row["record_no"]
                piece = BadPiece(number, number, row["reason"], row["raw_data"].encode(), row["envelope"])
                self._sink.refused(self._entries[row["object_id"]], piece, row["raw_format"], mapped=True)
            self._sink.events(name, mapped.events, raw["raw_data"].nbytes)
        self._waiting, self._waiting_bytes = {}, 0

    def _read(self, file: Fetched, stored_sha256: str) -> None:
        how = self._reading
        try:
            if isinstance(file, Archive):
                objects = [_of_archive(file, stored_sha256)]
            else:
                objects = read_objects(file.data, file.key, how.sources, source=how.source, limit=how.limit)
        except InputError as error:
            objects = [_refused(file, how.source, stored_sha256, str(error))]
        for records in objects:
            self._open(file, records, stored_sha256)

    def _open(self, file: Fetched, records: ObjectRecords, stored_sha256: str) -> None:
        if records.kind == "unknown" and self._reading.keep_unknown:
            records = _refused(file, None, stored_sha256, records.reason)
        if records.kind == "unknown":
            self._sink.unrecognised(file.key, records.reason)
            return
        entry = ObjectEntry(
            key=file.key + records.part,
            sha256=records.sha256,
            object_id=records.sha256[:32],
            stored_sha256=stored_sha256,
            stored_size=len(file.data),
            size=records.size,
            kind=records.kind,
            source=records.source,
            version=file.version,
            user_metadata=dict(file.user_metadata),
            content=file.data if records.kind == "digest" else None,
            records=records.count + len(records.bad),
            reason=records.reason or None,
        )
        if entry.object_id in self._entries:
            self._sink.duplicate(entry)
        else:
            self.put(entry, records)


def part_of(entry: ObjectEntry) -> str:
    """What follows the file's key in that of an object, where the file holds objects of several sources."""
    part = f"#{entry.source}"
    return part if entry.key.endswith(part) else ""


def _refused(file: Fetched, source: str | None, stored_sha256: str, reason: str) -> ObjectRecords:
    """An object of whose content nothing can be said: its bytes as fetched stand for it."""
    whole = BadPiece(0, None, reason, file.data)
    return ObjectRecords(source, "refused", "", stored_sha256, len(file.data), 0, bad=[whole])


def _of_archive(archive: Archive, stored_sha256: str) -> ObjectRecords:
    """An archive as an object that holds no records but those that are no members."""
    if archive.refused:
        raise InputError(f"{archive.key}: {archive.refused}")
    size = len(archive.data)
    return ObjectRecords(None, "archive", "", stored_sha256, size, size, bad=archive.bad)


def raw_table(records: ObjectRecords, object_id: str, moment: datetime | None) -> pa.Table:
    """What the mapper takes, with raw_sha256 and raw_escaped beside it; `moment` is the time in the object's key."""
    table = to_table(records, object_id, moment)
    digests = sha256s(records)
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(table), [None, pa.py_buffer(digests)])
    escaped: pa.Array | pa.ChunkedArray = pa.nulls(len(table), pa.bool_())
    if records.escaped:
        escaped = pc.is_in(table["record_no"], pa.array(records.escaped, pa.int32()))
    return table.append_column("raw_sha256", fixed.cast(pa.binary())).append_column("raw_escaped", escaped)
