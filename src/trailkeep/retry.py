"""The quarantine in, what can be read by now stored: after a mended source, or with a larger limit.

A piece that stands for a whole file goes the way of a file. A piece of a file is read on its own and keeps its
object and record number; it leaves the quarantine only when every record in it becomes an event.
"""

from array import array
from collections import defaultdict
from dataclasses import dataclass, replace
from uuid import uuid4

import pyarrow as pa

from trailkeep.core.errors import InputError
from trailkeep.core.fetched import Fetched
from trailkeep.ingest import recover, store
from trailkeep.intake import Intake, Reading, raw_table
from trailkeep.lake.commit import intend
from trailkeep.lake.entries import QuarantineEntry
from trailkeep.lake.quarantine import open_pieces, read_piece
from trailkeep.normalize.read import key_time, read_objects
from trailkeep.normalize.records import Chunk, ObjectRecords, int32s
from trailkeep.pipeline import Settings, ShardMaker, Worker

Keys = set[tuple[str, int]]


@dataclass(frozen=True)
class Retried:
    """What a retry did: records stored, and pieces that stay in the quarantine."""

    stored: int
    left: int


def retry(settings: Settings) -> Retried:
    """Try every open piece once more."""
    home = settings.home
    with home.only_one("retry"), home.writer() as writer:
        recover(home, settings.matcher)
        pieces = open_pieces(home.state)
        if not pieces:
            return Retried(0, 0)
        batch_id = uuid4().hex
        intend(home, batch_id, writer, sorted({piece.key for piece in pieces}))
        worker = Worker(settings)
        maker = ShardMaker(worker, batch_id, 0)
        intake = Intake(settings.reading, worker.mapper, maker)
        intake.take(Fetched(piece.key, read_piece(home, piece)) for piece in pieces if piece.whole)
        intake.finish()
        _records(settings.reading, [p for p in pieces if not p.whole], worker, maker)
        outcome = maker.close()
        stored = sum(count for _, count in outcome.shard.resolved) + sum(e.stored for e in outcome.shard.entries)
        store(settings, batch_id, [outcome])
        return Retried(stored, len(open_pieces(home.state)))


def _records(reading: Reading, pieces: list[QuarantineEntry], worker: Worker, maker: ShardMaker) -> None:
    """Map the pieces of each source together; hand on the events of those that are whole."""
    tables: dict[str, list[pa.Table]] = defaultdict(list)
    keys: dict[str, Keys] = {}
    for piece in pieces:
        records = _read(reading, piece, read_piece(worker.settings.home, piece))
        if records is not None and records.source is not None:
            table = raw_table(records, piece.object_id, key_time(piece.key))
            keys[piece.id] = _keys(table)
            tables[records.source].append(table)
    refused: Keys = set()
    mapped = {}
    for name, parts in tables.items():
        mapped[name] = worker.mapper.map(reading.sources[name], pa.concat_tables(parts))
        refused |= _keys(mapped[name].rejected)
    whole = {piece: members for piece, members in keys.items() if not members & refused}
    maker.resolve([(piece, len(members)) for piece, members in whole.items()])
    accepted = set().union(*whole.values())
    for name, result in mapped.items():
        rows = [key in accepted for key in _pairs(result.events)]
        maker.events(name, result.events.filter(pa.array(rows, pa.bool_())), 0)


def _read(reading: Reading, piece: QuarantineEntry, data: bytes) -> ObjectRecords | None:
    """The records of a piece under its own numbers, or None if it still holds anything bad."""
    found = _object(reading, piece, data)
    if found is None or found.kind != "events" or found.bad or not found.count:
        return None
    # A piece without a number takes numbers from its place in the file, below those that records have.
    first = piece.record_no if piece.record_no is not None and found.count == 1 else -(piece.position + found.count)
    chunks, start = [], first
    for chunk in found.chunks:
        numbers = int32s(array("i", range(start, start + len(chunk.raw))))
        envelopes = chunk.envelopes
        if envelopes is None:
            envelopes = pa.array([piece.envelope] * len(chunk.raw), pa.string())
        chunks.append(Chunk(chunk.raw, numbers, piece.raw_format or chunk.raw_format, envelopes))
        start += len(chunk.raw)
    return replace(found, chunks=chunks)


def _object(reading: Reading, piece: QuarantineEntry, data: bytes) -> ObjectRecords | None:
    """The one object that a piece is, of its source or, where it came wrapped beside others, of any."""
    for source in (piece.source, None) if piece.envelope else (piece.source,):
        try:
            found = read_objects(data, piece.key, reading.sources, source=source, limit=reading.limit)
        except InputError:
            continue
        if len(found) == 1:
            return found[0]
    return None


def _pairs(table: pa.Table) -> list[tuple[str, int]]:
    return list(zip(table["object_id"].to_pylist(), table["record_no"].to_pylist(), strict=True))


def _keys(table: pa.Table) -> Keys:
    return set(_pairs(table))
