"""Mapped events in, sorted Parquet files out: the part of a batch that one worker writes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trailkeep.core.columns import SORT_ORDER
from trailkeep.core.durable import sync_file
from trailkeep.core.failpoint import failpoint
from trailkeep.lake.ledger import ObjectEntry, QuarantineEntry

# Values that hardly repeat: a dictionary of them costs time and saves nothing.
_NO_DICTIONARY = frozenset({"time", "event_uid", "raw_sha256", "raw_data", "record_no", "related_event"})
# What an investigator looks up: a Bloom filter lets a reader skip row groups that cannot hold the value.
_LOOKED_UP = ("access_key", "src_ip")
ROW_GROUP = 32_768


@dataclass
class Shard:
    """What a worker hands to the committer. Files are complete and on disk; nothing is committed yet."""

    files: list[str] = field(default_factory=list)
    entries: list[ObjectEntry] = field(default_factory=list)
    pieces: list[QuarantineEntry] = field(default_factory=list)
    signals: list[pa.Table] = field(default_factory=list)
    roots: dict[str, bytes] = field(default_factory=dict)  # object_id -> Merkle root of its stored records
    resolved: list[tuple[str, int]] = field(default_factory=list)  # pieces stored after all, their records


def write_events(folder: Path, name: str, events: pa.Table, schema: pa.Schema, level: int = 1) -> Iterator[str]:
    """Write `events`, sorted, as one file a partition (day, source); yields each path once it is on disk.

    `schema` carries the Iceberg field ids; columns that are null throughout are left out.
    """
    if not len(events):
        return
    events = events.select([n for n in events.column_names if events[n].null_count < len(events)])
    events = events.append_column("day", events["time"].cast(pa.date32()))
    for number, (source, day, rows) in enumerate(_partitions(events)):
        path = folder / f"source={source}" / f"day={day}" / f"{name}-{number:03d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        failpoint("file.before")
        write_file(path, _taken(events, rows), schema, level)
        failpoint("file.after")
        yield str(path)


def write_file(path: Path, events: pa.Table, schema: pa.Schema, level: int) -> None:
    """Write one Parquet file of the events table durably."""
    kept = [f for f in schema if f.name in events.column_names and events[f.name].null_count < len(events)]
    table = pa.Table.from_arrays([cast(events[f.name], f.type) for f in kept], schema=pa.schema(kept))
    write_chunks(path, [table], table.schema, len(table), level)


def write_chunks(path: Path, chunks: Iterable[pa.Table], schema: pa.Schema, rows: int, level: int) -> None:
    """Write one Parquet file of the events table durably, from chunks that have exactly `schema`."""
    names = schema.names
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=level,
        use_dictionary=[_leaf(f) for f in schema if f.name not in _NO_DICTIONARY],
        write_statistics=[c for c in names if c not in ("raw_data", "raw_sha256")],
        bloom_filter_options={c: {"ndv": min(rows, ROW_GROUP), "fpp": 0.01} for c in _LOOKED_UP if c in names},
    ) as writer:
        for chunk in chunks:
            writer.write_table(chunk, ROW_GROUP)
            del chunk  # before the next one is made
    sync_file(path)


def _leaf(field: pa.Field) -> str:
    """How Parquet calls the column that holds a field's values."""
    return f"{field.name}.list.element" if pa.types.is_large_list(field.type) else str(field.name)


def _partitions(events: pa.Table) -> Iterator[tuple[str, date, pa.Array]]:
    """(source, day, sorted row numbers) of each partition of `events`."""
    order = _order(events, ("source", "day", *SORT_ORDER))
    counted = events.group_by(["source", "day"]).aggregate([([], "count_all")])
    start = 0
    for row in counted.sort_by([("source", "ascending"), ("day", "ascending")]).to_pylist():
        yield row["source"], row["day"], order.slice(start, row["count_all"])
        start += row["count_all"]


def _taken(events: pa.Table, rows: pa.Array) -> pa.Table:
    """The `rows` of `events`. Days follow each other in a batch, so that little besides is touched."""
    ends = pc.min_max(rows)
    first, last = ends["min"].as_py(), ends["max"].as_py()
    return events.slice(first, last - first + 1).take(pc.subtract(rows, ends["min"]))


def sort(events: pa.Table, keys: tuple[str, ...] = SORT_ORDER) -> pa.Table:
    """`events` in the order of the table, ties as they were."""
    return events.take(_order(events, keys))


def _order(events: pa.Table, keys: tuple[str, ...]) -> pa.Array:
    kept = [name for name in keys if name in events.column_names]
    return pc.sort_indices(events.select(kept), sort_keys=[(name, "ascending") for name in kept])


def cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """`column` as `wanted`, itself where it is that already."""
    return column if column.type == wanted else column.cast(wanted)
