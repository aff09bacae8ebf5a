"""Text with one record a line in, Arrow arrays of its lines out, with no work per field.

Under a header line, a line is good when it has as many fields as the header above it names. A header may come again,
and may change, as it does where files were joined. Without headers every line is good: whether it is a record of its
source, the mapping says.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.normalize.records import CHUNK_BYTES, BadPiece, Chunk, views

_JOINTS = range(1, 9)  # control characters
_HEADER = r"^[a-z][a-z0-9-]*( [a-z][a-z0-9-]*)+$"


@dataclass
class Lines:
    """What was read so far. `escaped` are the numbers of records whose invalid UTF-8 stands as \\xNN."""

    header: str | None
    is_header: Callable[[str], bool]
    has_nul: bool = False
    headless: bool = False
    comments: str | None = None  # what lines begin with that are no records
    joint: bytes | None = None  # what stands for a line end inside a record
    chunks: list[Chunk] = field(default_factory=list)
    bad: list[BadPiece] = field(default_factory=list)
    escaped: list[int] = field(default_factory=list)
    count: int = 0


def first_lines(data: bytes, count: int) -> Iterator[str]:
    """The first lines that are not blank."""
    lines = data[:65536].decode("utf-8", "backslashreplace").splitlines()
    return islice((line for line in lines if line.strip()), count)


def names_only(line: str) -> bool:
    """Whether a line could be a header: nothing but field names."""
    return re.match(_HEADER, line) is not None


def read_delimited(data: bytes, header: str | None, is_header: Callable[[str], bool], cut: bool = False) -> Lines:
    """The lines of `data`. `header` holds until a line that `is_header`; `cut` says that the last line is not
    whole.
    """
    return _read(Lines(header, is_header, b"\0" in data), data, cut)


def read_lines(data: bytes, comments: str | None, cut: bool = False, begins: str | None = None) -> Lines:
    """The lines of `data`, which has no headers, without those that begin with `comments`.

    `begins` is what a record's first line looks like, where records have several lines: one that does not look so
    belongs to the record above.
    """
    lines = Lines(None, lambda line: False, b"\0" in data, headless=True, comments=comments)
    if begins:
        # Line ends inside records pass as a byte that the data does not have, until the lines are cut.
        lines.joint = next((bytes([byte]) for byte in _JOINTS if bytes([byte]) not in data), None)
    if begins and lines.joint:
        data = re.sub(rb"\n(?!%s|\s*\Z)" % f"(?:{begins})".encode(), lines.joint, data)
    return _read(lines, data, cut)


def _read(lines: Lines, data: bytes, cut: bool) -> Lines:
    whole = data.rfind(b"\n") + 1 if cut else len(data)
    start = 0
    while start < whole:
        end = start + CHUNK_BYTES
        if end < whole:
            end = data.rfind(b"\n", start, end) + 1 or data.find(b"\n", end) + 1 or whole
        end = min(end, whole)
        _read_piece(lines, pa.py_buffer(data).slice(start, end - start - data.endswith(b"\n", start, end)), start)
        start = end
    if whole < len(data):
        lines.bad.append(BadPiece(whole, lines.count, "the last line is cut off", data[whole:]))
        lines.count += 1
    return lines


def _read_piece(lines: Lines, piece: pa.Buffer, position: int) -> None:
    """Whole lines, the first of which stands at `position` of the object."""
    whole = pa.BinaryArray.from_buffers(pa.binary(), 1, [None, pa.py_buffer(array("i", [0, piece.size])), piece])
    split = pc.split_pattern(whole, "\n").values
    starts = memoryview(split.buffers()[1]).cast("i")
    rows = _without_cr(split)
    if lines.joint:
        rows = pc.replace_substring(rows, lines.joint, b"\n")
    begin = 0
    for index in [*_headers(lines, rows), len(rows)]:
        for row, piece_no, reason in _read_rows(lines, rows.slice(begin, index - begin)):
            at = begin + row
            lines.bad.append(BadPiece(position + starts[at] + at, piece_no, reason, rows[at].as_py()))
        if index < len(rows):
            lines.header = rows[index].as_py().decode()
        begin = index + 1


def _without_cr(rows: pa.BinaryArray) -> pa.BinaryArray:
    ended = pc.ends_with(rows, "\r")
    return pc.if_else(ended, pc.binary_slice(rows, 0, -1), rows) if pc.any(ended).as_py() else rows


def _headers(lines: Lines, rows: pa.BinaryArray) -> list[int]:
    if lines.headless:
        return []
    candidates = pc.indices_nonzero(pc.match_substring_regex(rows, _HEADER)).to_pylist()
    return [index for index in candidates if lines.is_header(rows[index].as_py().decode())]


def _read_rows(lines: Lines, rows: pa.BinaryArray) -> Iterator[tuple[int, int, str]]:
    """Adds the good rows under the current header; yields row, record number and reason of the bad ones."""
    if not len(rows):
        return
    filled = pc.greater(pc.binary_length(rows), 0)
    if lines.comments:
        filled = pc.and_(filled, pc.invert(pc.starts_with(rows, lines.comments)))
    numbers = pc.add(pc.cumulative_sum(filled.cast(pa.int32())), pa.scalar(lines.count - 1, pa.int32()))
    lines.count = numbers[-1].as_py() + 1
    wanted = len(lines.header.split(" ")) if lines.header else 0
    good = pc.and_(_whole(rows, lines.has_nul) if lines.headless else fits(rows, wanted, lines.has_nul), filled)
    for row in pc.indices_nonzero(pc.and_(filled, pc.invert(good))).to_pylist():
        yield row, numbers[row].as_py(), _defect(rows[row].as_py(), wanted)
    if not pc.all(good).as_py():
        rows, numbers = rows.filter(good), numbers.filter(good)
    if len(rows):
        lines.chunks.append(Chunk(_text(lines, rows, numbers), numbers, lines.header))


def fits(rows: pa.Array, wanted: int, has_nul: bool) -> pa.BooleanArray:
    """Which rows have `wanted` fields and no NUL byte (looked for only where there may be one)."""
    return pc.and_(pc.equal(pc.count_substring(rows, " "), wanted - 1), _whole(rows, has_nul))


def _whole(rows: pa.Array, has_nul: bool) -> pa.BooleanArray:
    return pc.invert(pc.match_substring(rows, "\0")) if has_nul else pa.repeat(True, len(rows))


def _defect(row: bytes, wanted: int) -> str:
    if b"\0" in row:
        return "a line with NUL bytes"
    if not wanted:
        return "a line without a header line above it"
    return f"a line with {row.count(b' ') + 1} fields where the header names {wanted}"


def _text(lines: Lines, rows: pa.BinaryArray, numbers: pa.Int32Array) -> pa.StringArray:
    """The rows as text, bytes that are no UTF-8 written as \\xNN."""
    try:
        return rows.cast(pa.string())
    except pa.ArrowInvalid:
        texts = [str(view, "utf-8", "backslashreplace") for view in views(rows)]
        changed = (len(text.encode()) != len(view) for text, view in zip(texts, views(rows), strict=True))
        lines.escaped += [n for n, is_changed in zip(numbers.to_pylist(), changed, strict=True) if is_changed]
        return pa.array(texts, pa.string())
