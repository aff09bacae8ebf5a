"""A connection in, what its engine reads from files inside a `with` out, by its own log of file reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from trailkeep.engine.duckdb import Connection

_BYTES_BY_FILE = """
SELECT path, CAST(sum(bytes) AS BIGINT) FROM duckdb_logs_parsed('FileSystem') WHERE op = 'READ' GROUP BY path
"""


@dataclass
class Reads:
    """Bytes read of each file. Filled when the block of `counted` ends."""

    by_file: dict[str, int] = field(default_factory=dict)


@contextmanager
def counted(con: Connection) -> Iterator[Reads]:
    """Count every byte that `con`'s database reads from files; nothing is served from its cache meanwhile.

    Counts all queries of the database, so keep it to one at a time. The connection must not be locked.
    """
    reads = Reads()
    con.execute("SET enable_external_file_cache = false")
    con.execute("CALL enable_logging('FileSystem')")
    try:
        yield reads
    finally:
        con.execute("CALL disable_logging()")
        reads.by_file.update(con.execute(_BYTES_BY_FILE).fetchall())
        con.execute("CALL truncate_duckdb_logs()")
        con.execute("SET enable_external_file_cache = true")
