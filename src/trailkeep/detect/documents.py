"""The native fields that rules need in, SQL that parses each document once for all of its paths out.

Two layers: `read` takes what a row has, its "$" columns and, in one pass over the raw record, what they lack;
`parse` takes the paths below the "$" columns.
"""

from collections.abc import Collection, Sequence

from trailkeep.core.source import Source
from trailkeep.detect.fields import RAW, json_path, native, native_sql

PARTS = "parts"


class Documents:
    """`tops` of records whose relation, as `e`, has the `available` ones; row by row wanted if `u.need<number>`."""

    def __init__(self, tops: Sequence[str], available: Collection[str], source: Source) -> None:
        self.tops, self.available, self.source = tops, available, source
        self.parts: list[tuple[str, ...]] = [(top,) for top in tops if self._in_raw(top)]
        self.below: dict[str, list[tuple[str, ...]]] = {}

    def value(self, top: str, keys: tuple[str, ...]) -> str:
        """SQL, over `parse`, of the JSON that `keys` lead to from `top` where all on the way are objects."""
        if self._in_raw(top):
            self.parts.append((top, *keys))
            return f"{PARTS}[{len(self.parts)}]"
        paths = self.below.setdefault(top, [])
        paths.append(keys)
        return f"below{self.tops.index(top)}[{len(paths)}]"

    def read(self) -> list[str]:
        """The columns of the first layer, once every value is asked for."""
        columns = ["u.row"]
        for i, top in enumerate(self.tops):
            if not self._in_raw(top):
                kept = top == RAW or top in self.available
                sql = f"e.{native(top)}" if kept else native_sql(top, self.source)
                columns.append(f"CASE WHEN u.need{i} THEN {sql} END AS {native(top)}")
        if self.parts:
            needed = " OR ".join(f"u.need{i}" for i, top in enumerate(self.tops) if self._in_raw(top))
            paths = ", ".join(map(json_path, self.parts))
            columns.append(f"CASE WHEN {needed} THEN json_extract(e.raw_data, [{paths}]) END AS {PARTS}")
        return columns

    def parse(self) -> list[str]:
        """The columns of the second layer."""
        columns = ["*"]
        for i, top in enumerate(self.tops):
            if self._in_raw(top):
                columns.append(f"CAST({PARTS}[{self.parts.index((top,)) + 1}] AS VARCHAR) AS {native(top)}")
            elif top in self.below:
                paths = ", ".join(map(json_path, self.below[top]))
                columns.append(f"json_extract({native(top)}, [{paths}]) AS below{i}")
        return columns

    def _in_raw(self, top: str) -> bool:
        return self.source.format == "json" and top != RAW and top not in self.available
