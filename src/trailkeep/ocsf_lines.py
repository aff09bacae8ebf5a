"""Log files in, OCSF 1.5.0 events as JSON lines out; nothing is stored."""

from collections.abc import Iterator

from trailkeep.collect.files import Fetched, LogFile, fetch
from trailkeep.core.errors import InputError
from trailkeep.engine.duckdb import Connection, connect
from trailkeep.intake import Reading
from trailkeep.normalize.ocsf import to_ocsf
from trailkeep.normalize.read import key_time, read_object
from trailkeep.normalize.records import to_table

Problems = list[tuple[str, str]]


def ocsf_lines(reading: Reading, files: list[LogFile]) -> Iterator[tuple[list[bytes], Problems]]:
    """The events of each file, and what of it could not be read: (key, reason)."""
    connection = connect(threads=1)
    for group in fetch(files):
        for file in group:
            yield _lines(connection, reading, file)


def _lines(connection: Connection, reading: Reading, file: Fetched) -> tuple[list[bytes], Problems]:
    if file.error:
        return [], [(file.key, file.error)]
    try:
        records = read_object(file.data, file.key, reading.sources, source=reading.source, limit=reading.limit)
    except InputError as error:
        return [], [(file.key, str(error))]
    if records.source is None or records.kind not in ("events", "empty"):
        return [], [(file.key, records.reason or f"is a {records.kind} file; it holds no events")]
    problems = [(file.key, f"at byte {piece.position}: {piece.reason}") for piece in records.bad]
    if not records.count:
        return [], problems
    raw = to_table(records, records.sha256[:32], key_time(file.key))
    events = to_ocsf(connection, reading.sources[records.source], raw)
    rejected = events.rejected.select(["record_no", "reason"]).to_pylist()
    return events.lines, problems + [(file.key, f"record {row['record_no']}: {row['reason']}") for row in rejected]
