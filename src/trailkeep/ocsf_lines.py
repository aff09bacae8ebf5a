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
from trailkeep.normalize.read import key_time, read_object
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
            records, problems = _read(reading, file)
            yield [], problems
            if records is not None and records.source is not None:
                table = to_table(records, records.sha256[:32], key_time(file.key))
                tables[records.source].append(table.append_column("key", pa.repeat(file.key, len(table))))
        for name, parts in tables.items():
            yield from _mapped(mapper, reading.sources[name], pa.concat_tables(parts))


def _read(reading: Reading, file: Fetched) -> tuple[ObjectRecords | None, Problems]:
    """The records of a file, if it has any, and what is wrong with it."""
    if file.error:
        return None, [(file.key, file.error)]
    if isinstance(file, Archive):
        pieces = [(file.key, f"at byte {piece.position}: {piece.reason}") for piece in file.bad]
        return None, [(file.key, file.refused)] if file.refused else pieces
    try:
        records = read_object(file.data, file.key, reading.sources, source=reading.source, limit=reading.limit)
    except InputError as error:
        return None, [(file.key, str(error))]
    if records.source is None or records.kind not in ("events", "empty"):
        return None, [(file.key, records.reason or f"is a {records.kind} file; it holds no events")]
    problems = [(file.key, f"at byte {piece.position}: {piece.reason}") for piece in records.bad]
    return records if records.count else None, problems


def _mapped(mapper: OcsfMapper, source: Source, raw: pa.Table) -> Iterator[tuple[list[bytes], Problems]]:
    for start in range(0, len(raw), _ROWS):
        events = mapper.map(source, raw.slice(start, _ROWS))
        rejected = events.rejected.select(["key", "record_no", "reason"]).to_pylist()
        yield events.lines, [(row["key"], f"record {row['record_no']}: {row['reason']}") for row in rejected]
