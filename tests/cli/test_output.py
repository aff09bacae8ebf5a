"""The same rows in every format, and nothing that a log holds can act on a terminal or a spreadsheet."""

import csv
import json
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO

import pyarrow as pa
import pytest

from trailkeep.cli.output import write_rows

MOMENT = datetime(2026, 11, 17, 8, 30, 0, 250_000, tzinfo=UTC)
ROWS = pa.table(
    {
        "name": pa.array(["Ünïcode", None]),
        "count": pa.array([1234567, -5]),
        "time": pa.array([MOMENT, None], pa.timestamp("us", "UTC")),
        "digest": pa.array([b"\x00\xff", None]),
        "entities": pa.array([["a", "b,c"], []]),
        "ok": pa.array([True, False]),
    }
)


def written(table: pa.Table, format: str) -> str:
    stream = StringIO()
    write_rows(table, format, stream)
    return stream.getvalue()


def test_jsonl() -> None:
    first, second = map(json.loads, written(ROWS, "jsonl").splitlines())
    assert first == {
        "name": "Ünïcode",
        "count": 1234567,
        "time": "2026-11-17T08:30:00.250000Z",
        "digest": "00ff",
        "entities": ["a", "b,c"],
        "ok": True,
    }
    assert second == {"name": None, "count": -5, "time": None, "digest": None, "entities": [], "ok": False}
    assert "Ünïcode" in written(ROWS, "jsonl")


def test_json_is_one_array() -> None:
    assert json.loads(written(ROWS, "json")) == [json.loads(line) for line in written(ROWS, "jsonl").splitlines()]
    assert json.loads(written(ROWS.slice(0, 0), "json")) == []


def test_csv() -> None:
    rows = list(csv.reader(StringIO(written(ROWS, "csv"))))
    assert rows == [
        ["name", "count", "time", "digest", "entities", "ok"],
        ["Ünïcode", "1234567", "2026-11-17T08:30:00.250000Z", "00ff", '["a", "b,c"]', "True"],
        ["", "-5", "", "", "[]", "False"],
    ]
    assert written(ROWS.slice(0, 0), "csv") == "name,count,time,digest,entities,ok\n"


def test_table() -> None:
    text = written(ROWS, "table")
    assert all(word in text for word in ("name", "Ünïcode", "1234567", "2026-11-17T08:30:00.250000Z", "00ff"))
    assert written(ROWS.slice(0, 0), "table") == "nothing\n"


def test_times_are_utc_whatever_zone_they_have() -> None:
    there = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    table = pa.table({"time": pa.array([there], pa.timestamp("us", "Asia/Kolkata"))})
    assert json.loads(written(table, "jsonl"))["time"] == "2026-11-17T08:30:00.250000Z"
    naive = pa.table({"time": pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("us"))})
    assert json.loads(written(naive, "jsonl"))["time"] == "2026-11-17T08:30:00.250000Z"


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r", "\n=", " =", "＝", "＋", "－", "＠"])
def test_csv_text_is_never_a_formula(beginning: str) -> None:
    text = f'{beginning}HYPERLINK("http://192.0.2.1")'
    ((_,), (cell,)) = csv.reader(StringIO(written(pa.table({"v": [text]}), "csv"), newline=""))
    assert cell == "'" + text


def test_csv_lists_and_numbers_are_left_as_they_are() -> None:
    table = pa.table({"n": [-5], "x": [-0.5], "l": [["=1"]]})
    assert written(table, "csv") == 'n,x,l\n-5,-0.5,"[""=1""]"\n'


@pytest.mark.parametrize("format", ["table", "json", "jsonl"])
def test_control_characters_do_not_reach_the_terminal(format: str) -> None:
    evil = "a\x1b]0;owned\x07\x1b[2Jb\rc\nd\x9b31me\u202ef\x00g\x7f"
    text = written(pa.table({"v": [evil]}), format)
    assert not any(character in text for character in "\x1b\x07\r\x9b\u202e\x00\x7f")
    assert text.count("\n") <= 2  # the row's own line ends only
    if format != "table":
        assert json.loads(text) in ({"v": evil}, [{"v": evil}])


def test_table_text_is_no_markup() -> None:
    assert "[red]x[/red] :boom: [link=http://x]" in written(
        pa.table({"v": ["[red]x[/red] :boom: [link=http://x]"]}), "table"
    )


def test_a_surrogate_is_written_as_an_escape() -> None:
    table = pa.table({"v": ["\N{PILE OF POO}"]})
    for format in ("table", "json", "jsonl", "csv"):
        assert "\N{PILE OF POO}" in written(table, format)
