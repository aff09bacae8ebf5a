"""A lake in, what should have arrived and what did out: per source, account, region and hour; and who fell silent.

What is expected is told by three witnesses: CloudTrail's digests name every log file and its hash; a listing of S3
counts the objects of a day; and a source that has spoken at an hour on nearly every day speaks then today.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlalchemy import func, select

from trailkeep.core.columns import SIGNAL_SOURCE
from trailkeep.engine.duckdb import Connection
from trailkeep.lake.drills import drill_object_ids
from trailkeep.lake.home import Home
from trailkeep.lake.snapshot import current_snapshot
from trailkeep.store.database import reading
from trailkeep.store.tables import objects, positions

COMPLETENESS = pa.schema(
    [
        ("source", pa.string()),
        ("account_uid", pa.string()),
        ("region", pa.string()),
        ("hour", pa.timestamp("us", "UTC")),
        ("witness", pa.string()),
        ("expected", pa.int64()),
        ("arrived", pa.int64()),
        ("missing", pa.int64()),
        ("note", pa.string()),
    ]
)
LISTED = "listed:"
"""What the scope of a position begins with that says how many objects a listing found in a folder."""

_FOLDER = re.compile(r"AWSLogs/(?:o-[a-z0-9]+/)?(\d{12})/([^/]+)/([a-z0-9-]+)/(\d{4})/(\d{1,2})/(\d{1,2})/")
_SOURCES = {
    "CloudTrail": "aws_cloudtrail",
    "Config": "aws_config",
    "GuardDuty": "aws_guardduty",
    "WAFLogs": "aws_waf",
    "elasticloadbalancing": "aws_alb_access",
    "network-firewall": "aws_network_firewall",
    "vpcdnsquerylogs": "aws_route53_resolver",
    "vpcflowlogs": "aws_vpc_flow",
}


@dataclass(frozen=True)
class Rhythm:
    """When a source counts as one that normally speaks at an hour of the day, and how long it may then be silent."""

    days: int = 14
    """of which the past is looked at"""
    least_days: int = 7
    """for which a source must be known"""
    share: float = 0.9
    """of the days on which it spoke at that hour"""
    silent_hours: int = 2
    """in which it should have spoken and did not, before that is told"""
    late_hours: int = 1
    """that logs may be late"""


@dataclass(frozen=True)
class Silence:
    """A source that normally speaks and does not. `hours`: in how many it should have spoken since `last`."""

    source: str
    account_uid: str | None
    region: str | None
    last: datetime
    hours: int


_ARRIVED = """
CREATE OR REPLACE TEMP TABLE arrived AS
SELECT source, coalesce(account_uid, '') AS account_uid, coalesce(region, '') AS region,
    date_trunc('hour', time) AS hour, count(*) AS events
FROM iceberg_scan($table)
WHERE time >= $since AND time <= $now AND source NOT IN ($signals, 'trailkeep_audit')
    AND NOT list_contains($drills::VARCHAR[], object_id)
GROUP BY ALL
"""
# A series: source, account and region. An hour of the day is its habit where it spoke then on enough days.
_HABITS = """
CREATE OR REPLACE TEMP TABLE habits AS
SELECT a.source, a.account_uid, a.region, hour(a.hour) AS hour_of_day
FROM arrived a JOIN (
    SELECT source, account_uid, region, date_trunc('day', min(hour)) AS first, date_trunc('day', max(hour)) AS last
    FROM arrived GROUP BY ALL
) s USING (source, account_uid, region)
WHERE date_diff('day', s.first, s.last) >= $least_days AND a.hour > s.first + INTERVAL 1 DAY AND a.hour < s.last
GROUP BY a.source, a.account_uid, a.region, hour(a.hour), s.first, s.last
HAVING count(*) >= $share * greatest(date_diff('day', s.first, s.last) - 1, 1)
"""
_SILENCES = """
WITH series AS (SELECT source, account_uid, region, max(hour) AS last FROM arrived GROUP BY ALL)
SELECT s.source, nullif(s.account_uid, '') AS account_uid, nullif(s.region, '') AS region, s.last, count(*) AS hours
FROM series s
CROSS JOIN LATERAL (SELECT unnest(generate_series(s.last + INTERVAL 1 HOUR, $until, INTERVAL 1 HOUR)) AS hour) g
JOIN habits h ON h.source = s.source AND h.account_uid = s.account_uid AND h.region = s.region
    AND h.hour_of_day = hour(g.hour)
GROUP BY ALL HAVING count(*) >= $silent_hours ORDER BY ALL
"""
_MATRIX = """
SELECT coalesce(a.source, h.source) AS source, nullif(coalesce(a.account_uid, h.account_uid), '') AS account_uid,
    nullif(coalesce(a.region, h.region), '') AS region, coalesce(a.hour, h.hour) AS hour, 'rhythm' AS witness,
    CASE WHEN h.source IS NOT NULL THEN 1 END AS expected, coalesce(a.events, 0) AS arrived,
    CASE WHEN a.source IS NULL THEN 1 ELSE 0 END AS missing,
    CASE WHEN a.source IS NULL THEN 'nothing, at an hour at which it normally speaks' END AS note
