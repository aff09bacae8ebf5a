"""Sorted data files of one partition in, one sorted file out, with its sightings.

Memory is bounded however large the files: each is read a few rows at a time, for one row group after another.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trailkeep.core.columns import SORT_ORDER
from trailkeep.lake.shard import ROW_GROUP, cast, sort, write_chunks

LEVEL = 9
_BATCH = 256
_BUFFER = 64 << 10  # bytes of a column that are read ahead


def merge(files: list[str], path: Path, schema: pa.Schema) -> pa.Table:
    """Write all rows of `files` to `path`; returns how often and when each entity occurs in them.

    `schema` is that of the table. Columns that no file has are left out. Entity '' stands for the file
    itself, so that a file without any entity is known to have been looked at, too.
    """
    present = {name for file in files for name in pq.read_schema(file).names}
    kept = pa.schema([field for field in schema if field.name in present])
    plan = _plan(files, kept)
    partial: list[pa.Table] = []
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = sum(sum(counts.values()) for counts in plan)
    write_chunks(path, _chunks(files, plan, kept, partial), kept, rows, LEVEL)
    return _grouped(pa.concat_tables(partial)).sort_by("entity")


def _plan(files: list[str], schema: pa.Schema) -> list[dict[int, int]]:
    """For each output chunk: the number of a file -> how many rows come from it.

    The files are sorted, so a chunk takes the next rows of each. Were one not, the order would suffer, never
    the content.
    """
    names = [name for name in SORT_ORDER if name in schema.names]
    keys = []
    for number, file in enumerate(files):
        with pq.ParquetFile(file) as opened:
            table = _conform(opened.read(names), schema, names)
        keys.append(table.append_column("file", pa.repeat(pa.scalar(number, pa.int32()), len(table))))
    table = pa.concat_tables(keys)
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in names])
    origin = table["file"].take(order)
    chunks = [origin.slice(start, ROW_GROUP).value_counts() for start in range(0, len(origin), ROW_GROUP)]
    return [{c["values"]: c["counts"] for c in chunk.to_pylist()} for chunk in chunks]


def _chunks(
    files: list[str], plan: list[dict[int, int]], schema: pa.Schema, partial: list[pa.Table]
) -> Iterator[pa.Table]:
    """The chunks to write; leaves the sightings of each in `partial`."""
    readers = [_Reader(file, schema) for file in files]
    for counts in plan:
        pieces = (piece for file, count in sorted(counts.items()) for piece in readers[file].take(count))
        chunk = sort(pa.concat_tables(pieces))
        partial.append(_sightings(chunk))
        yield chunk
        del chunk  # or it would lie in memory beside the next one


class _Reader:
    """Hands out the rows of a data file in their order."""

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self._batches = _batches(path, schema)
        self._rest = schema.empty_table()

    def take(self, count: int) -> Iterator[pa.Table]:
        """The next `count` rows."""
        while count:
            if not len(self._rest):
                self._rest = next(self._batches)
            piece = self._rest.slice(0, count)
            self._rest = self._rest.slice(len(piece))
            count -= len(piece)
            yield piece


def _batches(path: str, schema: pa.Schema) -> Iterator[pa.Table]:
    with pq.ParquetFile(path, buffer_size=_BUFFER) as file:
        batches = (pa.Table.from_batches([b]) for b in file.iter_batches(_BATCH))
        if file.metadata.num_rows > _BATCH:
            for batch in batches:
                yield _conform(batch, schema, schema.names)
            return
        small = list(batches)  # closed at once: a group may hold more small files than may be open
    for batch in small:
        yield _conform(batch, schema, schema.names)


def _conform(table: pa.Table, schema: pa.Schema, names: list[str]) -> pa.Table:
    """`table` with exactly the columns `names`, null where the file leaves one out."""
    fields = [schema.field(name) for name in names]
    columns = [
        cast(table[f.name], f.type) if f.name in table.column_names else pa.nulls(len(table), f.type) for f in fields
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _sightings(events: pa.Table) -> pa.Table:
    """Entity, first and last time, count."""
    time = events["time"].combine_chunks()
    entities = pa.repeat(pa.scalar("", pa.large_string()), len(events))
    seen = [pa.table({"entity": entities, "time": time})]
    if "entities" in events.column_names:
        lists = events["entities"].combine_chunks()
        times = time.take(pc.list_parent_indices(lists))
        seen.append(pa.table({"entity": pc.list_flatten(lists), "time": times}))
    table = pa.concat_tables(seen)
    count = pa.repeat(pa.scalar(1, pa.int64()), len(table))
    return _grouped(
        pa.table(
            {
                "entity": table["entity"],
                "first_time": table["time"],
                "last_time": table["time"],
                "count": count,
            }
        )
    )


def _grouped(seen: pa.Table) -> pa.Table:
    found = seen.group_by("entity").aggregate([("first_time", "min"), ("last_time", "max"), ("count", "sum")])
    columns = ["entity", "first_time_min", "last_time_max", "count_sum"]
    return found.select(columns).rename_columns(["entity", "first_time", "last_time", "count"])
