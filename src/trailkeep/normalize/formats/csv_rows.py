"""A CSV file with a header (RFC 4180) in, each row out as the record that it would be in another file.

So one mapping serves both: a JSON object of the columns, or a line. In JSON a value is text, but for objects and arrays
in JSON, which are nested; what is empty is left out. In lines it is `-`, and column names take dashes for underscores.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from trailkeep.normalize.records import BadPiece, Chunk, chunks_of

_BOM = b"\xef\xbb\xbf"
_HEADER_BYTES = 65_536


class Row(NamedTuple):
    """Where a row begins, its bytes, and its values; or what is wrong with it."""

    position: int
    data: bytes
    values: list[str]
    fault: str = ""


@dataclass
class Rows:
    """The rows of a file. `escaped` are the numbers of records whose invalid UTF-8 stands as \\xNN."""

    chunks: list[Chunk] = field(default_factory=list)
    bad: list[BadPiece] = field(default_factory=list)
    escaped: list[int] = field(default_factory=list)


def header(data: bytes) -> list[str]:
    """The names in the first row; none where they are not all different."""
    row = next(_rows(data[:_HEADER_BYTES]), None)
    names = [] if row is None or row.fault else row.values
    return names if len({*names, ""}) == len(names) + 1 else []


def line_names(names: list[str]) -> list[str]:
    """The names of columns as the header of a file of lines has them."""
    return [name.replace("_", "-") for name in names]


def read_csv(data: bytes, names: list[str], as_lines: bool, cut: bool) -> Rows:
    """The rows below the header `names`, as lines or as JSON; `cut` says that the last one is not whole."""
    found, records, numbers = Rows(), list[bytes](), list[int]()
    number = 0
    for row in _rows(data):
        if row.values == names or not row.data.strip():  # the header, once or where files were joined
            continue
        fault = row.fault or _fault(row, names, as_lines)
        if cut and row.position + len(row.data) == len(data):
            fault = "the last row is cut off"
        if fault:
            found.bad.append(BadPiece(row.position, number, fault, row.data.rstrip(b"\r\n")))
        else:
            records.append(_line(row.values) if as_lines else _json(names, row.values))
            numbers.append(number)
            if not row.data.isascii() and not _is_utf8(row.data):
                found.escaped.append(number)
        number += 1
    found.chunks += chunks_of(records, numbers, " ".join(line_names(names)) if as_lines else None)
    return found


def _rows(data: bytes) -> Iterator[Row]:
    end = start = len(_BOM) if data.startswith(_BOM) else 0

    def lines() -> Iterator[str]:
        nonlocal end
        while end < len(data):
            begin = end
            end = data.find(b"\n", begin) + 1 or len(data)
            yield data[begin:end].decode("utf-8", "backslashreplace")

    reader = csv.reader(lines(), strict=True)
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(start, data[start:end], [], f"no CSV: {error}")
        else:
            yield Row(start, data[start:end], values)
        start = end


def _fault(row: Row, names: list[str], as_lines: bool) -> str:
    if len(row.values) != len(names):
        return f"a row with {len(row.values)} fields where the header names {len(names)}"
    if b"\0" in row.data:
        return "a row with NUL bytes"
    if as_lines and any(" " in value for value in row.values):
        return "a row with a value with a space"
    return ""


def _json(names: list[str], values: list[str]) -> bytes:
    return msgspec.json.encode({name: _value(value) for name, value in zip(names, values, strict=True) if value})


def _value(value: str) -> str | msgspec.Raw:
    if value[0] in "{[":
        try:
            return msgspec.json.decode(value, type=msgspec.Raw)
        except (msgspec.DecodeError, RecursionError):
            return value
    return value


def _line(values: list[str]) -> bytes:
    return " ".join(value or "-" for value in values).encode()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
