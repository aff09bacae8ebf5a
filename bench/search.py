"""A compacted lake and needles in, how long searches and text searches for them took out, as JSON on stdout.

`python -m bench.search HOME ACCESS_KEY IP`: one process, warm (the first search of each kind is not timed). A search
is what `trailkeep search` runs; a text search is the same engine over the same table, looking for the text in every
raw_data: one bare SQL statement, which is the cheapest form that it can have. Both fetch every hit.
"""

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trailkeep.core.source import load_sources
from trailkeep.engine.reading import connect_lake
from trailkeep.engine.reads import counted
from trailkeep.investigate.search.run import DEFAULT_COLUMNS, search
from trailkeep.lake.home import open_home
from trailkeep.lake.snapshot import current_snapshot

ROUNDS = 3
_ALL = 1_000_000  # more hits than a needle has


def main() -> None:
    """Searches for each needle, in turns with the text search."""
    parser = argparse.ArgumentParser(prog="python -m bench.search", description=main.__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("access_key")
    parser.add_argument("ip")
    args = parser.parse_args()
    needles = (("access_key", args.access_key), ("src_ip", args.ip))
    print(json.dumps([_compare(args.home, *needle) for needle in needles]))


def _compare(path: Path, field: str, value: str) -> dict[str, Any]:
    home, sources = open_home(path), load_sources()
    con = connect_lake(home.warehouse)
    now = datetime.now(UTC)
    table = current_snapshot(home).events
    columns = ", ".join(DEFAULT_COLUMNS)
    text_query = f"SELECT {columns} FROM iceberg_scan(?) WHERE contains(raw_data, ?)"

    def own() -> int:
        return len(search(con, home, sources, f"{field}:{value}", now=now, limit=_ALL).rows)

    def text() -> int:
        return len(con.execute(text_query, [table, value]).to_arrow_table())

    found, text_found = own(), text()
    turns = [(_timed(own), _timed(text)) for _ in range(ROUNDS)]
    explained = search(con, home, sources, f"{field}:{value}", now=now, limit=_ALL, explain=True).explain
    assert explained is not None
    with counted(con) as reads:
        text()
    return {
        "found": found,
        "text_found": text_found,
        "seconds": [seconds for seconds, _ in turns],
        "text_seconds": [seconds for _, seconds in turns],
        "read": f"{explained.bytes_read:,} of {explained.bytes:,} bytes read, {explained.files_read} of "
        f"{explained.files} files, and {explained.metadata_bytes_read:,} bytes of metadata and sightings",
        "text_read": f"{sum(reads.by_file.values()):,} bytes read",
    }


def _timed(run: Callable[[], int]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
