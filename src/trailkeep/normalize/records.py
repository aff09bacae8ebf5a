"""Slices of an object in, Arrow arrays of its raw records out; what is no record is kept as bad pieces.

An object's records are held as chunks of at most about 16 MB, so that a large object is mapped piece by
piece.
"""

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate, pairwise
from typing import Literal

import msgspec
import pyarrow as pa

CHUNK_BYTES = 16 * 1024 * 1024

Slice = msgspec.Raw | memoryview | bytes
view_of: Callable[[Slice], memoryview] = memoryview  # typed so that map() takes it

Kind = Literal["events", "digest", "empty", "unknown", "refused", "archive"]


@dataclass(frozen=True)
class BadPiece:
    """Bytes of an object that are no good record. `position` counts decompressed bytes unless `reason` says
    stored.
    """

    position: int
    record_no: int | None
    reason: str
    data: bytes
    envelope: str | None = None


@dataclass(frozen=True)
class Chunk:
    """Good records in a row: their text, their numbers in the object, the fields that a header line named, and the
    envelope of each where they were wrapped.
    """

    raw: pa.StringArray
    numbers: pa.Int32Array
    raw_format: str | None = None
    envelopes: pa.StringArray | None = None


@dataclass(frozen=True)
class ObjectRecords:
    """One object, read. `reason` says why there are no records, or what was seen where kind is "unknown".

    kind: "events" of `source`; "digest", an integrity file of `source`; "archive", whose members are objects;
    "empty", holds no records; "unknown", not recognised, nothing read. `sha256` (hex) is over the decompressed bytes,
    and over the stored bytes of a damaged part after them, so that no damaged object passes for another. `escaped`:
    numbers of the good text records whose invalid UTF-8 bytes are written as \\xNN.
    """

    source: str | None
    kind: Kind
    reason: str
    sha256: str
    stored_size: int
    size: int
    chunks: list[Chunk] = field(default_factory=list)
    bad: list[BadPiece] = field(default_factory=list)
    escaped: list[int] = field(default_factory=list)
    part: str = ""  # what follows the file's key where the file holds several objects

    @property
    def count(self) -> int:
        """Good records."""
        return sum(len(chunk.raw) for chunk in self.chunks)


def chunks_of(
    raws: Sequence[Slice],
    numbers: Sequence[int] | None = None,
    raw_format: str | None = None,
    envelopes: Sequence[str | None] | None = None,
) -> Iterator[Chunk]:
    """Chunks of records already known to be UTF-8; `numbers` is 0, 1, 2... unless given."""
    offsets = list(accumulate(map(len, map(view_of, raws)), initial=0))
    start = 0
    for end in _ends(offsets):
        base = offsets[start]
        local = array("i", offsets[start : end + 1] if not base else [o - base for o in offsets[start : end + 1]])
        buffers = [None, pa.py_buffer(local), pa.py_buffer(b"".join(raws[start:end]))]
        numbered = array("i", range(start, end) if numbers is None else numbers[start:end])
        texts = pa.StringArray.from_buffers(end - start, buffers[1], buffers[2])
        wraps = None if envelopes is None else pa.array(envelopes[start:end], pa.string())
        yield Chunk(texts, int32s(numbered), raw_format, wraps)
        start = end


def _ends(offsets: list[int]) -> Iterator[int]:
    """Record indexes at which chunks end: a chunk closes before the record that would make it too large."""
    start, last = 0, len(offsets) - 1
    if offsets[last] > CHUNK_BYTES:
        for i, offset in enumerate(offsets):
            if offset - offsets[start] > CHUNK_BYTES and i - 1 > start:
                yield i - 1
                start = i - 1
    if last > start:
        yield last


def int32s(values: "array[int]") -> pa.Int32Array:
    """An Arrow array over the machine integers of `values`, not copied."""
    return pa.Int32Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(values)])


def to_table(records: ObjectRecords, object_id: str, key_time: datetime | None) -> pa.Table:
    """Columns raw_data, raw_format, object_id, record_no, key_time, envelope; one Arrow chunk for each of
    `records.chunks`.

    Values that repeat are dictionaries, which the engine reads as plain text and evaluates once.
    """
    schema = pa.schema(
        [
            ("raw_data", pa.string()),
            ("raw_format", pa.dictionary(pa.int32(), pa.string())),
            ("object_id", pa.dictionary(pa.int32(), pa.string())),
            ("record_no", pa.int32()),
            ("key_time", pa.timestamp("us", tz="UTC")),
            ("envelope", pa.dictionary(pa.int32(), pa.string())),
        ]
    )
    batches = []
    for chunk in records.chunks:
        rows = len(chunk.raw)
        columns = [
            chunk.raw,
            _repeated(chunk.raw_format, rows),
            _repeated(object_id, rows),
            chunk.numbers,
            pa.repeat(pa.scalar(key_time, schema.field("key_time").type), rows),
            _repeated(None, rows) if chunk.envelopes is None else chunk.envelopes.dictionary_encode(),
        ]
        batches.append(pa.record_batch(columns, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


def _repeated(value: str | None, rows: int) -> pa.DictionaryArray:
    if value is None:
        return pa.nulls(rows, pa.dictionary(pa.int32(), pa.string()))
    zeros = pa.Int32Array.from_buffers(pa.int32(), rows, [None, pa.py_buffer(bytes(4 * rows))])
    return pa.DictionaryArray.from_arrays(zeros, pa.array([value], pa.string()))


def sha256s(records: ObjectRecords) -> bytes:
    """raw_sha256 of every good record, 32 bytes each, one after the other in order."""
    return b"".join([hashlib.sha256(view).digest() for chunk in records.chunks for view in views(chunk.raw)])


def views(raw: pa.StringArray | pa.BinaryArray) -> Iterable[memoryview]:
    """The bytes of each value, not copied."""
    _, offsets, data = raw.buffers()
    ends = memoryview(offsets).cast("i")[raw.offset : raw.offset + len(raw) + 1] if len(raw) else ()
    text = memoryview(data or b"")
    return (text[start:end] for start, end in pairwise(ends))
