"""Routine logs are the same each time, of the promised number, and the shipped rules keep quiet about them."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bench.quiet import LIMIT, Noise, noise
from bench.routine.write import write_routine
from trailkeep.demo.company import write_company_day
from trailkeep.lake.home import open_home
from trailkeep.lake.tables import events_table

RULES = Path(__file__).parents[2] / "src/trailkeep/rules"
EVENTS = 30_000
# The rules of medium and above that may speak of routine, and why that is right.
MAY_SPEAK = {
    "CloudWatch alarm deleted or silenced": "a person silences an alarm: the next hour goes unwatched",
    "Command run inside a pod": "a person opens a shell beside the data of an application",
    "Database deleted without a final snapshot": "its data are gone for good, also where a stack held them",
    "EC2 instances terminated": "a pipeline that ends machines is rare enough to be asked",
    "EventBridge rule disabled, deleted or emptied": "a person pauses a rule on which alerts may hang",
    "Instance type that nobody ever started before": "once a type and account",
    "Instances started in a region in which the account never had any": "once a region and account",
    "KMS key disabled or scheduled for deletion": "what it encrypted can never be read again",
    "Machine image shared with another account or organisation": "which accounts are one's own is not in the log",
    "Sensitive call refused for lack of permission": "a program that was refused a secret is broken or misused",
    "Trust policy of a role changed": "who may take a role decides over all its rights",
}


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("routine")
    assert write_routine(folder, EVENTS).total() == EVENTS
    return folder


@pytest.fixture(scope="module")
def heard(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Noise, Path]:
    folder = tmp_path_factory.mktemp("quiet")
    day = write_company_day(folder / "demo", attacked=False)
    events = EVENTS + day.cloudtrail_events + day.flow_records
    return noise([logs, folder / "demo"], folder / "lake", RULES, events), folder / "lake"


def test_the_same_seed_is_the_same_bytes(logs: Path, tmp_path: Path) -> None:
    write_routine(tmp_path, EVENTS)
    assert _digest(tmp_path) == _digest(logs)


def test_records_have_the_parts_that_cloudtrail_gives_them(logs: Path) -> None:
    records: list[dict[str, Any]] = []
    for path in sorted(logs.rglob("*_CloudTrail_*.json.gz")):
        records += json.loads(gzip.decompress(path.read_bytes()))["Records"]
    assert len({record["eventID"] for record in records}) == len(records) == EVENTS * 0.8
    assert {record["eventVersion"] for record in records} == {"1.11"}
    for part in ("tlsDetails", "vpcEndpointId", "sharedEventID", "resources", "errorCode", "serviceEventDetails"):
        assert any(part in record for record in records), part
    kinds = {record["userIdentity"].get("type") for record in records}
    assert {"AssumedRole", "AWSService", "AWSAccount", "WebIdentityUser", "IdentityCenterUser"} <= kinds
    assert len({record["eventName"] for record in records}) > 200


def test_every_event_is_stored(heard: tuple[Noise, Path]) -> None:
    found, home = heard
    assert events_table(open_home(home)).scan(row_filter="source != 'trailkeep_signal'").count() == found.events


def test_routine_raises_few_alerts_of_medium_and_above(heard: tuple[Noise, Path]) -> None:
    assert heard[0].per_thousand <= LIMIT, heard[0].table()


def test_only_rules_with_a_reason_speak_of_routine_at_medium_and_above(heard: tuple[Noise, Path]) -> None:
    strangers = [rule for rule in heard[0].loud if rule.title not in MAY_SPEAK]
    assert not strangers, heard[0].table()


def test_rules_do_speak_of_it(heard: tuple[Noise, Path]) -> None:
    assert heard[0].loud and heard[0].levels["low"] and heard[0].levels["informational"]


def _digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(p.relative_to(folder)).encode() + p.read_bytes() for p in files)).hexdigest()
