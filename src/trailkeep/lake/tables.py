"""A lake's home in, its Iceberg tables out, created on first use."""

import logging
import os
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)
from sqlalchemy.exc import OperationalError

from trailkeep.core.columns import EVENTS, SIGHTINGS, Column
from trailkeep.lake.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMESPACE = "trailkeep"

_TYPES: dict[str, IcebergType] = {
    "VARCHAR": StringType(),
    "INTEGER": IntegerType(),
    "BIGINT": LongType(),
    "BOOLEAN": BooleanType(),
    "BLOB": BinaryType(),
    "TIMESTAMP WITH TIME ZONE": TimestamptzType(),
}

# One committer at a time (a file lock), compaction beside it: snapshot isolation lets compaction retry past
# appends. Old metadata files go at once, or 30,000 commits a day fill the disk with them.
_PROPERTIES = {
    "format-version": "2",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "write.delete.isolation-level": "snapshot",
    "write.update.isolation-level": "snapshot",
    "commit.retry.num-retries": "50",
    "commit.retry.min-wait-ms": "20",
    "commit.retry.max-wait-ms": "250",
}


def events_table(home: Home) -> Table:
    """The table of all events and signals, partitioned by day of `time` and by source."""
    return _table(home, "events", EVENTS, day_of="time")


def sightings_table(home: Home) -> Table:
    """The table of entities seen in data files, partitioned by day."""
    return _table(home, "sightings", SIGHTINGS, day_of="first_time")


def events_arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema that files must be written with: every field carries its Iceberg field id."""
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    return schema_to_pyarrow(table.schema())


def _catalog(home: Home, *, create: bool = False) -> SqlCatalog:
    # raw_data and its digest have no statistics on purpose; the library would warn of it for every file.
    logging.getLogger("pyiceberg.io.pyarrow").setLevel(logging.ERROR)
    # Its threads share one evaluator of manifests, which keeps what it looks at in itself (PyIceberg 0.12,
    # expressions/visitors.py, _ManifestEvalVisitor.eval): with more than one, an overwrite sporadically misses files.
    os.environ["PYICEBERG_MAX_WORKERS"] = "1"
    # The warehouse is a path, not a URI: the library would take the %20 of a URI for part of a folder's name.
    return SqlCatalog(
        "trailkeep",
        uri=home.catalog_url,
        warehouse=str(home.warehouse),
        init_catalog_tables=str(create).lower(),
        **{"py-io-impl": "trailkeep.lake.file_io.DurableFileIO"},
    )


def _table(home: Home, name: str, columns: "Iterable[Column]", day_of: str) -> Table:
    identifier = (NAMESPACE, name)
    try:
        table = _catalog(home).load_table(identifier)
    except (NoSuchTableError, OperationalError):  # no table, or not even a catalog
        with home.commit_lock():
            catalog = _catalog(home, create=True)
            catalog.create_namespace_if_not_exists(NAMESPACE)
            table = catalog.create_table_if_not_exists(
                identifier,
                _schema(columns),
                partition_spec=_partitions(columns, day_of),
                properties=_PROPERTIES,
            )
    if _missing(table, columns):
        with home.commit_lock():
            table.refresh()  # another process may have added them while this one waited
            with table.update_schema() as update:
                for column in _missing(table, columns):
                    update.add_column(column.name, _type(column, 0), doc=column.path)
    return table


def _missing(table: Table, columns: "Iterable[Column]") -> list[Column]:
    present = set(table.schema().column_names)
    return [column for column in columns if column.name not in present]


def _type(column: Column, element_id: int) -> IcebergType:
    if column.type.endswith("[]"):
        return ListType(element_id, _TYPES[column.type.removesuffix("[]")], element_required=False)
    return _TYPES[column.type]


def _schema(columns: "Iterable[Column]") -> Schema:
    # The catalog assigns the final ids; those of list elements only must not collide before that.
    return Schema(
        *(
            NestedField(number, column.name, _type(column, 1000 + number), required=False, doc=column.path)
            for number, column in enumerate(columns, start=1)
        )
    )


def _partitions(columns: "Iterable[Column]", day_of: str) -> PartitionSpec:
    ids = {column.name: number for number, column in enumerate(columns, start=1)}
    return PartitionSpec(
        PartitionField(ids[day_of], 1000, DayTransform(), "day"),
        PartitionField(ids["source"], 1001, IdentityTransform(), "source"),
    )
