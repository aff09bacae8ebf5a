"""A folder in, what each shipped detector of baselines costs over 90 days of 1,000 principals out.

`python -m bench.baselines make FOLDER EVENTS` writes a lake; `python -m bench.baselines look FOLDER NAME` lets one
detector look at the last day of it, with all the history that it asks for, as `collect` does every hour, and prints how
many findings there were.

Events are made as they are stored, by SQL, and written and committed by the lake's own code: mapping is not what is
measured. Three quarters are CloudTrail, the rest flows and DNS queries. A record is 300 bytes, which matters to
detectors that read `raw_data` and to no other.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pyarrow as pa

from trailkeep.baselines import find
from trailkeep.cli.setup import SHIPPED_RULES
from trailkeep.detect.baseline import check
from trailkeep.detect.rules import load_rules
from trailkeep.engine.duckdb import connect
from trailkeep.engine.reading import connect_lake
from trailkeep.geo.places import Geo, Places
from trailkeep.lake.commit import commit, intend
from trailkeep.lake.home import Home, create_home, open_home
from trailkeep.lake.shard import Shard, write_events
from trailkeep.lake.tables import events_arrow_schema, events_table

DAYS, PRINCIPALS, RANGES = 90, 1000, 100_000
ODD = 40  # events at the end, from an address and of a region that nobody had
END = datetime(2026, 11, 29, tzinfo=UTC)
# A number is as random as its hash: h(n, k) for the k-th property of event n. Days are busy from 06 to 18 UTC.
_EVENTS = """
WITH numbered AS (
    SELECT n, (n * 9973) % 4 AS kind, (hash(n, 1) % {principals})::BIGINT AS who, (hash(n, 2) % 1000)::BIGINT AS what,
        (hash(n, 3) % 1000000007)::BIGINT AS x
    FROM range(CAST({first} AS BIGINT), CAST({first} + {count} AS BIGINT)) AS t(n)
)
SELECT
    make_timestamptz(CAST({start} AS BIGINT) * 1000000 + CAST(
        (CASE WHEN x % 10 < 8 THEN 21600 + x % 43200 ELSE x % 86400 END) AS BIGINT) * 1000000) AS "time",
    CASE WHEN kind < 3 THEN 'aws_cloudtrail' WHEN x % 2 = 0 THEN 'aws_vpc_flow' ELSE 'aws_route53_resolver'
        END AS source,
    '11112222' || lpad((who % 6)::VARCHAR, 4, '0') AS account_uid,
    CASE WHEN n >= {odd} THEN 'ap-east-1' ELSE ['eu-central-1', 'eu-west-1', 'us-east-1'][1 + who % 3] END AS region,
    CASE WHEN kind < 3 THEN 'service' || (what % 40) END AS service,
    CASE WHEN kind < 3 THEN CASE what WHEN 0 THEN 'RunInstances' WHEN 1 THEN 'ConsoleLogin' WHEN 2 THEN 'AssumeRole'
        ELSE CASE WHEN what < 100 THEN 'GetObject' ELSE 'Action' || (what % 300) END END END AS event_name,
    CASE WHEN kind < 3 THEN 'arn:aws:iam::111122223333:user/u' || who END AS principal,
    CASE WHEN kind < 3 AND n >= {odd} THEN '200.1.2.3'
        WHEN kind < 3 THEN (20 + who % 60) || '.' || (who % 200) || '.' || (x % 3) || '.7'
        ELSE '10.0.' || (who % 4) || '.' || (who % 250) END AS src_ip,
    CASE WHEN kind < 3 AND who % 2 = 0 THEN 'AKIA' || lpad(who::VARCHAR, 16, '0') END AS access_key,
    n::VARCHAR AS event_uid,
    CASE WHEN kind < 3 THEN 6003 ELSE 4001 END::INTEGER AS class_uid,
    (1 + what % 4)::INTEGER AS activity_id,
    1::INTEGER AS severity_id,
    CASE WHEN x % 50 = 0 THEN 2 ELSE 1 END::INTEGER AS status_id,
    CASE WHEN kind < 3 AND x % 50 = 0 THEN 'AccessDenied' END AS error_code,
    CASE WHEN kind < 3 THEN CASE WHEN who % 2 = 0 THEN 'IAMUser' ELSE 'AssumedRole' END END AS user_type,
    CASE WHEN kind < 3 THEN 'aws-cli/2.' || (who % 30) || ' lang/python' END AS user_agent,
    CASE WHEN kind = 3 AND x % 2 = 0 THEN (20 + x % 100) || '.1.' || (x % 200) || '.9' END AS dst_ip,
    CASE WHEN kind = 3 AND x % 2 = 0 THEN x % 20000000 END::BIGINT AS bytes,
    CASE WHEN kind = 3 THEN 1 END::INTEGER AS action_id,
    CASE WHEN kind = 3 AND x % 2 = 1 THEN 'host' || (x % 5000) || '.domain' || (x % 300) || '.example'
        END AS query_hostname,
    CASE WHEN what = 2 THEN ['arn:aws:iam::111122223333:role/r' || (who % 50)] END AS resources,
    '{{"requestParameters":{{"instanceType":"m7g.large","filler":"' || repeat(md5(n::VARCHAR), 7) || '"}}}}'
        AS raw_data
FROM numbered
"""


def make(folder: Path, events: int) -> None:
    """A lake with `events` of the last 90 days in it, committed day by day, and files of places."""
    home = create_home(folder / "lake")
    schema = events_arrow_schema(events_table(home))
    a_day = max(1, events // DAYS)
    con = connect(threads=2)
    for day in range(DAYS):
        start = int((END - timedelta(days=DAYS - day)).timestamp())
        numbers = {"first": day * a_day, "count": a_day, "odd": DAYS * a_day - ODD}
        query = _EVENTS.format(**numbers, start=start, principals=PRINCIPALS)
        _store(home, UUID(int=day).hex, con.execute(query).to_arrow_table(), schema)
    step = 2**32 // RANGES
    rows = [(number * step, (number + 1) * step - 1, number) for number in range(RANGES)]
    with (folder / "country.csv").open("w") as country, (folder / "asn.csv").open("w") as asn:
        for first, last, number in rows:
            ends = f"{_dotted(first)},{_dotted(last)}"
            country.write(f"{ends},{chr(65 + number % 26)}{chr(65 + number % 7)}\n")
            asn.write(f"{ends},{64512 + number % 1000},Network {number % 1000}\n")


def _store(home: Home, batch_id: str, events: pa.Table, schema: pa.Schema) -> None:
    intend(home, batch_id, "bench", [batch_id])
    commit(home, batch_id, [Shard(files=list(write_events(home.events_data, batch_id, events, schema)))])


def _dotted(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def look(folder: Path, name: str) -> int:
    """How many findings a detector has in the last day."""
    one = next(one for one in load_rules([SHIPPED_RULES / "baselines"], folder / "cache").baselines if one.name == name)
    files = {kind: (folder / f"{kind}.csv",) for kind in check(one.asks).needs}
    places = Places(Geo.model_validate(files))
    home = open_home(folder / "lake")
    with connect_lake(home.warehouse, threads=1) as con:
        return sum(1 for _ in find(con, home, one, END - timedelta(days=1), END, places))


def names() -> list[str]:
    """Of all that are shipped."""
    return [one.name for one in load_rules([SHIPPED_RULES / "baselines"]).baselines]


if __name__ == "__main__":
    what, where, which = sys.argv[1:]
    if what == "make":
        make(Path(where), int(which))
    else:
        print(json.dumps({"findings": look(Path(where), which)}))
