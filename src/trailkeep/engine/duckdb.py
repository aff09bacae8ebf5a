"""Settings in, a DuckDB connection out, with Trailkeep's SQL macros loaded and time in UTC."""

from functools import cache
from importlib.resources import files

import duckdb
from duckdb import DuckDBPyConnection as Connection

__all__ = ["Connection", "connect"]


@cache
def _macros() -> str:
    folder = files("trailkeep.engine")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in ("macros.sql", "hosts.sql"))


def connect(threads: int = 1) -> Connection:
    """An in-memory connection. One thread by default: ingest scales by processes."""
    connection = duckdb.connect(config={"threads": threads})
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    connection.execute(_macros())
    return connection
