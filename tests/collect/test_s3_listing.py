"""Objects by listing: days that are done are not listed again, prices are said, nothing is fetched twice."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.aws import REGION
from tests.collect.conftest import Collect
from tests.conftest import Program
from tests.e2e.picture import picture
from tests.e2e.records import document, event_uid, good, packed
from trailkeep.collect.s3_layout import folders
from trailkeep.lake.completeness import LISTED
from trailkeep.lake.home import open_home
from trailkeep.lake.progress import KeptProgress

TODAY = datetime.now(UTC).date()
OLD = TODAY - timedelta(days=9)
TRAIL = "AWSLogs/111122223333/CloudTrail/eu-west-1"


def config(bucket: str, extra: str = "") -> str:
    since = TODAY - timedelta(days=20)
    return f"collect:\n  trail: {{type: s3_listing, bucket: {bucket}, region: {REGION}, since: {since}{extra}}}\n"


def put(aws: Callable[[str], Any], bucket: str, key: str, number: int) -> None:
    aws("s3").put_object(Bucket=bucket, Key=key, Body=packed(document(*good(2, number))))


def scopes(lake: Path) -> dict[str, Any]:
    found = KeptProgress(open_home(lake).state).positions("trail")
    return {scope: value for scope, value in found.items() if not scope.startswith(LISTED)}


def uids(lake: Path) -> list[str]:
    return sorted(uid for uid, _ in picture(lake).events.elements())


def test_every_layout_and_every_day_once(
    aws: Callable[[str], Any], bucket: str, collect: Collect, tmp_path: Path
) -> None:
    keys = [
        f"{TRAIL}/{OLD:%Y/%m/%d}/a.json.gz",
        f"{TRAIL}/{TODAY:%Y/%m/%d}/b.json.gz",
        f"flow/dt={OLD}/c.json.gz",
        f"hive/year={OLD.year}/month={OLD.month}/day={OLD.day}/hour=01/d.json.gz",
        f"flat/{OLD}-01-02-03-E",
        "undated/f.json",
    ]
    for number, key in enumerate([*keys, f"{TRAIL}/2019/01/02/too-old.json.gz", "flat/2019-01-02-too-old"]):
        put(aws, bucket, key, number * 2)
    done = collect(config(bucket))
    assert done.code == 0
    assert "trail: to fetch: 6 objects, 0.00 GB, at most 0.00 US dollars" in done.err
    lake = tmp_path / "lake"
    assert uids(lake) == [event_uid(n) for n in range(12)]
    assert scopes(lake) == {
        "since": str(TODAY - timedelta(days=20)),
        f"s3://{bucket}/{TRAIL}/{OLD:%Y/%m/%d}/": "done",
        f"s3://{bucket}/flow/dt={OLD}/": "done",
        f"s3://{bucket}/hive/year={OLD.year}/month={OLD.month}/day={OLD.day}/": "done",
        f"s3://{bucket}/flat/": f"flat/{OLD}-01-02-03-E",
    }
    listed = {s: v["objects"] for s, v in KeptProgress(open_home(lake).state).positions("trail").items() if LISTED in s}
    assert listed == dict.fromkeys(
        (
            LISTED + f"s3://{bucket}/{folder}/"
            for folder in (
                *(f"{TRAIL}/{OLD:%Y/%m/%d}", f"{TRAIL}/{TODAY:%Y/%m/%d}", f"flow/dt={OLD}"),
                f"hive/year={OLD.year}/month={OLD.month}/day={OLD.day}",
            )
        ),
        1,
    )
    put(aws, bucket, f"{TRAIL}/{TODAY:%Y/%m/%d}/later.json.gz", 12)
    put(aws, bucket, f"flat/{TODAY}-later", 14)
    put(aws, bucket, f"{TRAIL}/{OLD:%Y/%m/%d}/too-late.json.gz", 90)  # its day is done
    before = picture(lake).objects
    done = collect(config(bucket))
    assert "to fetch: 2 objects" in done.err
    assert uids(lake) == [event_uid(n) for n in range(16)]
    assert before - picture(lake).objects == {}
    assert "to fetch" not in collect(config(bucket)).err


def test_a_large_backfill_waits_for_consent(
    aws: Callable[[str], Any], bucket: str, collect: Collect, tmp_path: Path, trailkeep: Program
) -> None:
    put(aws, bucket, f"{TRAIL}/{TODAY:%Y/%m/%d}/a.json.gz", 0)
    done = collect(config(bucket, ", ask_above_gb: 0"))
    assert done.code == 1
    assert "more than ask_above_gb, 0: agree by `trailkeep collect --yes`" in done.err
    assert picture(tmp_path / "lake").totals["records"] == 0
    assert collect(config(bucket, ", ask_above_gb: 0"), "--yes").code == 0
    assert uids(tmp_path / "lake") == [event_uid(0), event_uid(1)]


def test_what_cannot_be_had_is_given_up_once_and_tried_again_when_asked(
    aws: Callable[[str], Any], bucket: str, collect: Collect, tmp_path: Path, trailkeep: Program
) -> None:
    key, small = f"{TRAIL}/{OLD:%Y/%m/%d}/big.json.gz", config(bucket, ", max_object_mb: 1")
    aws("s3").put_object(Bucket=bucket, Key=key, Body=document(*good(2)) + b" " * (1 << 20))
    assert collect(small).code == 0
    url = f"s3://{bucket}/{key}"
    assert f"given up: {url}" in trailkeep("status", "--home", tmp_path / "lake").err
    assert "to fetch" not in collect(small).err  # its day is done, and it is not asked for again
    assert collect(config(bucket)).code == 0
    assert uids(tmp_path / "lake") == []
    assert "1 object to be tried again" in collect(config(bucket), "--redrive").out
    assert uids(tmp_path / "lake") == [event_uid(0), event_uid(1)]
    assert f"given up: {url}: 1," not in trailkeep("status", "--home", tmp_path / "lake").err


def test_a_bucket_that_is_not_there_is_said(aws: Callable[[str], Any], collect: Collect) -> None:
    done = collect(config("no-such-bucket-at-all"))
    assert done.code == 1


@pytest.mark.parametrize(
    ("prefix", "since", "until", "found"),
    [
        ("", "2026-01-30", "2026-02-01", ["x/2026/01/31/", "x/2026/2/1/", "z/2026-report/"]),
        ("x/2026", "2026-01-01", "2026-01-31", ["x/2026/01/31/"]),
        ("x/", "2027-01-01", "2027-12-31", ["x/2027/05/05/"]),
        ("y/", "2026-01-01", "2026-12-31", ["y/a/eventDay=20260505/", "y/a/year=2026/month=5/day=5/"]),
        ("z", "2026-01-01", "2026-12-31", ["z/2026-report/"]),
    ],
)
def test_folders_of_days(
    aws: Callable[[str], Any], bucket: str, prefix: str, since: str, until: str, found: list[str]
) -> None:
    s3 = aws("s3")
    for key in (
        *("x/2026/01/31/00/a", "x/2026/2/1/a", "x/2026/02/28/a", "x/2027/05/05/a", "x/2026/13/01/a"),
        *("y/a/eventDay=20260505/a", "y/a/eventDay=20250505/a", "y/a/year=2026/month=5/day=5/hour=3/a"),
        "z/2026-report/a",
    ):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    range_ = date.fromisoformat(since), date.fromisoformat(until)
    names = [each.prefix for each in folders(s3, bucket, prefix, *range_)]
    assert [name for name in names if not name.startswith("x/2026/13/")] == found


def test_ingest_by_hand(aws: Callable[[str], Any], bucket: str, trailkeep: Program, tmp_path: Path) -> None:
    for number in range(20):
        put(aws, bucket, f"{TRAIL}/2026/11/17/{number}.json.gz", number * 2)
    lake, url = tmp_path / "lake", f"s3://{bucket}/AWSLogs"
    done = trailkeep("ingest", url, "--home", lake)
    assert done.code == 0
    assert "20 files, 40 records: 40 stored" in done.out
    assert f"{url}: 20 objects" in done.err
    assert uids(lake) == [event_uid(n) for n in range(40)]
    assert "0 stored, 40 already stored" in trailkeep("ingest", url, "--home", lake).out
    for wrong, said in ((f"s3://{bucket}/nothing", "no objects there"), ("s3://no-such-bucket", "NoSuchBucket")):
        failed = trailkeep("ingest", wrong, "--home", lake)
        assert (failed.code, said in failed.err) == (2, True)
