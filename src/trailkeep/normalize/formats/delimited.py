"""Text with one record a line and a header line in, Arrow arrays of its lines out, with no work per field.

A line is good when it has as many fields as the header that stands before it. A header may come again, and may
change, as it does where files were joined.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from array import array

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.normalize.records import CHUNK_BYTES, BadPiece, Chunk, int32s, views

_HEADER = r"^[a-z][a-z0-9-]*( [a-z][a-z0-9-]*)+$"


@dataclass
class Lines:
    """What was read so far. `escaped` are the numbers of records whose invalid UTF-8 stands as \\xNN."""

    chunks: list[Chunk] = field(default_factory=list)
    bad: list[BadPiece] = field(default_factory=list)
    escaped: list[int] = field(default_factory=list)
    count: int = 0


def first_line(data: bytes) -> str | None:
    """The first line that is not blank, if it is short enough to be one."""
    match = re.compile(rb"\s*([^\r\n]{1,65536})").match(data)
    return match[1].decode("utf-8", "backslashreplace") if match else None


def is_header(line: str) -> bool:
    """Whether a line is nothing but field names."""
    return re.match(_HEADER, line) is not None
