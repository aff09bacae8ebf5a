"""A batch of raw records (Arrow) in, stored event columns and the rejected records (Arrow) out."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep import __version__
from trailkeep.core.columns import MAPPED, Column
from trailkeep.core.durable import write_file
from trailkeep.core.source import Source
from trailkeep.engine.duckdb import Connection, connect
from trailkeep.engine.entities import entities

RAW = pa.schema(
    [
        ("raw_data", pa.string()),
        ("raw_format", pa.string()),
        ("object_id", pa.string()),
        ("record_no", pa.int32()),
        ("key_time", pa.timestamp("us", tz="UTC")),
    ]
)
_KEPT = ("object_id", "record_no", "raw_format", "raw_data", "envelope")
_ADDED = ("raw_sha256", "raw_escaped")


@dataclass(frozen=True)
class Mapped:
    """Every record of a batch, once.

    `events`: the columns of core.columns.MAPPED, `$native` texts, map_version, object_id, record_no,
    raw_format, raw_data and envelope, and raw_sha256 and raw_escaped where the batch has them. `rejected`: object_id,
    record_no, raw_format, raw_data, envelope and `reason`.
    """

    events: pa.Table
    rejected: pa.Table


COMPILER = 3
"""Raised whenever the same source yields another statement."""


class Mapper:
    """Maps batches of raw records over one engine connection.

    Building a source's statement takes as long as mapping 20,000 events, so `cache`, a folder, keeps it. `wanted`
    tells, by a source's name, which of the columns of its events are read; the others are null.
    """

    def __init__(
        self,
        connection: Connection | None = None,
        cache: Path | None = None,
        wanted: Callable[[str], frozenset[str]] | None = None,
    ) -> None:
        self._connection = connection or connect()
        self._cache = cache
        self._wanted = wanted
        self._statements: dict[str, str] = {}

    def map(self, source: Source, raw: pa.Table) -> Mapped:
        """`raw` has the columns of RAW. Row order is kept; raw columns are passed on, not copied."""
        raw = with_envelopes(raw)
        if source.name not in self._statements:
            self._statements[source.name] = self._statement(source)
        self._connection.register("raw_records", raw)
        try:
            columns = self._connection.execute(self._statements[source.name]).to_arrow_table()
        finally:
            self._connection.unregister("raw_records")
        reasons = columns["reject"]
        found = columns.drop_columns(["reject"])
        if "entity_texts" in found.column_names:
            texts, found = found["entity_texts"], found.drop_columns(["entity_texts"])
            found = found.append_column("entities", entities(self._connection, found, texts))
        events = pa.table({c.name: _column(found, c, len(raw)) for c in MAPPED})
        for name in found.column_names:
            if name.startswith("$"):
                events = events.append_column(name, found[name])
        events = events.append_column("map_version", pa.repeat(pa.scalar(source.version, pa.int32()), len(raw)))
        for name in (*_KEPT, *_ADDED):
            if name in raw.column_names:
                events = events.append_column(raw.schema.field(name), raw[name])
        rejected = raw.select(_KEPT).append_column("reason", reasons)
        if reasons.null_count == len(raw):
            return Mapped(events, rejected.slice(0, 0))
        accepted = pc.is_null(reasons)
        return Mapped(events.filter(accepted), rejected.filter(pc.invert(accepted)))

    def _statement(self, source: Source) -> str:
        wanted = None if self._wanted is None else sorted(self._wanted(source.name))
        if self._cache is None:
            return _build(source, wanted)
        made_from = (__version__, COMPILER, source.map_sql, source.model_dump_json(), repr(MAPPED), wanted)
        kept = self._cache / f"{source.name}-{sha256(repr(made_from).encode()).hexdigest()[:32]}.sql"
        if not kept.exists():
            write_file(kept, _build(source, wanted).encode())
        return kept.read_text(encoding="utf-8")


def with_envelopes(raw: pa.Table) -> pa.Table:
    """`raw` with the column `envelope`, null where nothing was wrapped: mappings read it."""
    return raw if "envelope" in raw.column_names else raw.append_column("envelope", pa.nulls(len(raw), pa.string()))


def _build(source: Source, wanted: list[str] | None) -> str:
    from trailkeep.engine.mapping import stored_select  # takes long to import, and a cached statement needs it not

    return stored_select(source, "raw_records", wanted)


_TYPES = {
    "VARCHAR": pa.string(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    "VARCHAR[]": pa.list_(pa.string()),
}


def _column(found: pa.Table, column: Column, rows: int) -> pa.ChunkedArray | pa.Array:
    """A column of the mapping, or nulls where the source does not fill it."""
    return found[column.name] if column.name in found.column_names else pa.nulls(rows, _TYPES[column.type])
