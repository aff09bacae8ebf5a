"""Correlations from files of logs to alerts: in any order of files, over restarts and kills, with several workers."""

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.picture import picture
from tests.e2e.program import run, succeed
from tests.e2e.records import document, record

RULES = """\
title: Sign-in failed
name: failed
level: low
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin, responseElements.ConsoleLogin: Failure}, condition: s}
---
title: Signed in
name: signed_in
alert: false
level: informational
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin, responseElements.ConsoleLogin: Success}, condition: s}
---
title: Many sign-ins failed from one address
name: many
level: medium
correlation:
  type: event_count
  rules: [failed]
  group-by: [sourceIPAddress]
  timespan: 5m
  condition: {gte: 5}
  generate: true
---
title: A sign-in succeeded after many that failed
id: 6ad3a9b5-7a2a-4f04-8f1e-61cf81b2a001
level: high
correlation:
  type: temporal_ordered
  rules: [many, signed_in]
  group-by: [sourceIPAddress]
  timespan: 1h
  generate: true
"""


def login(number: int, address: str, outcome: str, second: int) -> dict[str, Any]:
    return record(
        number,
        eventName="ConsoleLogin",
        eventSource="signin.amazonaws.com",
        sourceIPAddress=address,
        responseElements={"ConsoleLogin": outcome},
        eventTime=f"2026-11-17T08:{second // 60:02}:{second % 60:02}Z",
    )


def logins() -> list[dict[str, Any]]:
    """From one address six that fail and one that does not; from another four that fail; much else."""
    found = [login(number, "203.0.113.7", "Failure", 280 + number * 10) for number in range(6)]
    found.append(login(6, "203.0.113.7", "Success", 900))
    found += [login(10 + number, "203.0.113.8", "Failure", 280 + number * 10) for number in range(4)]
    found.append(login(14, "203.0.113.8", "Success", 900))
    return found + [record(100 + number) for number in range(30)]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "rules.yml").write_text(RULES)
    return folder


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Each record in a file of its own."""
    folder = tmp_path / "logs"
    folder.mkdir()
    found = []
    for number, each in enumerate(logins()):
        path = folder / f"{number:03}.json"
        path.write_bytes(document(each))
        found.append(path)
    return found


def told(lake: Path) -> Counter[tuple[str, str, int]]:
    """Alerts: title, subject, how many events."""
    done = succeed("alerts", "list", "--home", lake, "--format", "jsonl")
    rows = map(json.loads, done.stdout.splitlines())
    return Counter((row["title"], row["subject"], row["events"]) for row in rows)


EXPECTED = Counter(
    {
        ("A sign-in succeeded after many that failed", "203.0.113.7", 2): 1,
        ("Many sign-ins failed from one address", "203.0.113.7", 6): 1,
    }
)


def without_rules_of_one_event(found: Counter[tuple[str, str, int]]) -> Counter[tuple[str, str, int]]:
    return Counter({key: count for key, count in found.items() if key[0] not in ("Sign-in failed", "Signed in")})


@pytest.mark.parametrize("order", ["together", "one by one", "backwards"])
def test_the_order_of_files_changes_nothing(files: list[Path], rules: Path, tmp_path: Path, order: str) -> None:
    lake = tmp_path / "lake"
    portions = {
        "together": [files],
        "one by one": [files[:3], files[3:5], files[5:7], files[7:]],
        "backwards": [files[7:], files[6:7], files[3:6], files[:3]],
    }[order]
    for portion in portions:
        succeed("ingest", *portion, "--home", lake, "--rules", rules, "--workers", "2" if order == "together" else "1")
    found = told(lake)
    assert without_rules_of_one_event(found) == EXPECTED
    assert not [key for key in found if key[0] == "Signed in"]  # it says `alert: false`
    assert [key for key in found if key[0] == "Sign-in failed"]  # `generate: true`


@pytest.mark.parametrize("name", ["snapshot.after", "ledger.after", "alerts.before", "alerts.after"])
def test_killed(files: list[Path], rules: Path, tmp_path: Path, name: str) -> None:
    lake = tmp_path / "lake"
    command = ("ingest", *files, "--home", lake, "--rules", rules, "--workers", "1", "--batch-mb", "0.01")
    killed = run(*command, failpoint=f"{name}:2")
    assert killed.returncode == -signal.SIGKILL
    succeed(*command)
    assert without_rules_of_one_event(told(lake)) == EXPECTED
    assert picture(lake).totals["stored"] == len(files)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_hunt_tells_of_each_happening(files: list[Path], rules: Path, workers: str) -> None:
    done = succeed("hunt", *files, "--rules", rules, "--workers", workers, "--format", "jsonl")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    found = {row["title"]: row for row in rows if row["level"] in ("medium", "high")}
    assert len(rows) == 12 + 2
    assert found["Many sign-ins failed from one address"]["event_name"] == "ConsoleLogin"
    assert found["Many sign-ins failed from one address"]["file"].endswith("004.json")
    assert found["A sign-in succeeded after many that failed"]["file"].endswith("006.json")
    assert {row["source"] for row in found.values()} == {"aws_cloudtrail"}


def test_one_happening_grows(files: list[Path], rules: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    succeed("ingest", *files[:5], "--home", lake, "--rules", rules)
    assert without_rules_of_one_event(told(lake)) == {("Many sign-ins failed from one address", "203.0.113.7", 5): 1}
    succeed("ingest", *files[5:], "--home", lake, "--rules", rules)
    assert without_rules_of_one_event(told(lake)) == EXPECTED
