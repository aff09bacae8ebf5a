"""What should have arrived and did not: by habit, by digest, by listing; and the alert about who fell silent."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Program
from tests.e2e.records import ACCOUNT, document, packed, record
from trailkeep.audit import Watch
from trailkeep.collect.config import Silence
from trailkeep.collect.feed import Feed
from trailkeep.engine.reading import connect_lake
from trailkeep.lake.completeness import LISTED, Rhythm, completeness, silences
from trailkeep.lake.home import open_home
from trailkeep.lake.progress import KeptProgress, Position, Progress, record_progress

NOW = datetime(2026, 11, 17, 12, 30, tzinfo=UTC)
DAYS = 10


def spoken(number: int, moment: datetime, **changed: Any) -> dict[str, Any]:
    return record(number, eventTime=f"{moment:%Y-%m-%dT%H:%M:%SZ}", **changed)


def hourly(account: str, until: datetime, only: int | None = None) -> list[dict[str, Any]]:
    """A record an hour for ten days, or one a day at the hour `only`."""
    found, moment = [], NOW - timedelta(days=DAYS)
    while moment <= until:
        if only is None or moment.hour == only:
            found.append(spoken(int(moment.timestamp()) // 60, moment, recipientAccountId=account))
        moment += timedelta(hours=1)
    return found


@pytest.fixture
def lake(trailkeep: Program, tmp_path: Path) -> Path:
    """Three accounts: one speaks every hour, one fell silent at eight, one speaks once a day at six."""
    records = [
        *hourly("111111111111", NOW),
        *hourly("222222222222", NOW.replace(hour=8)),
        *hourly("333333333333", NOW, only=6),
    ]
    path = tmp_path / "x.json.gz"
    path.write_bytes(packed(document(*records)))
    assert trailkeep("ingest", path, "--home", tmp_path / "lake", "--no-rules").code == 0
    return tmp_path / "lake"


def test_who_fell_silent(lake: Path) -> None:
    home = open_home(lake)
    con = connect_lake(home.warehouse)
    (silent,) = silences(con, home, NOW, Rhythm())
    assert (silent.source, silent.account_uid, silent.region) == ("aws_cloudtrail", "222222222222", "eu-central-1")
    assert (silent.last, silent.hours) == (NOW.replace(hour=8, minute=0), 2)  # at nine and ten; eleven may be late
    assert silences(con, home, NOW, Rhythm(silent_hours=3)) == []
    assert silences(con, home, NOW, Rhythm(least_days=11)) == []  # nobody is known for so long
    later = {each.account_uid for each in silences(con, home, NOW + timedelta(days=1), Rhythm())}
    assert later == {"111111111111", "222222222222"}
    assert {each.account_uid for each in silences(con, home, NOW + timedelta(days=2), Rhythm(silent_hours=1))} == {
        *later,
        "333333333333",
    }


def test_hours_in_which_something_is_missing(lake: Path, trailkeep: Program) -> None:
    home = open_home(lake)
    rows = completeness(connect_lake(home.warehouse), home, NOW, 6, Rhythm()).to_pylist()
    assert {row["witness"] for row in rows} == {"rhythm"}
    missing = [(row["account_uid"], row["hour"].hour) for row in rows if row["missing"]]
    assert missing == [("222222222222", 9), ("222222222222", 10)]
    assert sum(row["arrived"] for row in rows if row["account_uid"] == "111111111111") == 7
    assert [row["expected"] for row in rows if row["account_uid"] == "333333333333"] == [1]  # at six


def test_digests_name_what_is_missing(trailkeep: Program, tmp_path: Path) -> None:
    folder, lake = tmp_path / "logs", tmp_path / "lake"
    folder.mkdir()
    contents = [document(record(n)) for n in range(3)]

    def digest(hour: int, previous: int | None, *numbers: int) -> dict[str, Any]:
        name = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-central-1/2026/11/17/{{}}.json.gz"
        return {
            "awsAccountId": ACCOUNT,
            "digestStartTime": f"2026-11-17T{hour:02}:00:00Z",
            "digestEndTime": f"2026-11-17T{hour + 1:02}:00:00Z",
            "digestS3Bucket": "logs",
            "digestS3Object": name.format(hour),
            "previousDigestS3Object": None if previous is None else name.format(previous),
            "logFiles": [{"s3Object": f"file-{n}", "hashValue": sha256(contents[n]).hexdigest()} for n in numbers],
        }

    for hour, previous, *numbers in ((8, 7, 0, 1), (10, 9, 2)):
        (folder / f"{ACCOUNT}_CloudTrail-Digest_{hour}.json").write_text(json.dumps(digest(hour, previous, *numbers)))
    (folder / "log-0.json").write_bytes(contents[0])
    (folder / "log-2.json").write_bytes(contents[2])
    assert trailkeep("ingest", folder, "--home", lake).code == 0
    done = trailkeep("status", "--completeness", "--home", lake, "--format", "jsonl")
    assert done.code == 1
    rows = [row for row in map(json.loads, done.out.splitlines()) if row["witness"] == "digest"]
    assert [(row["expected"], row["arrived"], row["missing"]) for row in rows] == [(2, 1, 1), (1, 1, 1)]
    assert "not here: file-1" in rows[0]["note"]  # the digest before the first is not asked for
    assert f"the digest before it is not here: AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-central-1/" in rows[1]["note"]
    shown = trailkeep("status", "--home", lake)
    assert f"missing: aws_cloudtrail ({ACCOUNT}, eu-central-1): 2 files that digests name" in shown.err
    (folder / "log-1.json").write_bytes(contents[1])
    (folder / f"{ACCOUNT}_CloudTrail-Digest_9.json").write_text(json.dumps(digest(9, 8)))
    assert trailkeep("ingest", folder, "--home", lake).code == 0
    assert trailkeep("status", "--completeness", "--home", lake).code == 0


def test_listings_are_compared_with_the_ledger(lake: Path) -> None:
    home = open_home(lake)
    prefix = "s3://logs/AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/11/7/"
    record_progress(home.state, Progress((Position("flow", LISTED + prefix, {"objects": 3, "at": NOW.isoformat()}),)))
    rows = completeness(connect_lake(home.warehouse), home, NOW, 1, Rhythm()).to_pylist()
    (row,) = [row for row in rows if row["witness"] == "listing"]
    assert (row["source"], row["account_uid"], row["region"]) == ("aws_vpc_flow", "111111111111", "eu-west-1")
    assert (row["hour"], row["expected"], row["arrived"], row["missing"]) == (
        datetime(2026, 11, 7, tzinfo=UTC),
        *(3, 0, 3),
    )


def test_a_silence_is_told_once_and_alerts(lake: Path, trailkeep: Program, tmp_path: Path) -> None:
    home, feed = open_home(lake), Feed(limit=1 << 20)
    watch = Watch(home, feed, Silence(), home.spool / "trailkeep", print)
    watch.notice(NOW)
    (delivery,) = feed.take(1 << 20, 0, 0)
    assert delivery.file
    path = tmp_path / "audit.jsonl"
    path.write_bytes(delivery.file.path.read_bytes())
    record_progress(home.state, Progress(delivery.positions))
    delivery.settled("stored")
    assert not list((home.spool / "trailkeep").iterdir())
    assert len(KeptProgress(home.state).positions("trailkeep")) == 1
    watch.notice(NOW)
    assert feed.take(1 << 20, 0, 0) == []
    assert trailkeep("ingest", path, "--home", lake).code == 0
    (alert,) = [
        json.loads(line) for line in trailkeep("alerts", "list", "--home", lake, "--format", "jsonl").out.splitlines()
    ]
    assert (alert["title"], alert["level"]) == ("A log source fell silent", "high")
