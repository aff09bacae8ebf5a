"""CSV files with a header: rows are records of the source whose fields the header names."""

import gzip
import json

import pytest

from trailkeep.core.source import load_sources
from trailkeep.normalize.read import ObjectRecords, read_object

SOURCES = load_sources()
HEADER = "line_item_usage_account_id,line_item_usage_start_date,line_item_resource_id,resource_tags\r\n"


def read(text: str | bytes, key: str = "report.csv") -> ObjectRecords:
    data = text.encode() if isinstance(text, str) else text
    return read_object(data, key, SOURCES, limit=10**6)


def texts(records: ObjectRecords) -> list[str]:
    return [text for chunk in records.chunks for text in chunk.raw.to_pylist()]


def test_rows_are_json_records() -> None:
    rows = '111122223333,2026-11-01,"a ""quoted"",\nname","{""team"": [1]}"\r\n444455556666,2026-11-02,,{no json\r\n'
    records = read("\ufeff" + HEADER + rows)
    assert (records.source, records.count, records.bad) == ("aws_cost_usage", 2, [])
    assert [json.loads(text) for text in texts(records)] == [
        {
            "line_item_usage_account_id": "111122223333",
            "line_item_usage_start_date": "2026-11-01",
            "line_item_resource_id": 'a "quoted",\nname',
            "resource_tags": {"team": [1]},
        },
        {
            "line_item_usage_account_id": "444455556666",
            "line_item_usage_start_date": "2026-11-02",
            "resource_tags": "{no json",
        },
    ]


def test_rows_are_lines_of_a_source_of_lines() -> None:
    header = "version,account_id,interface_id,srcaddr,dstaddr,log_status\n"
    records = read(header + "2,111122223333,eni-0aa,192.0.2.181,,OK\n2,111122223333,eni-0aa,a b,-,OK\n", "athena.csv")
    assert (records.source, texts(records)) == ("aws_vpc_flow", ["2 111122223333 eni-0aa 192.0.2.181 - OK"])
    assert records.chunks[0].raw_format == "version account-id interface-id srcaddr dstaddr log-status"
    assert [(bad.record_no, bad.reason) for bad in records.bad] == [(1, "a row with a value with a space")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"1,2,3", "a row with 3 fields where the header names 4"),
        (b'1,2,3,"4"5', "no CSV: ',' expected after '\"'"),
        (b"1,2,3,\0", "a row with NUL bytes"),
    ],
)
def test_a_bad_row_is_kept_with_its_place(row: bytes, reason: str) -> None:
    good = b"111122223333,2026-11-01,r,t\r\n"
    records = read(HEADER.encode() + good + row + b"\r\n\r\n" + good)
    assert [chunk.numbers.to_pylist() for chunk in records.chunks] == [[0, 2]]
    [bad] = records.bad
    assert (bad.position, bad.record_no, bad.reason, bad.data) == (len(HEADER) + len(good), 1, reason, row)


def test_an_open_quote_is_kept_to_the_end() -> None:
    records = read(HEADER + '1,2,"3,4\r\n5,6,7,8\r\n')
    assert records.count == 0
    assert [bad.data for bad in records.bad] == [b'1,2,"3,4\r\n5,6,7,8']


def test_invalid_utf8_is_escaped() -> None:
    records = read(HEADER.encode() + b"1,2,\xff,\n" + "1,2,\u00e4,\n".encode())
    assert [json.loads(text)["line_item_resource_id"] for text in texts(records)] == ["\\xff", "\u00e4"]
    assert records.escaped == [0]


def test_a_cut_row_is_bad() -> None:
    whole = gzip.compress((HEADER + "1,2,3,4\r\n" * 50).encode(), mtime=0)
    records = read(whole[:-9])
    assert records.count < 50
    assert any(bad.reason == "the last row is cut off" for bad in records.bad) or records.count == 49


def test_joined_files_and_empty_ones() -> None:
    assert read(HEADER + "1,2,3,4\r\n" + HEADER + "5,6,7,8\r\n").count == 2
    assert (read(HEADER).kind, read(HEADER).source) == ("empty", "aws_cost_usage")


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "line_item_usage_account_id\n1\n", "a,a\n1,2\n", '"open\n'])
def test_other_files_are_not_recognised(text: str) -> None:
    assert read(text).kind == "unknown"
