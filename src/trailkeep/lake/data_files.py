"""Written Parquet files in, what Iceberg keeps of them out: sizes, counts, bounds and partitions.

What PyIceberg's `add_files` does, from footers that are in memory, and with what it does alike for every file
done once.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import Table

from trailkeep.core.errors import LakeError
from trailkeep.lake.shard import WrittenFile, narrow
from trailkeep.lake.tables import events_arrow_schema


def data_files(table: Table, files: Iterable[WrittenFile]) -> Iterator[DataFile]:
    """The entries of `files` for a manifest of `table`.

    Raises LakeError for a file that does not fit the table, and for one that is named twice; ValueError for one
    that spans two partitions.
    """
    schema = table.schema()
    plan = compute_statistics_plan(schema, table.metadata.properties)
    ids = parquet_path_to_id_mapping(schema)
    wanted = _leaves(events_arrow_schema(table))
    needed = [schema.find_column_name(part.source_id) for part in table.spec().fields]
    seen = set()
    for file in files:
        if file.path in seen:
            raise LakeError(f"{file.path}: named twice in one commit")
        seen.add(file.path)
        footer = file.footer or pq.read_metadata(file.path)
        _check(file.path, footer, wanted, needed)
        found = data_file_statistics_from_parquet_metadata(footer, plan, ids)
        yield DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=file.path,
            file_format=FileFormat.PARQUET,
            partition=found.partition(table.spec(), schema),
            file_size_in_bytes=Path(file.path).stat().st_size,
            sort_order_id=None,
            spec_id=table.metadata.default_spec_id,
            equality_ids=None,
            key_metadata=None,
            **found.to_serialized_dict(),
        )


def _check(path: str, footer: pq.FileMetaData, wanted: dict[str, tuple[str, str]], needed: list[str | None]) -> None:
    present = _leaves(footer.schema.to_arrow_schema())
    wrong = sorted(name for name, leaf in present.items() if wanted.get(name) != leaf)
    # The library would take a column that is not there for one of nulls, and put the file into their partition.
    wrong += [name for name in needed if name and name not in present]
    if wrong:
        raise LakeError(f"{path}: does not fit the table: {', '.join(wrong)}")


def _leaves(fields: Iterable[pa.Field], above: str = "") -> dict[str, tuple[str, str]]:
    """Name of each column -> its field id and type."""
    found = {}
    for field in fields:
        kind, name = narrow(field.type), above + field.name
        number = (field.metadata or {}).get(b"PARQUET:field_id", b"none").decode()
        found[name] = (number, "list" if pa.types.is_list(kind) else str(kind))
        if pa.types.is_list(kind):
            found |= _leaves([kind.value_field], f"{name}.")
    return found
