"""A lake in, what its tables hold at one moment out: metadata locations, data files and their times."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from pyiceberg.table import StaticTable
from sqlalchemy import NullPool, column, create_engine, select, table

from trailkeep.lake.home import Home
from trailkeep.lake.tables import NAMESPACE, events_table, sightings_table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CATALOG = table("iceberg_tables", column("table_namespace"), column("table_name"), column("metadata_location"))


@dataclass(frozen=True)
class Span:
    """Events of one source between two moments, both included."""

    source: str
    first: datetime
    last: datetime


@dataclass(frozen=True)
class DataFile:
    """A file of the events table, and what its events span."""

    path: str
    size: int
    span: Span


@dataclass(frozen=True)
class Snapshot:
    """One state of the lake: everything read through it belongs together."""

    events: str
    sightings: str
    files: tuple[DataFile, ...]


def current_snapshot(home: Home) -> Snapshot:
    """The state of the lake at this moment; the tables are made if this is the first look."""
    locations = _locations(home)
    if len(locations) < 2:
        events_table(home), sightings_table(home)
        locations = _locations(home)
    return Snapshot(locations["events"], locations["sightings"], _files(locations["events"]))


def _locations(home: Home) -> dict[str, str]:
    # One short query: loading tables through the catalog takes longer than most searches.
    if not (home.path / "catalog.db").exists():
        return {}
    query = select(_CATALOG.c.table_name, _CATALOG.c.metadata_location)
    query = query.where(_CATALOG.c.table_namespace == NAMESPACE, _CATALOG.c.table_name.in_(("events", "sightings")))
    with create_engine(home.catalog_url, poolclass=NullPool).connect() as connection:
        return {row.table_name: row.metadata_location for row in connection.execute(query)}


@lru_cache(maxsize=4)
def _files(location: str) -> tuple[DataFile, ...]:
    # A metadata file never changes, so what it says can be kept.
    events = StaticTable.from_metadata(location)
    snapshot = events.current_snapshot()
    if snapshot is None:
        return ()
    time_id = events.schema().find_field("time").field_id
    return tuple(
        _data_file(entry.data_file, time_id)
        for manifest in snapshot.manifests(events.io)
        for entry in manifest.fetch_manifest_entry(events.io, discard_deleted=True)
    )


def _data_file(file: Any, time_id: int) -> DataFile:
    span = Span(file.partition[1], _moment(file.lower_bounds[time_id]), _moment(file.upper_bounds[time_id]))
    return DataFile(file.file_path, file.file_size_in_bytes, span)


def _moment(bound: bytes) -> datetime:
    """Iceberg keeps the bounds of a timestamp as microseconds since 1970, little-endian."""
    return _EPOCH + timedelta(microseconds=int.from_bytes(bound, "little", signed=True))
