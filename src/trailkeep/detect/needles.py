"""Texts in; which of them hold a needle, a folded text without which a test cannot pass, out.

Rules mostly look for what is not there. To look for a needle in the memory of a whole column costs far less than
to take the column's values apart and test each.
"""

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.detect.masks import Mask, simplified
from trailkeep.engine.duckdb import Connection


class Haystack:
    """`texts` in lower case, and all of them as one piece of memory."""

    def __init__(self, con: Connection, texts: pa.Array) -> None:
        self.lowered = pc.ascii_lower(texts)
        self._data = _bytes(self.lowered)
        if not self._data.isascii():
            self.lowered = _lower(con, texts)
            self._data = _bytes(self.lowered)
        self._starts = memoryview(self.lowered.buffers()[1]).cast("i")
        self._rows: dict[tuple[str, int, int], Mask] = {}

    def holds(self, needle: str, start: int, length: int) -> bool:
        """Whether any of the `length` texts from `start` on holds `needle`, or a few next to each other do."""
        return self._data.find(needle.encode(), self._starts[start], self._starts[start + length]) >= 0

    def rows(self, needle: str, start: int, length: int) -> Mask:
        """Those of the `length` texts from `start` on that hold `needle`."""
        key = (needle, start, length)
        if key not in self._rows:
            self._rows[key] = False
            if self.holds(needle, start, length):
                found = pc.match_substring(self.lowered.slice(start, length), needle)
                self._rows[key] = simplified(found.fill_null(False))
        return self._rows[key]


def _bytes(texts: pa.Array) -> bytes:
    data = texts.buffers()[2]
    return data.to_pybytes() if data else b""


def lowered(con: Connection, texts: pa.Array) -> pa.Array:
    """`texts` in lower case, as DuckDB has it; where all are ASCII, five times cheaper than there."""
    return pc.ascii_lower(texts) if pc.all(pc.string_is_ascii(texts)).as_py() else _lower(con, texts)


def _lower(con: Connection, texts: pa.Array) -> pa.Array:
    """DuckDB's lower(): Arrow follows another version of Unicode."""
    con.register("trailkeep_texts", pa.table({"v": texts}))
    try:
        lowered = con.execute("SELECT lower(v) FROM trailkeep_texts").to_arrow_table()
    finally:
        con.unregister("trailkeep_texts")
    return pa.concat_arrays([pa.array([], pa.string()), *lowered.column(0).chunks])
