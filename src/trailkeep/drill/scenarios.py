"""The attacks that a drill plays: a log file of CloudTrail for each, and the shipped rules that must find it.

Every record names `trailkeep-drill` and the run where a person looks first. Addresses are those of documentation
(RFC 5737); eventID and requestID are new in each run.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any
from uuid import uuid4

ACCOUNT = "000000000000"
_ADDRESS, _ROOTS_ADDRESS = "192.0.2.77", "192.0.2.78"
_GUESSES = 10

Record = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What the records of one run have in common."""

    id: str
    account: str
    region: str
    time: datetime


@dataclass(frozen=True)
class Expected:
    """A rule that must find a scenario: with so many signals, of which a correlation has none; with an alert or not."""

    rule: str
    title: str
    signals: int = 1
    alert: bool = True


@dataclass(frozen=True)
class Scenario:
    """One attack. `records` makes its events."""

    name: str
    title: str
    expected: tuple[Expected, ...]
    records: Callable[[Run], list[Record]]


@dataclass(frozen=True)
class Log:
    """The file that a scenario is written to; `name` is where CloudTrail would put it."""

    scenario: Scenario
    name: str
    content: bytes
    records: int

    @cached_property
    def sha256(self) -> str:
        """Of the content, as the ledger knows it."""
        return sha256(self.content).hexdigest()

    @cached_property
    def packed(self) -> bytes:
        """The file as CloudTrail delivers it."""
        return gzip.compress(self.content, mtime=0)


def log_of(scenario: Scenario, run: Run) -> Log:
    """The log file of a scenario."""
    records = scenario.records(run)
    unique = f"{run.id}_{scenario.name}".replace("-", "_")
    name = (
        f"AWSLogs/{run.account}/CloudTrail/{run.region}/{run.time:%Y/%m/%d}/"
        f"{run.account}_CloudTrail_{run.region}_{run.time:%Y%m%dT%H%MZ}_trailkeep_{unique}.json.gz"
    )
    return Log(scenario, name, json.dumps({"Records": records}, separators=(",", ":")).encode(), len(records))


def _record(run: Run, what: str, ago: float = 0, **more: Any) -> Record:
    """An event that `service.amazonaws.com Name` describes, `ago` seconds before the run began."""
    service, _, name = what.partition(" ")
    return {
        "eventVersion": "1.11",
        "eventTime": f"{run.time - timedelta(seconds=ago):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": service,
        "eventName": name,
        "awsRegion": run.region,
        "sourceIPAddress": _ADDRESS,
        "userAgent": f"trailkeep-drill ({run.id})",
        "requestParameters": None,
        "responseElements": None,
        "requestID": str(uuid4()),
        "eventID": str(uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": run.account,
        "eventCategory": "Management",
        **more,
    }


def _user(run: Run, scenario: str) -> Record:
    name = f"trailkeep-drill-{scenario}"
    arn = f"arn:aws:iam::{run.account}:user/{name}"
    return {"type": "IAMUser", "principalId": "AIDATRAILKEEPDRILL000", "arn": arn, "accountId": run.account} | {
        "userName": name
    }


def _trail_stopped(run: Run) -> list[Record]:
    trail = f"arn:aws:cloudtrail:{run.region}:{run.account}:trail/trailkeep-drill"
    asked = {"name": trail}
    who = _user(run, "trail-stopped")
    return [_record(run, "cloudtrail.amazonaws.com StopLogging", userIdentity=who, requestParameters=asked)]


def _root_sign_in(run: Run) -> list[Record]:
    root = {"type": "Root", "principalId": run.account, "arn": f"arn:aws:iam::{run.account}:root"}
    more: Record = {
        "userIdentity": root | {"accountId": run.account},
        "sourceIPAddress": _ROOTS_ADDRESS,
        "eventType": "AwsConsoleSignIn",
        "responseElements": {"ConsoleLogin": "Success"},
        "additionalEventData": {"MFAUsed": "Yes", "LoginTo": "https://example.com/trailkeep-drill"},
    }
    return [_record(run, "signin.amazonaws.com ConsoleLogin", **more)]


def _sign_in_guessed(run: Run) -> list[Record]:
    more: Record = {
        "userIdentity": _user(run, "sign-in-guessed"),
        "eventType": "AwsConsoleSignIn",
        "errorMessage": "Failed authentication",
        "responseElements": {"ConsoleLogin": "Failure"},
        "additionalEventData": {"MFAUsed": "No", "LoginTo": "https://example.com/trailkeep-drill"},
    }
    return [_record(run, "signin.amazonaws.com ConsoleLogin", 3 * n, **more) for n in reversed(range(_GUESSES))]


def _guardduty_disabled(run: Run) -> list[Record]:
    asked = {"detectorId": "trailkeep-drill"}
    who = _user(run, "guardduty-disabled")
    return [_record(run, "guardduty.amazonaws.com DeleteDetector", userIdentity=who, requestParameters=asked)]


SCENARIOS = {
    each.name: each
    for each in (
        Scenario(
            "trail-stopped",
            "A trail stops recording",
            (Expected("1389ec8f-6894-4edd-9aab-52fa70c7c4ab", "CloudTrail logging stopped"),),
            _trail_stopped,
        ),
        Scenario(
            "root-sign-in",
            "Root signs in to the console",
            (Expected("47cd5e76-5ae0-4952-a37b-1190b17044a7", "Root user of an account was used"),),
            _root_sign_in,
        ),
        Scenario(
            "sign-in-guessed",
            "Ten sign-ins fail from one address, which takes a correlation to see",
            (
                Expected("ef19da66-8685-4790-8707-d2c80bd58d98", "Console sign-in failed", _GUESSES, alert=False),
                Expected("4989e237-4ea4-5422-b310-50f0bc74ccd6", "Many console sign-ins failed from one address", 0),
            ),
            _sign_in_guessed,
        ),
        Scenario(
            "guardduty-disabled",
            "GuardDuty is deleted",
            (Expected("88f325a1-f537-440f-88b2-2bab9e979d5a", "GuardDuty detector deleted or switched off"),),
            _guardduty_disabled,
        ),
    )
}
