"""The company's day: the same bytes each time, well-formed deliveries, and the whole intrusion inside."""

import gzip
import hashlib
import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from trailkeep.demo.company import DEFAULT_DAY, CompanyDay, write_company_day

REQUIRED = {
    "eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress",
    "userAgent", "requestParameters", "responseElements", "eventID", "readOnly", "eventType",
    "managementEvent", "recipientAccountId", "eventCategory",
}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CompanyDay]:
    folder = tmp_path_factory.mktemp("company")
    return folder, write_company_day(folder)


@pytest.fixture(scope="module")
def events(written: tuple[Path, CompanyDay]) -> list[dict[str, Any]]:
    found = []
    for path in sorted(written[0].glob("AWSLogs/o-*/*/CloudTrail/*/*/*/*/*.json.gz")):
        found += json.loads(gzip.decompress(path.read_bytes()))["Records"]
    return found


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_day_is_the_same_bytes(written: tuple[Path, CompanyDay], tmp_path: Path) -> None:
    assert write_company_day(tmp_path) == written[1]
    assert digests(tmp_path) == digests(written[0])


def test_another_day_moves_every_event(tmp_path: Path) -> None:
    write_company_day(tmp_path, date(2026, 2, 28))
    path = next(tmp_path.glob("AWSLogs/o-*/*/CloudTrail/*/2026/02/28/*.json.gz"))
    record = json.loads(gzip.decompress(path.read_bytes()))["Records"][0]
    assert record["eventTime"].startswith("2026-02-28T")


def test_events_are_counted_and_complete(written: tuple[Path, CompanyDay], events: list[dict[str, Any]]) -> None:
    day = written[1]
    assert len(events) == day.cloudtrail_events
    assert 6_000 <= day.cloudtrail_events <= 10_000
    assert len({event["eventID"] for event in events}) == len(events)
    for event in events:
        assert event.keys() >= REQUIRED, event["eventName"]
        assert event["eventTime"].startswith(DEFAULT_DAY.isoformat())
        assert "<" not in json.dumps(event), "a placeholder was left"


def test_the_intrusion_is_told_in_order(written: tuple[Path, CompanyDay], events: list[dict[str, Any]]) -> None:
    day = written[1]
    theirs = [event for event in events if event["sourceIPAddress"] == day.attacker_ip]
    theirs.sort(key=lambda event: event["eventTime"])
    assert len(theirs) == day.attack_events
    story = [
        "GetCallerIdentity", "ListUsers", "CreateUser", "AttachUserPolicy", "CreateAccessKey",
        "CreateLoginProfile", "ConsoleLogin", "StopLogging", "AuthorizeSecurityGroupIngress",
        "GetSecretValue", "GetObject", "CreateSnapshot", "ModifySnapshotAttribute", "TerminateInstances",
    ]  # fmt: skip
    names = [event["eventName"] for event in theirs]
    first = [names.index(name) for name in story]
    assert first == sorted(first)
    assert Counter(names)["GetObject"] == 420
    assert {event.get("errorCode") for event in theirs} == {
        None,
        "AccessDenied",
        "Client.UnauthorizedOperation",
    }


def test_what_the_rules_look_for_is_in_the_records(
    written: tuple[Path, CompanyDay], events: list[dict[str, Any]]
) -> None:
    day = written[1]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for event in sorted(events, key=lambda event: event["eventTime"]):
        if event["sourceIPAddress"] == day.attacker_ip:
            by_name.setdefault(event["eventName"], []).append(event)
    created = by_name["CreateAccessKey"][0]
    assert created["userIdentity"]["accessKeyId"] == day.access_key
    assert created["requestParameters"]["userName"] == day.new_user != day.leaked_user
    assert by_name["AttachUserPolicy"][0]["requestParameters"]["policyArn"].endswith("/AdministratorAccess")
    failed, done = by_name["ConsoleLogin"]
    assert failed["responseElements"] == {"ConsoleLogin": "Failure"} and "errorCode" not in failed
    assert done["responseElements"] == {"ConsoleLogin": "Success"}
    assert done["additionalEventData"]["MFAUsed"] == "No"
    assert done["userIdentity"]["type"] == "IAMUser"
    permission = by_name["AuthorizeSecurityGroupIngress"][0]["requestParameters"]["ipPermissions"]["items"][0]
    assert permission["ipRanges"]["items"] == [{"cidrIp": "0.0.0.0/0"}] and permission["fromPort"] == 22
    new_key = created["responseElements"]["accessKey"]["accessKeyId"]
    assert {event["userIdentity"]["accessKeyId"] for event in by_name["GetObject"]} == {new_key}
    ended = [item for event in by_name["TerminateInstances"]
             for item in event["requestParameters"]["instancesSet"]["items"]]  # fmt: skip
    assert len({item["instanceId"] for item in ended}) == 4


def test_the_leaked_key_is_also_used_where_it_belongs(
    written: tuple[Path, CompanyDay], events: list[dict[str, Any]]
) -> None:
    day = written[1]
    addresses = {
        event["sourceIPAddress"] for event in events if event["userIdentity"].get("accessKeyId") == day.access_key
    }
    assert addresses == {day.attacker_ip, "198.51.100.20"}


def test_flow_records_follow_their_header(written: tuple[Path, CompanyDay]) -> None:
    folder, day = written
    rows, versions, statuses = [], set(), Counter[str]()
    for path in sorted(folder.glob("AWSLogs/*/vpcflowlogs/*/*/*/*/*.log.gz")):
        header, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        for line in lines:
            assert len(line.split(" ")) == len(header.split(" "))
            row = dict(zip(header.split(" "), line.split(" "), strict=True))
            versions.add((row["version"], "flow-direction" in row))
            statuses[row["log-status"]] += 1
            rows.append(row)
    assert len(rows) == day.flow_records and 2_500 <= len(rows) <= 3_500
    assert versions == {("2", False), ("5", True)}
    assert statuses.keys() == {"OK", "NODATA", "SKIPDATA"}
    ssh = sorted((row for row in rows if row["srcaddr"] == day.attacker_ip), key=lambda row: int(row["start"]))
    assert {row["dstport"] for row in ssh} == {"22"}
    actions = [row["action"] for row in ssh]
    assert actions == sorted(actions, reverse=True) and set(actions) == {"ACCEPT", "REJECT"}
    assert sum(int(row["bytes"]) for row in rows if row["dstaddr"] == day.attacker_ip) > 1_000_000_000
