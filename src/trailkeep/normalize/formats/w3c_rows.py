"""A W3C extended log file in, each line out as a JSON object of the fields that the `#Fields:` line above it names.

Fields are separated by tabs, or by spaces where a line has no tab. What is `-` is left out; other values stay as they
are written. Format: W3C working draft WD-logfile-960323.
"""

import msgspec

from trailkeep.normalize.formats.csv_rows import Rows
from trailkeep.normalize.records import BadPiece, chunks_of

_FIELDS = "#Fields:"
_HEAD_BYTES = 65_536


def field_names(data: bytes) -> list[str]:
    """The fields that the file begins with; none where it does not name any before its first line."""
    for line in data[:_HEAD_BYTES].splitlines():
        text = line.decode("utf-8", "backslashreplace").removeprefix("\ufeff")
        if text.startswith(_FIELDS):
            return text.removeprefix(_FIELDS).split()
        if text.strip() and not text.startswith("#"):
            break
    return []


def read_w3c(data: bytes, cut: bool) -> Rows:
    """The lines as JSON; `cut` says that the last one is not whole."""
    found, records, numbers = Rows(), list[bytes](), list[int]()
    names: list[str] = []
    number = place = 0
    for raw in data.splitlines(keepends=True):
        position, place = place, place + len(raw)
        text = raw.decode("utf-8", "backslashreplace").strip("\ufeff\r\n")
        if text.startswith("#") or not text.strip():
            names = text.removeprefix(_FIELDS).split() if text.startswith(_FIELDS) else names
            continue
        values = text.split("\t") if "\t" in text else text.split()
        fault = "the last line is cut off" if cut and place == len(data) else ""
        if not fault and len(values) != len(names):
            fault = f"a line with {len(values)} fields where #Fields names {len(names)}"
        if fault or "\0" in text:
            found.bad.append(BadPiece(position, number, fault or "a line with NUL bytes", raw.rstrip(b"\r\n")))
        else:
            records.append(
                msgspec.json.encode({n: v for n, v in zip(names, values, strict=True) if v not in ("", "-")})
            )
            numbers.append(number)
            if not raw.isascii() and text != raw.decode("utf-8", "replace").strip("\ufeff\r\n"):
                found.escaped.append(number)
        number += 1
    found.chunks += chunks_of(records, numbers)
    return found
