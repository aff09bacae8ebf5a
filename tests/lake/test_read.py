"""What another engine sees: DuckDB's own Iceberg reader over a lake that was ingested into and compacted."""

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import duckdb

from tests.lake.lakes import RECORDS, contents, ingest
from trailkeep.lake.compact import compact
from trailkeep.lake.home import Home, create_home
from trailkeep.lake.tables import events_table, sightings_table


def reader() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name in ("avro", "iceberg"):
        (path,) = files(f"duckdb_extension_{name}").glob("extensions/*/*.duckdb_extension")  # type: ignore[attr-defined]
        connection.execute(f"LOAD '{path}'")
    return connection


def seen(connection: duckdb.DuckDBPyConnection, home: Home) -> list[tuple[str, bytes]]:
    query = "SELECT event_uid, raw_sha256 FROM iceberg_scan(?)"
    return connection.execute(query, [events_table(home).metadata_location]).fetchall()


def test_duckdb_reads_what_was_stored(tmp_path: Path) -> None:
    ingest(tmp_path / "lake", [["a", "b"], ["c"]])
    home = create_home(tmp_path / "lake")
    with reader() as connection:
        assert sorted(seen(connection, home)) == sorted(contents(home).elements())
        compact(home, lambda: datetime.now(UTC))
        ingest(tmp_path / "lake", [["d"]])
        assert sorted(seen(connection, home)) == sorted(contents(home).elements())
        location = events_table(home).metadata_location
        count = "SELECT count(*) FROM iceberg_scan(?) WHERE "
        one = connection.execute(count + "list_contains(entities, 'a')", [location]).fetchone()
        assert one == (RECORDS * 2 // 3,)
        none = connection.execute(count + "access_key IS NOT NULL", [location]).fetchone()
        assert none == (0,)
        covered = "SELECT count(DISTINCT file) FROM iceberg_scan(?) WHERE entity = 'c'"
        found = connection.execute(covered, [sightings_table(home).metadata_location]).fetchone()
        assert found is not None and found[0] > 0
