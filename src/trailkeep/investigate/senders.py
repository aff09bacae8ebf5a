"""A lake in, how late each sender's events were and whether its clock is right out.

A sender is who pushed events to one of our receivers, or the machine whose files are followed. An event that is later
than its receipt has a clock that is ahead; a long and steady lateness is a queue, or a clock that is behind.
"""

from datetime import datetime

import pyarrow as pa
import sqlglot
from sqlglot import exp

from trailkeep.engine.duckdb import Connection
from trailkeep.engine.reading import fetch
from trailkeep.lake.home import Home
from trailkeep.lake.views import register_views

_QUERY = """
SELECT
    source, protocol, sender,
    count(*)                                        AS events,
    median(late)                                    AS median_seconds,
    max(late)                                       AS most_seconds,
    avg(CASE WHEN late < 0 THEN 1.0 ELSE 0.0 END)   AS future_share,
    greatest(0.0, -min(late))                       AS ahead_seconds
FROM (
    SELECT
        source,
        json_extract_string(envelope, '$.protocol') AS protocol,
        json_extract_string(envelope, '$.sender')   AS sender,
        epoch(TRY_CAST(json_extract_string(envelope, '$.received') AS TIMESTAMPTZ)) - epoch(time) AS late
    FROM events
    WHERE ingest_time >= CAST(:since AS TIMESTAMPTZ) AND envelope LIKE '%"received":%'
)
WHERE sender IS NOT NULL AND late IS NOT NULL
GROUP BY source, protocol, sender
ORDER BY abs(median_seconds) DESC, source, sender
"""


def senders(con: Connection, home: Home, since: datetime) -> pa.Table:
    """Senders of events that were stored at or after `since`, the latest first: seconds from event to receipt.

    `con` is engine.reading.connect_lake's.
    """
    register_views(con, home, {}, ())
    tree = sqlglot.parse_one(_QUERY, dialect="duckdb")
    return fetch(con, exp.replace_placeholders(tree, since=exp.Literal.string(since.isoformat())))
