"""A lake in, the logs that hold debug messages out: they cost much, and often hold what should not be in a log.

The level of an event is what its source's map.sql finds; of syslog lines it stands in their priority. A log is a log
group, a file, or what a sender sends.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp

from trailkeep.core.source import Source
from trailkeep.engine.duckdb import Connection
from trailkeep.engine.mapping import outputs_of
from trailkeep.engine.reading import fetch
from trailkeep.engine.view_select import output_select
from trailkeep.lake.home import Home
from trailkeep.lake.views import register_views

_LEVEL = "metadata.log_level"
_RECENT = "SELECT * FROM events WHERE ingest_time >= CAST(:since AS TIMESTAMPTZ)"
# A line's priority is eight times its facility, and its severity, of which 7 is debug.
_PRIORITY = """
SELECT CASE WHEN CAST(nullif(regexp_extract(raw_data, '^<(\\d{1,3})>', 1), '') AS INTEGER) % 8 = 7
    THEN 'debug' END AS output, envelope
FROM recent WHERE source = :source
"""
_REPORT = """
SELECT log, count(*) AS events, count_if(debug) AS debug, count_if(debug) / count(*) AS share
FROM (
    SELECT
        coalesce(
            json_extract_string(envelope, '$.log_group'), json_extract_string(envelope, '$.path'),
            json_extract_string(envelope, '$.service'), json_extract_string(envelope, '$.sender')
        ) AS log,
        coalesce(regexp_matches(lower(output), '^(debug\\d?|trace|verbose|fine(r|st)?)$'), FALSE) AS debug
    FROM levels
)
GROUP BY log
HAVING count_if(debug) > 0
"""
# What is no production system by its own name.
_OTHER = re.compile(r"(?i)(^|[^a-z])(dev|devel|development|test|testing|qa|stage|staging|sandbox|demo)([^a-z]|$)")


def debug_logs(con: Connection, home: Home, sources: Mapping[str, Source], since: datetime) -> pa.Table:
    """Logs with debug messages among their events that were stored at or after `since`, the largest share first.

    `production`: whether nothing in the log's name says otherwise. `con` is engine.reading.connect_lake's.
    """
    register_views(con, home, {}, ())
    recent = _bound(_RECENT, since=since.isoformat())
    names = fetch(con, exp.select("source").distinct().from_(recent.subquery("recent")))["source"].to_pylist()
    rows = [
        row | {"source": name, "production": not _OTHER.search(row["log"] or "")}
        for name in names
        if name in sources
        for row in _of_source(con, sources[name], recent)
    ]
    rows.sort(key=lambda row: (-row["share"], row["source"], row["log"] or ""))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("log", pa.string()),
        ("events", pa.int64()),
        ("debug", pa.int64()),
        ("share", pa.float64()),
        ("production", pa.bool_()),
    ]
)


def _of_source(con: Connection, source: Source, recent: exp.Select) -> list[dict[str, Any]]:
    if _LEVEL in outputs_of(source):
        levels = output_select(source, f"({recent.sql(dialect='duckdb')}) AS recent", _LEVEL)
    elif source.format == "lines":
        levels = _bound(_PRIORITY, source=source.name).with_("recent", as_=recent)
    else:
        return []
    rows: list[dict[str, Any]] = fetch(con, _bound(_REPORT).with_("levels", as_=levels)).to_pylist()
    return rows


def _bound(sql: str, **values: str) -> exp.Select:
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    bound = exp.replace_placeholders(tree, **{name: exp.Literal.string(value) for name, value in values.items()})
    assert isinstance(bound, exp.Select)
    return bound