FROM (SELECT * FROM arrived WHERE hour >= $from) a
FULL JOIN (
    SELECT source, account_uid, region, g.hour
    FROM (SELECT unnest(generate_series($from, $until, INTERVAL 1 HOUR)) AS hour) g
    JOIN habits h ON h.hour_of_day = hour(g.hour)
) h ON a.source = h.source AND a.account_uid = h.account_uid AND a.region = h.region AND a.hour = h.hour
"""


def silences(con: Connection, home: Home, now: datetime, rhythm: Rhythm) -> list[Silence]:
    """The sources that should have spoken for some hours and did not."""
    _prepare(con, home, now, rhythm)
    until = _hour(now) - timedelta(hours=1 + rhythm.late_hours)
    rows = con.execute(_SILENCES, {"until": until, "silent_hours": rhythm.silent_hours}).to_arrow_table()
    return [Silence(**row) for row in rows.to_pylist()]


def completeness(con: Connection, home: Home, now: datetime, hours: int, rhythm: Rhythm) -> pa.Table:
    """What arrived in the last `hours`, and what should have, as rows of COMPLETENESS; digests and listings whole."""
    _prepare(con, home, now, rhythm)
    first = _hour(now) - timedelta(hours=hours)
    until = _hour(now) - timedelta(hours=1 + rhythm.late_hours)
    found = con.execute(_MATRIX, {"from": first, "until": until}).to_arrow_table()
    witnessed = [*_of_digests(home), *_of_listings(home)]
    rows = pa.concat_tables([found.cast(COMPLETENESS), pa.Table.from_pylist(witnessed, schema=COMPLETENESS)])
    return rows.sort_by([("source", "ascending"), ("account_uid", "ascending"), ("hour", "ascending")])


def _prepare(con: Connection, home: Home, now: datetime, rhythm: Rhythm) -> None:
    since = now - timedelta(days=rhythm.days)
    with reading(home.state) as state:
        drills = drill_object_ids(state, since)  # they speak for no source
    con.execute(
        _ARRIVED,
        {
            "table": current_snapshot(home).events,
            "since": since,
            "now": now,
            "signals": SIGNAL_SOURCE,
            "drills": drills,
        },
    )
    con.execute(_HABITS, {"least_days": rhythm.least_days, "share": rhythm.share})


def _of_digests(home: Home) -> Iterator[dict[str, Any]]:
    """What CloudTrail's digest files say of the log files, and of the digests before them."""
    with reading(home.state) as connection:
        digests = connection.execute(select(objects.c.key, objects.c.content).where(objects.c.kind == "digest")).all()
        documents = [(key, json.loads(content)) for key, content in digests if content]
        names = {document["digestS3Object"] for _, document in documents}
        chains: dict[tuple[str, str], str] = {}
        for _, document in documents:
            chain, start = _chain(document), document["digestStartTime"]
            chains[chain] = min(start, chains.get(chain, start))
        for key, document in documents:
            wanted = {file["hashValue"]: file["s3Object"] for file in document["logFiles"]}
            query = select(objects.c.sha256).where(objects.c.sha256.in_(list(wanted)))
            have = set(connection.execute(query.distinct()).scalars())
            lost = [name for digest, name in wanted.items() if digest not in have]
            notes = [f"not here: {name}" for name in lost[:3]]
            before = document.get("previousDigestS3Object")
            gap = before is not None and before not in names and document["digestStartTime"] > chains[_chain(document)]
            if gap:
                notes.append(f"the digest before it is not here: {before}")
            account, region = _chain(document)
            yield {
                "source": "aws_cloudtrail",
                "account_uid": account,
                "region": region,
                "hour": datetime.fromisoformat(document["digestStartTime"]),
                "witness": "digest",
                "expected": len(wanted),
                "arrived": len(wanted) - len(lost),
                "missing": len(lost) + gap,
                "note": f"{key}: " + "; ".join(notes) if notes else None,
            }


def _chain(document: Mapping[str, Any]) -> tuple[str, str]:
    """Account and region of a digest; its key names the region."""
    found = re.search(r"CloudTrail-Digest/([a-z0-9-]+)/", document["digestS3Object"])
    return document["awsAccountId"], found[1] if found else ""


def _of_listings(home: Home) -> Iterator[dict[str, Any]]:
    """What listings of S3 found in folders of a day, and how many of these objects the ledger has."""
    query = select(positions.c.scope, positions.c.value).where(positions.c.scope.startswith(LISTED))
    with reading(home.state) as connection:
        for scope, value in connection.execute(query).all():
            prefix = scope.removeprefix(LISTED)
            found = _FOLDER.search(prefix)
            inside = objects.c.key.startswith(prefix, autoescape=True)
            have = connection.execute(select(func.count(func.distinct(objects.c.key))).where(inside)).scalar() or 0
            account, service, region, year, month, day = found.groups() if found else (None,) * 6
            moment = f"{year}-{int(month):02}-{int(day):02}T00Z" if month and day else value["at"]
            yield {
                "source": _SOURCES.get(str(service), service),
                "account_uid": account,
                "region": region,
                "hour": datetime.fromisoformat(moment),
                "witness": "listing",
                "expected": value["objects"],
                "arrived": have,
                "missing": max(value["objects"] - have, 0),
                "note": prefix,
            }


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
