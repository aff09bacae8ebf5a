"""The shipped samples in, a lake out whose first half is compacted, with sightings, and whose second half is not."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from tests.content.records import json_records
from trailkeep.core.source import Source
from trailkeep.lake.commit import commit
from trailkeep.lake.compact import compact
from trailkeep.lake.home import Home, create_home
from trailkeep.lake.shard import Shard, write_events
from trailkeep.lake.tables import events_arrow_schema, events_table
from trailkeep.normalize.formats.delimited import read_lines
from trailkeep.normalize.mapping import RAW, Mapper
from trailkeep.normalize.read import read_object, to_table

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def make_lake(path: Path, sources: dict[str, Source]) -> Home:
    """Every object is stored twice, as two trails deliver it: once before compaction and once after it."""
    home = create_home(path)
    for half in ("first", "second"):
        tables = [
            stored(source, f"{half}/{source.name}/{file.name}", file.read_text())
            for source in sources.values()
            for file in sorted((source.folder / "samples").iterdir())
            if file.suffix in (".json", ".log", ".txt", ".jsonl")
        ]
        schema = events_arrow_schema(events_table(home))
        for events in tables:
            store(home, events, schema)
        if half == "first":
            compact(home, lambda: NOW)
    return home


def store(home: Home, events: pa.Table, schema: pa.Schema) -> None:
    name = uuid4().hex
    commit(home, name, [Shard(files=list(write_events(home.events_data, name, events, schema)))])


def stored(source: Source, key: str, text: str) -> pa.Table:
    object_id = sha256(key.encode()).hexdigest()[:32]
    if source.recognise.around:  # a sample is what its events come in
        raw = to_table(read_object(text.encode(), key, {source.name: source}, limit=10**7), object_id, None)
    else:
        raw = _raw(source, object_id, text)
    return _with_bookkeeping(source, key, raw)


def _raw(source: Source, object_id: str, text: str) -> pa.Table:
    if source.format == "json":
        lines, header = [json.dumps(record) for record in json_records(text)], None
    elif source.format == "lines":
        read = read_lines(text.encode(), source.comments, begins=source.begins)
        lines, header = [line for chunk in read.chunks for line in chunk.raw.to_pylist()], None
    else:
        header, *lines = text.splitlines()
    columns = {
        "raw_data": lines,
        "raw_format": [header] * len(lines),
        "object_id": [object_id] * len(lines),
        "record_no": range(len(lines)),
        "key_time": [None] * len(lines),
    }
    return pa.table({name: pa.array(columns[name], RAW.field(name).type) for name in RAW.names})


def _with_bookkeeping(source: Source, key: str, raw: pa.Table) -> pa.Table:
    events = Mapper().map(source, raw).events
    digests = [sha256(line.encode()).digest() for line in events["raw_data"].to_pylist()]
    extra = {
        "batch_id": pa.array([key] * len(events)),
        "ingest_time": pa.array([NOW] * len(events), pa.timestamp("us", "UTC")),
        "raw_sha256": pa.array(digests, pa.binary()),
    }
    for name, values in extra.items():
        events = events.append_column(name, values)
    return events
