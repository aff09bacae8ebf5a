"""Records as Arrow: chunks of bounded size, the table for the mapper, digests of the exact bytes."""

import hashlib
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest

from trailkeep.normalize import records
from trailkeep.normalize.records import Chunk, ObjectRecords, chunks_of, sha256s, to_table, views

TEXTS = [f"record {n} é".encode() for n in range(50)]


def an_object(chunks: list[Chunk]) -> ObjectRecords:
    return ObjectRecords("s", "events", "", "0" * 64, 1, 1, chunks)


def test_chunks_are_bounded_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    raws = [memoryview(text) for text in TEXTS]
    for size in (1, 11, 40, 100, 10_000):
        monkeypatch.setattr(records, "CHUNK_BYTES", size)
        chunks = list(chunks_of(raws, list(range(100, 150))))
        assert [text for chunk in chunks for text in chunk.raw.to_pylist()] == [text.decode() for text in TEXTS]
        assert [n for chunk in chunks for n in chunk.numbers.to_pylist()] == list(range(100, 150))
        assert all(len(b"".join(views(chunk.raw))) <= max(size, 13) for chunk in chunks)
        for chunk in chunks:
            chunk.raw.validate(full=True)
    assert list(chunks_of([])) == []


def test_to_table() -> None:
    chunks = [*chunks_of([memoryview(b"{}")]), *chunks_of([memoryview(b"a b")], [7], "x y")]
    table = to_table(an_object(chunks), "ab12", datetime(2024, 3, 1, tzinfo=UTC))
    assert table.column_names == ["raw_data", "raw_format", "object_id", "record_no", "key_time", "envelope"]
    assert len(table.to_batches()) == 2
    twice = pa.concat_tables([table, to_table(an_object(chunks), "cd34", None)])
    rows = duckdb.sql("SELECT raw_data, raw_format, object_id, record_no, epoch(key_time) FROM twice").fetchall()
    assert rows == [
        ("{}", None, "ab12", 0, 1709251200.0),
        ("a b", "x y", "ab12", 7, 1709251200.0),
        ("{}", None, "cd34", 0, None),
        ("a b", "x y", "cd34", 7, None),
    ]
    assert len(twice) == 4


def test_no_records() -> None:
    assert len(to_table(an_object([]), "ab12", None)) == 0
    assert sha256s(an_object([])) == b""


def test_digests_are_over_the_exact_bytes() -> None:
    chunks = list(chunks_of([memoryview(text) for text in TEXTS]))
    sliced = [Chunk(chunks[0].raw.slice(10, 5), chunks[0].numbers.slice(10, 5))]
    expected = [hashlib.sha256(text).digest() for text in TEXTS]
    assert sha256s(an_object(chunks)) == b"".join(expected)
    assert sha256s(an_object(sliced)) == b"".join(expected[10:15])
