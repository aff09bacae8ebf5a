"""Detectors of what is unusual, over a lake: what they see, once, and what people are told."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.baseline_lakes import add, lake_of
from tests.conftest import Program
from tests.e2e.records import ACCOUNT, document, record
from trailkeep.baselines import find, look
from trailkeep.detect.rule import Baseline
from trailkeep.detect.rules import load_rules
from trailkeep.engine.reading import connect_lake
from trailkeep.lake.home import Home
from trailkeep.lake.progress import Position, Progress, record_progress
from trailkeep.store.tables import alerts, observations

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a Friday
DETECTORS = """\
title: Many calls
name: many
level: low
baseline:
  where: source = 'aws_cloudtrail'
  by: [principal]
  metric: {count: true}
  bucket: 1h
  history: 4w
  warm_up: 2w
  least: 20
  method: {type: seasonal, deviations: 6}
---
title: New region
name: region
level: medium
baseline:
  by: [principal]
  history: 30d
  warm_up: 7d
  method: {type: first_seen, value: region}
---
title: Region that nobody had
name: anyone
baseline:
  by: [principal]
  history: 30d
  warm_up: 7d
  method: {type: first_seen, value: region, scope: anyone}
---
title: Region of one of many
name: rare
baseline:
  by: [principal]
  history: 30d
  warm_up: 7d
  method: {type: rare, value: region, of: 3}
"""


def call(number: int, moment: datetime, user: str, region: str = "eu-central-1") -> dict[str, Any]:
    return record(
        number,
        eventTime=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        awsRegion=region,
        userIdentity={"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}", "accountId": ACCOUNT},
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Three users call three times an hour for four weeks; at the end mara calls 60 times, and in two new regions."""
    folder = tmp_path_factory.mktemp("baselines")
    start, calls = NOW - timedelta(weeks=4), []
    for hour in range(4 * 168):
        for number, user in enumerate(("mara", "tom", "eve")):
            calls += [call(0, start + timedelta(hours=hour, minutes=20 * n + number), user) for n in range(3)]
    calls += [call(0, NOW - timedelta(hours=2, seconds=n), "mara") for n in range(60)]
    calls += [call(0, NOW - timedelta(minutes=90), "mara", "ap-east-1")]
    calls += [call(0, NOW - timedelta(minutes=80 - n), "tom", "us-west-2") for n in range(2)]
    calls += [call(0, NOW - timedelta(minutes=70), "mara", "us-west-2")]
    numbered = [each | {"eventID": f"00000000-0000-4000-8000-{n:012}"} for n, each in enumerate(calls)]
    return lake_of(folder, {"a.json": document(*numbered), "b.json": document(*numbered[-200:])})  # delivered twice


def detectors(folder: Path) -> dict[str, Baseline]:
    (folder / "detectors.yml").write_text(DETECTORS)
    pack = load_rules([folder / "detectors.yml"])
    assert not pack.faults
    return {one.name: one for one in pack.baselines}


def seen(home: Home, one: Baseline, since: datetime = NOW - timedelta(days=1)) -> list[str]:
    with connect_lake(home.warehouse) as con:
        return [each.sentence for each in find(con, home, one, since, NOW)]


MARA, TOM = (f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("mara", "tom"))


def test_what_is_seen(lake: Home, tmp_path: Path) -> None:
    found = {name: seen(lake, one) for name, one in detectors(tmp_path).items()}
    assert found["many"] == [
        f"{MARA}: expected about 3 (± 6) on a Friday at 09:00; seen 62, in the hour from 2026-11-20 09:00Z"
    ]
    new = "that it had in 30 days; seen '{}' for the first time, at 2026-11-20 {}:00Z"
    assert found["region"] == [
        f"{MARA}: expected one of 1 {new.format('ap-east-1', '10:30')}",
        f"{TOM}: expected one of 1 {new.format('us-west-2', '10:40')}",
        f"{MARA}: expected one of 2 {new.format('us-west-2', '10:50')}",
    ]
    assert [text.partition(":user/")[2].split(":")[0] for text in found["anyone"]] == ["mara", "tom"]
    assert found["rare"] == [
        f"{MARA}: expected what others of 3 have in 30 days; "
        "seen 'ap-east-1', which 1 of them have, at 2026-11-20 10:30:00Z"
    ]


