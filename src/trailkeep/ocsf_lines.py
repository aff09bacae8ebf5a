"""Log files in, OCSF 1.5.0 events as JSON lines out; nothing is stored."""

from collections import defaultdict
from collections.abc import Iterator

import pyarrow as pa

from trailkeep.collect.files import LogFile, fetch, grouped
from trailkeep.core.errors import InputError
from trailkeep.core.fetched import Fetched
from trailkeep.core.source import Source
from trailkeep.engine.duckdb import connect
from trailkeep.intake import Reading
from trailkeep.normalize.archive import Archive, unpack
from trailkeep.normalize.ocsf import OcsfMapper
from trailkeep.normalize.read import key_time, read_objects
from trailkeep.normalize.records import ObjectRecords, to_table

Problems = list[tuple[str, str]]
_ROWS = 10_000  # mapped at once


def ocsf_lines(reading: Reading, files: list[LogFile]) -> Iterator[tuple[list[bytes], Problems]]:
    """Portions of events, and what of the files could not be read: (key, reason)."""
    mapper = OcsfMapper(connect(threads=1))
    opened = (member for group in fetch(files) for file in group for member in unpack(file, reading.limit))
    for group in grouped(opened):
        # Files of a group are mapped together: a statement costs more than the records of a small file.
        tables: dict[str, list[pa.Table]] = defaultdict(list)
        for file in group:
            objects, problems = _read(reading, file)
            yield [], problems
            for records in objects:
                assert records.source is not None
                table = to_table(records, records.sha256[:32], key_time(file.key))
                tables[records.source].append(table.append_column("key", pa.repeat(file.key, len(table))))
        for name, parts in tables.items():
            yield from _mapped(mapper, reading.sources[name], pa.concat_tables(parts))


def _read(reading: Reading, file: Fetched) -> tuple[list[ObjectRecords], Problems]:
    """The objects of a file that have records, and what is wrong with it."""
    if file.error:
        return [], [(file.key, file.error)]
    if isinstance(file, Archive):
        pieces = [(file.key, f"at byte {piece.position}: {piece.reason}") for piece in file.bad]
        return [], [(file.key, file.refused)] if file.refused else pieces
    try:
        objects = read_objects(file.data, file.key, reading.sources, source=reading.source, limit=reading.limit)
    except InputError as error:
        return [], [(file.key, str(error))]
    first = objects[0]
    if first.source is None or first.kind not in ("events", "empty"):
        return [], [(file.key, first.reason or f"is a {first.kind} file; it holds no events")]
    problems = [(file.key, f"at byte {p.position}: {p.reason}") for records in objects for p in records.bad]
    return [records for records in objects if records.count], problems


def _mapped(mapper: OcsfMapper, source: Source, raw: pa.Table) -> Iterator[tuple[list[bytes], Problems]]:
    for start in range(0, len(raw), _ROWS):
        events = mapper.map(source, raw.slice(start, _ROWS))
        rejected = events.rejected.select(["key", "record_no", "reason"]).to_pylist()
        yield events.lines, [(row["key"], f"record {row['record_no']}: {row['reason']}") for row in rejected]
