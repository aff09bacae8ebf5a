"""An Arrow table in, text for people or programs out: table, json, jsonl or csv."""

import csv
import json
import re
from datetime import UTC, datetime
from typing import Any, TextIO

import pyarrow as pa
from rich.console import Console
from rich.table import Table

# What spreadsheets take for the beginning of a formula; a leading apostrophe makes it text for them.
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
# What JSON may hold as it is, and a terminal may obey or show in another order, or a reader take for a line's end.
_UNSAFE = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def write_rows(table: pa.Table, format: str, stream: TextIO) -> None:
    """Write `table` to `stream`. Times are RFC 3339 in UTC, bytes hexadecimal, lists JSON."""
    rows = table.to_pylist()
    if format == "jsonl":
        stream.writelines(f"{_json(row)}\n" for row in rows)
    elif format == "json":
        stream.write("[" + ",\n ".join(map(_json, rows)) + "]\n")
    elif format == "csv":
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows([_cell(value) for value in row.values()] for row in rows)
    else:
        _write_table(table, rows, stream)


def _json(row: dict[str, Any]) -> str:
    text = json.dumps(row, default=_plain, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    return _plain(value)


def _cell(value: Any) -> str:
    text = _text(value)
    guarded = isinstance(value, str) and _FORMULA.match(text)
    return f"'{text}" if guarded else text


def _write_table(table: pa.Table, rows: list[dict[str, Any]], stream: TextIO) -> None:
    if not rows:
        stream.write("nothing\n")
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for field in table.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        shown.add_column(field.name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(_printable(_text(value)) for value in row.values()))
    # A log may hold anything: no markup of ours, and no control characters of theirs, reach the terminal.
    width = None if stream.isatty() else 200
    Console(file=stream, width=width, markup=False, highlight=False, emoji=False).print(shown)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(number: int, noun: str) -> str:
    """`1 file`, `2,000 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