def test_a_span_is_looked_at_and_no_other(lake: Home, tmp_path: Path) -> None:
    assert seen(lake, detectors(tmp_path)["many"], NOW - timedelta(hours=1)) == []


def count(home: Home, table: Any) -> int:
    with home.state.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar() or 0


def test_alerts_are_made_once(lake: Home, tmp_path: Path, trailkeep: Program) -> None:
    every = list(detectors(tmp_path).values())
    assert look(lake, every, NOW - timedelta(hours=2)) == 1  # what is younger may still be late
    assert look(lake, every, NOW) == 6
    assert look(lake, every, NOW) == 0
    assert look(lake, every, NOW + timedelta(hours=1)) == 0
    assert (count(lake, alerts), count(lake, observations)) == (7, 7)
    done = trailkeep("alerts", "list", "--home", lake.path, "--format", "jsonl")
    rows = {row["title"]: row for row in map(json.loads, done.out.splitlines())}
    assert rows["Many calls"]["subject"] == MARA
    shown = trailkeep("alerts", "show", str(rows["Many calls"]["id"]), "--home", lake.path)
    assert "expected about 3 (± 6) on a Friday at 09:00; seen 62" in " ".join(shown.out.split())


def late(moment: datetime, user: str, region: str, number: int) -> dict[str, bytes]:
    uid = f"00000000-0000-4000-9000-{number:012}"
    return {f"late{number}.json": document(call(0, moment, user, region) | {"eventID": uid})}


def test_what_comes_late_is_looked_at_again_and_told_once(tmp_path: Path) -> None:
    """An hour was looked at, then events of it come: of a new value, and of one that was told with a later time."""
    known = [call(n, NOW - timedelta(days=9) + timedelta(hours=n), "mara") for n in range(200)]
    first = call(900, NOW - timedelta(hours=1, minutes=30), "mara", "us-west-2")
    home = lake_of(tmp_path, {"a.json": document(*known, first)})
    region, day = [detectors(tmp_path)["region"]], timedelta(hours=24)
    assert look(home, region, NOW, again=day) == 1
    add(home, tmp_path, late(NOW - timedelta(hours=3), "mara", "us-west-2", 1))
    add(home, tmp_path, late(NOW - timedelta(hours=2), "mara", "ap-east-1", 2))
    assert look(home, region, NOW, again=day) == 0  # no further bucket is over
    assert look(home, region, NOW + timedelta(hours=1), again=day) == 1
    assert look(home, region, NOW + timedelta(hours=2), again=day) == 0
    with home.state.connect() as connection:
        told = connection.execute(select(observations.c.sentence)).scalars().all()
    assert sorted(text.partition("seen ")[2] for text in told) == [
        "'ap-east-1' for the first time, at 2026-11-20 10:00:00Z",
        "'us-west-2' for the first time, at 2026-11-20 10:30:00Z",
    ]


def test_what_is_new_to_all_is_told_once_whoever_had_it(tmp_path: Path) -> None:
    known = [call(n, NOW - timedelta(days=9) + timedelta(hours=n), "mara") for n in range(200)]
    first = call(900, NOW - timedelta(hours=1, minutes=30), "mara", "us-west-2")
    home = lake_of(tmp_path, {"a.json": document(*known, first)})
    anyone, day = [detectors(tmp_path)["anyone"]], timedelta(hours=24)
    assert look(home, anyone, NOW, again=day) == 1
    add(home, tmp_path, late(NOW - timedelta(hours=3), "tom", "us-west-2", 1))
    assert [text.partition(":user/")[2].split(":")[0] for text in seen(home, anyone[0])] == ["tom"]
    assert look(home, anyone, NOW + timedelta(hours=1), again=day) == 0


