"""Rows of Parquet files as the lines of text, or the JSON records, that they would have been."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trailkeep.core.errors import InputError
from trailkeep.normalize.formats.parquet import field_names, open_parquet, read_parquet, read_parquet_json
from trailkeep.normalize.records import BadPiece, Chunk

TABLE = pa.table(
    {
        "version": pa.array([2, 2, 2], pa.int32()),
        "account_id": ["111122223333", "111122223333", None],
        "srcaddr": ["10.0.0.5", None, "a b"],
        "start": pa.array([1700000000, None, 1700000060], pa.int64()),
    }
)
HEADER = "version account-id srcaddr start"


def written(table: pa.Table, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return bytes(sink.getvalue())


def read(data: bytes) -> tuple[list[Chunk], list[BadPiece]]:
    return read_parquet(data, open_parquet(data))


def test_rows_become_lines() -> None:
    file = open_parquet(written(TABLE))
    assert field_names(file) == HEADER.split()
    chunks, bad = read(written(TABLE))
    assert [chunk.raw.to_pylist() for chunk in chunks] == [["2 111122223333 10.0.0.5 1700000000", "2 111122223333 - -"]]
    assert [chunk.numbers.to_pylist() for chunk in chunks] == [[0, 1]]
    assert chunks[0].raw_format == HEADER
    assert [(piece.record_no, piece.data) for piece in bad] == [(2, b"2 - a b 1700000060")]
    assert bad[0].reason == "row 2 holds a value with a space or a NUL byte"


def test_no_rows() -> None:
    assert read(written(TABLE.slice(0, 0))) == ([], [])


@pytest.mark.parametrize("damage", [b"PAR1", b"PAR1" + b"x" * 100, b"PAR1" + bytes(100) + b"PAR1"])
def test_without_a_footer(damage: bytes) -> None:
    with pytest.raises(InputError, match="a damaged Parquet file"):
        open_parquet(damage)


def test_damage_inside() -> None:
    """Rows before the damage are kept, and it is said that there are more."""
    big = pa.table({"version": range(200_000), "srcaddr": [str(n) for n in range(200_000)]})
    data = bytearray(written(big, row_group_size=50_000, compression="zstd"))
    middle = len(data) * 3 // 4
    data[middle : middle + 5000] = b"\xff" * 5000
    chunks, bad = read(bytes(data))
    assert 0 < sum(len(chunk.raw) for chunk in chunks) < 200_000
    assert len(bad) == 1
    assert "read up to row" in bad[0].reason
    assert bad[0].data == bytes(data)


def test_columns_that_cannot_be_lines() -> None:
    chunks, bad = read(written(pa.table({"srcaddr": [["10.0.0.1"]]})))
    assert chunks == []
    assert len(bad) == 1


def test_rows_become_json() -> None:
    """Values keep their types; what JSON has no type for is text."""
    table = pa.table(
        {
            "request_id": ["a", None],
            "status": pa.array([200, -1], pa.int64()),
            "cost": pa.array([Decimal("0.10"), None], pa.decimal128(5, 2)),
            "ok": [True, False],
            "at": pa.array([datetime(2026, 9, 14, 13, 50, 1, 421000, UTC), None], pa.timestamp("us", "Europe/Berlin")),
            "exact": pa.array([1789393801421000123, None], pa.timestamp("ns", "Europe/Berlin")),
            "local": pa.array([1789393801421000123, None], pa.timestamp("ns")),
            "identity": [{"user": "x y", "tags": ["1", None]}, None],
            "labels": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int32())),
            "body": pa.array([b"\x00\xff", None], pa.binary()),
        }
    )
    chunks, bad = read_parquet_json(data := written(table), open_parquet(data))
    assert bad == []
    assert chunks[0].raw_format is None
    assert chunks[0].numbers.to_pylist() == [0, 1]
    first, second = chunks[0].raw.to_pylist()
    assert '"cost":0.10,' in first
    assert json.loads(first) == {
        "request_id": "a",
        "status": 200,
        "cost": 0.1,
        "ok": True,
        "at": "2026-09-14T15:50:01.421000+02:00",
        "exact": "2026-09-14T13:50:01.421000123Z",
        "local": "2026-09-14T13:50:01.421000123",
        "identity": {"user": "x y", "tags": ["1", None]},
        "labels": {"k": 1},
        "body": "AP8=",
    }
    assert json.loads(second) == dict.fromkeys(table.column_names) | {"status": -1, "ok": False, "labels": {}}


def test_damaged_json_rows() -> None:
    big = pa.table({"n": range(200_000), "text": [str(n) for n in range(200_000)]})
    data = bytearray(written(big, row_group_size=50_000, compression="zstd"))
    middle = len(data) * 3 // 4
    data[middle : middle + 5000] = b"\xff" * 5000
    chunks, bad = read_parquet_json(bytes(data), open_parquet(bytes(data)))
    assert 0 < (rows := sum(len(chunk.raw) for chunk in chunks)) < 200_000
    assert [f"read up to row {rows}" in piece.reason for piece in bad] == [True]


def test_names_twice_make_no_json() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    chunks, bad = read_parquet_json(data := written(table), open_parquet(data))
    assert (chunks, len(bad)) == ([], 1)
