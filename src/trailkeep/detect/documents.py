"""The native fields that rules need in, SQL that reads them from events out, in two layers.

`read` takes from the raw record, in one pass over it, all that events have no "$" column for; `parse` makes "$"
columns of that. A "$" column is short, so each path below it is read when and where it is needed.
"""

from collections.abc import Collection, Mapping

from trailkeep.core.source import Source
from trailkeep.detect.fields import RAW, json_path, native, native_sql

PARTS = "parts"


class Documents:
    """`tops`, each with the number of the column `need<number>` that says in which rows it is wanted."""

    def __init__(self, tops: Mapping[str, int], available: Collection[str], source: Source) -> None:
        self.tops, self.available, self.source = tops, available, source
        self.parts: list[tuple[str, ...]] = [(top,) for top in tops if self._in_raw(top)]

    def value(self, top: str, keys: tuple[str, ...]) -> str:
        """SQL, over `parse`, of the JSON that `keys` lead to from `top` where all on the way are objects."""
        if self._in_raw(top):
            self.parts.append((top, *keys))
            return f"{PARTS}[{len(self.parts)}]"
        return f"json_extract({native(top)}, {json_path(keys)})"

    def read(self) -> str:
        """The columns of the first layer, over the events, once every value is asked for."""
        columns = ["*"]
        for top, i in self.tops.items():
            if self.source.format != "json" and top != RAW and top not in self.available:
                columns.append(f"CASE WHEN need{i} THEN {native_sql(top, self.source)} END AS {native(top)}")
        if self.parts:
            needed = " OR ".join(f"need{i}" for top, i in self.tops.items() if self._in_raw(top))
            paths = ", ".join(map(json_path, self.parts))
            columns.append(f"CASE WHEN {needed} THEN json_extract(raw_data, [{paths}]) END AS {PARTS}")
        return ", ".join(columns)

    def parse(self) -> str:
        """The columns of the second layer."""
        made = [
            f"CAST({PARTS}[{number}] AS VARCHAR) AS {native(path[0])}"
            for number, path in enumerate(self.parts, start=1)
            if len(path) == 1
        ]
        return ", ".join(["*", *made])

    def _in_raw(self, top: str) -> bool:
        return self.source.format == "json" and top != RAW and top not in self.available
