"""A lake in, what its tables hold at one moment out: metadata locations, data files and their times."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.table import StaticTable, Table
from sqlalchemy import NullPool, column, create_engine, select, table

from trailkeep.core.columns import EVENTS
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
    sighted: bool
    """Whether compaction has written the sightings of this file."""


@dataclass(frozen=True)
class Snapshot:
    """One state of the lake: everything read through it belongs together."""

    events: str
    sightings: str
    files: tuple[DataFile, ...]


def current_snapshot(home: Home) -> Snapshot:
    """The state of the lake at this moment; the tables are made if this is the first look."""
    locations = _locations(home)
    if len(locations) < 2 or not _has_all_columns(locations["events"]):  # none yet, or made by an older version
        events_table(home), sightings_table(home)
        locations = _locations(home)
    return Snapshot(locations["events"], locations["sightings"], _files(**locations))


def _locations(home: Home) -> dict[str, str]:
    # One short query: loading tables through the catalog takes longer than most searches.
    if not (home.path / "catalog.db").exists():
        return {}
    query = select(_CATALOG.c.table_name, _CATALOG.c.metadata_location)
    query = query.where(_CATALOG.c.table_namespace == NAMESPACE, _CATALOG.c.table_name.in_(("events", "sightings")))
    with create_engine(home.catalog_url, poolclass=NullPool).connect() as connection:
        return {row.table_name: row.metadata_location for row in connection.execute(query)}


@lru_cache(maxsize=4)
def _opened(location: str) -> StaticTable:
    return StaticTable.from_metadata(location)


def _has_all_columns(events: str) -> bool:
    return {column.name for column in EVENTS}.issubset(_opened(events).schema().column_names)


@lru_cache(maxsize=4)
def _files(events: str, sightings: str) -> tuple[DataFile, ...]:
    # A metadata file never changes, so what it says can be kept. Compaction gives the sightings of a file its name.
    sighted = {Path(file.file_path).name for file in _manifested(StaticTable.from_metadata(sightings))}
    table = _opened(events)
    time_id = table.schema().find_field("time").field_id
    return tuple(
        DataFile(
            path=file.file_path,
            size=file.file_size_in_bytes,
            span=Span(file.partition[1], _moment(file.lower_bounds[time_id]), _moment(file.upper_bounds[time_id])),
            sighted=Path(file.file_path).name in sighted,
        )
        for file in _manifested(table)
    )


def _manifested(table: Table) -> Iterator[IcebergFile]:
    snapshot = table.current_snapshot()
    for manifest in snapshot.manifests(table.io) if snapshot else ():
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            yield entry.data_file


def _moment(bound: bytes) -> datetime:
    """Iceberg keeps the bounds of a timestamp as microseconds since 1970, little-endian."""
    return _EPOCH + timedelta(microseconds=int.from_bytes(bound, "little", signed=True))