def test_what_an_older_version_kept_is_gone_on_from(tmp_path: Path) -> None:
    known = [call(n, NOW - timedelta(days=9) + timedelta(hours=n), "mara") for n in range(200)]
    home = lake_of(tmp_path, {"a.json": document(*known)})
    region = detectors(tmp_path)["region"]
    key = f"{region.id}@{region.content_hash[:12]}"
    record_progress(home.state, Progress((Position("baselines", key, NOW.isoformat()),)))
    add(home, tmp_path, late(NOW - timedelta(hours=2), "mara", "ap-east-1", 1))
    add(home, tmp_path, late(NOW + timedelta(minutes=2), "mara", "us-west-2", 2))
    assert look(home, [region], NOW + timedelta(hours=1), again=timedelta(hours=24)) == 1


def test_without_looking_again_what_comes_late_is_history(tmp_path: Path) -> None:
    known = [call(n, NOW - timedelta(days=9) + timedelta(hours=n), "mara") for n in range(200)]
    home = lake_of(tmp_path, {"a.json": document(*known)})
    region = [detectors(tmp_path)["region"]]
    assert look(home, region, NOW) == 0
    add(home, tmp_path, late(NOW - timedelta(hours=2), "mara", "ap-east-1", 1))
    assert look(home, region, NOW + timedelta(hours=1)) == 0


SILENCE = """\
title: Nothing of a user
name: silence
baseline:
  where: source = 'aws_cloudtrail'
  by: [principal]
  metric: {value: count(*)}
  bucket: 1h
  history: 2d
  warm_up: 1h
  method: {type: threshold, lt: 1, missing: breaching}
"""


def test_what_was_told_stays_told_when_late_events_take_it_away(tmp_path: Path) -> None:
    (tmp_path / "silence.yml").write_text(SILENCE)
    silence = load_rules([tmp_path / "silence.yml"]).baselines
    start = NOW - timedelta(hours=10)
    home = lake_of(tmp_path, {"a.json": document(*(call(n, start + timedelta(hours=n), "mara") for n in range(9)))})
    assert look(home, silence, NOW) == 1  # the hour from 11:00 is empty
    add(home, tmp_path, late(NOW - timedelta(minutes=30), "mara", "eu-central-1", 1))
    assert look(home, silence, NOW + timedelta(hours=1), again=timedelta(hours=24)) == 1  # the one from 12:00
    assert seen(home, silence[0]) == []
    with home.state.connect() as connection:
        told = sorted(connection.execute(select(observations.c.sentence)).scalars())
    assert [text[-len("11-20 11:00Z") :] for text in told] == ["11-20 11:00Z", "11-20 12:00Z"]


def test_replay(lake: Home, tmp_path: Path, trailkeep: Program) -> None:
    detectors(tmp_path)
    span = ("--since", "2026-11-19", "--until", "2026-11-20T12:00", "--home", lake.path, "--format", "jsonl")
    done = trailkeep("rules", "replay", "many", "--rules", tmp_path / "detectors.yml", *span)
    (row,) = map(json.loads, done.out.splitlines())
    assert (row["alerts"], row["title"]) == (1, "Many calls")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("by: [principal]\n  metric", "by: [who]\n  metric", "no stored column who"),
        ("by: [principal]\n  metric", "by: [(SELECT 1)]\n  metric", "only conditions and values"),
        ("source = 'aws_cloudtrail'", "source = ", "is not SQL"),
        ("bucket: 1h", "bucket: 1 hour", "not a time such as"),
        ("  metric: {count: true}\n", "", "all other methods need a metric"),
        ("{count: true}", "{count: true, sum: bytes}", "a metric is one of"),
        ("value: region}", "values: region}", "value"),
        ("history: 4w", "history: 1h", "longer than two buckets"),
        ("type: first_seen, value: region}", "type: first_seen, value: src_city}", "no stored column src_city"),
        ("  method: {type: first_seen", "  unless: 'true'\n  method: {type: first_seen", "say it in where"),
        ("level: low\n", "level: low\ntests: [{name: a}]\n", "a test has a name"),
    ],
)
def test_faults_name_the_detector(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert old in DETECTORS
    (tmp_path / "d.yml").write_text(DETECTORS.replace(old, new, 1))
    pack = load_rules([tmp_path / "d.yml"])
    (fault,) = pack.faults
    assert why in fault.reason
    assert len(pack.baselines) == 3
