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
from trailkeep.lake.entries import ObjectEntry, QuarantineEntry

# Values that hardly repeat: a dictionary of them costs time and saves nothing.
_NO_DICTIONARY = frozenset({"time", "event_uid", "raw_sha256", "raw_data", "record_no", "related_event"})
# What an investigator looks up: a Bloom filter lets a reader skip row groups that cannot hold the value.
_LOOKED_UP = ("access_key", "src_ip")
ROW_GROUP = 32_768


@dataclass(frozen=True)
class WrittenFile:
    """A Parquet file that is complete and on disk; `footer` where it is at hand, which saves reading it again."""

    path: str
    footer: pq.FileMetaData | None = None


@dataclass
class Shard:
    """What a worker hands to the committer. Files are complete and on disk; nothing is committed yet."""

    files: list[WrittenFile] = field(default_factory=list)
    entries: list[ObjectEntry] = field(default_factory=list)
    pieces: list[QuarantineEntry] = field(default_factory=list)
    signals: list[pa.Table] = field(default_factory=list)
    roots: dict[str, bytes] = field(default_factory=dict)  # object_id -> Merkle root of its stored records
    resolved: list[tuple[str, int]] = field(default_factory=list)  # pieces stored after all, their records


def write_events(folder: Path, name: str, events: pa.Table, schema: pa.Schema, level: int = 1) -> Iterator[WrittenFile]:
    """Write `events`, sorted, as one file a partition (day, source); yields each file once it is on disk.

    `schema` carries the Iceberg field ids; columns that are null throughout are left out.
    """
    if not len(events):
        return
    events = events.select([n for n in events.column_names if events[n].null_count < len(events)])
    events = events.append_column("day", events["time"].cast(pa.date32()))
    events = _taken(events, _order(events, ("source", "day", *SORT_ORDER)))
    for number, (source, day, rows) in enumerate(_partitions(events)):
        path = folder / f"source={source}" / f"day={day}" / f"{name}-{number:03d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        failpoint("file.before")
        file = write_file(path, rows, schema, level)
        failpoint("file.after")
        yield file


def write_file(path: Path, events: pa.Table, schema: pa.Schema, level: int) -> WrittenFile:
    """Write one Parquet file of the events table durably."""
    kept = [f for f in schema if f.name in events.column_names and events[f.name].null_count < len(events)]
    stored = pa.schema([f.with_type(_as_stored(events[f.name].type, f.type)) for f in kept])
    table = pa.Table.from_arrays([cast(events[f.name], f.type) for f in stored], schema=stored)
    return write_chunks(path, [table], stored, len(events), level)


def write_chunks(path: Path, chunks: Iterable[pa.Table], schema: pa.Schema, rows: int, level: int) -> WrittenFile:
    """Write one Parquet file of the events table durably, from chunks that have exactly `schema`."""
    names = schema.names
    footers: list[pq.FileMetaData] = []
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=level,
        use_dictionary=[_leaf(f) for f in schema if f.name not in _NO_DICTIONARY],
        write_statistics=[c for c in names if c not in ("raw_data", "raw_sha256")],
        bloom_filter_options={c: {"ndv": min(rows, ROW_GROUP), "fpp": 0.01} for c in _LOOKED_UP if c in names},
        store_schema=False,  # how values lay in memory when they were written concerns no reader
        metadata_collector=footers,
    ) as writer:
        for chunk in chunks:
            writer.write_table(chunk, ROW_GROUP)
            del chunk  # before the next one is made
    sync_file(path)
    return WrittenFile(str(path), footers[0])


def _leaf(field: pa.Field) -> str:
    """How Parquet calls the column that holds a field's values."""
    is_list = pa.types.is_list(field.type) or pa.types.is_large_list(field.type)
    return f"{field.name}.list.element" if is_list else str(field.name)


def _partitions(events: pa.Table) -> Iterator[tuple[str, date, pa.Table]]:
    """(source, day, its events) of each partition of sorted `events`."""
    counted = events.group_by(["source", "day"]).aggregate([([], "count_all")])
    start = 0
    for row in counted.sort_by([("source", "ascending"), ("day", "ascending")]).to_pylist():
        yield row["source"], row["day"], events.slice(start, row["count_all"])
        start += row["count_all"]


def _taken(events: pa.Table, order: pa.Array) -> pa.Table:
    """`events` in this order; the texts of raw_data, more than all else together, stay where they are."""
    if "raw_data" not in events.column_names:
        return events.take(order)
    taken = events.drop_columns(["raw_data"]).take(order)
    return taken.append_column("raw_data", _views(events["raw_data"], order))


def _views(texts: pa.ChunkedArray, order: pa.Array) -> pa.Array:
    """`texts` in this order as views, 16 bytes each that say where a text lies; Arrow itself cannot take those."""
    views = pa.concat_arrays(texts.cast(pa.string_view()).chunks)
    validity, where, *data = views.buffers()
    moved = pa.Array.from_buffers(pa.binary(16), len(views), [validity, where], offset=views.offset).take(order)
    return pa.Array.from_buffers(pa.string_view(), len(moved), [*moved.buffers(), *data])


def sort(events: pa.Table, keys: tuple[str, ...] = SORT_ORDER) -> pa.Table:
    """`events` in the order of the table, ties as they were."""
    return events.take(_order(events, keys))


def _order(events: pa.Table, keys: tuple[str, ...]) -> pa.Array:
    kept = [name for name in keys if name in events.column_names]
    ranks = pa.table({name: _ranks(events[name].combine_chunks()) for name in kept})
    return pc.sort_indices(ranks.combine_chunks(), sort_keys=[(name, "ascending") for name in kept])


def _ranks(values: pa.Array) -> pa.Array:
    """Numbers in the same order as `values`, quicker to compare; moments are numbers already."""
    if pa.types.is_timestamp(values.type):
        return values
    encoded = values.dictionary_encode()
    return pc.rank(encoded.dictionary, sort_keys="ascending").take(encoded.indices)


def cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """`column` as `wanted`, itself where it is that already."""
    return column if column.type == wanted else column.cast(wanted)


def _as_stored(present: pa.DataType, wanted: pa.DataType) -> pa.DataType:
    """The type that Parquet stores just as `wanted` and that `present` is already, or nearly."""
    is_view = pa.types.is_string_view(present) and pa.types.is_large_string(wanted)
    return present if pa.types.is_dictionary(present) or is_view else narrow(wanted)


def narrow(wanted: pa.DataType) -> pa.DataType:
    """`wanted` with 32-bit offsets; Parquet knows no such difference."""
    if pa.types.is_large_list(wanted):
        element = wanted.value_field
        return pa.list_(element.with_type(narrow(element.type)))
    if pa.types.is_large_string(wanted):
        return pa.string()
    return pa.binary() if pa.types.is_large_binary(wanted) else wanted
