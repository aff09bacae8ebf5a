"""Many accounts and regions: none holds up another; AWS's clock counts; faults are told."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collect.fake_aws import OWNER, Call, FakeAws, Fault, fake_aws
from tests.collect.reading import Kept, delivered
from trailkeep.aws import AwsAccount
from trailkeep.collect.cloudtrail_lookup import CloudTrailLookup
from trailkeep.collect.pull import Rate
from trailkeep.core.secret import Secret

CONFIG = {"type": "cloudtrail_lookup", "settle_seconds": 0}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    with fake_aws(monkeypatch) as running:
        running.answers["LookupEvents"] = one_event(running)
        yield running


def one_event(fake: FakeAws) -> Any:
    moment = int(fake.now()) - 600

    def answer(call: Call) -> dict[str, Any]:
        told = json.dumps({"where": f"{call.account} {call.region}"})
        hit = call.body["StartTime"] <= moment <= call.body["EndTime"]
        return {"Events": [{"EventId": "1", "EventTime": moment, "CloudTrailEvent": told}] if hit else []}

    return answer


def config(**more: Any) -> CloudTrailLookup:
    return CloudTrailLookup.model_validate({**CONFIG, **more})


def role(account: str) -> AwsAccount:
    return AwsAccount(role=f"arn:aws:iam::{account}:role/read", external_id=Secret(env=f"ID_{account}"))


def test_an_account_that_refuses_holds_up_no_other(
    fake: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for account in ("1" * 12, "2" * 12):
        monkeypatch.setenv(f"ID_{account}", "told")
    answers = fake.answers["LookupEvents"]

    def refuse_one(call: Call) -> dict[str, Any]:
        if call.account == "1" * 12:
            raise Fault("AccessDeniedException", message="not authorized to perform LookupEvents")
        return answers(call)

    fake.answers["LookupEvents"] = refuse_one
    accounts = {"one": role("1" * 12), "two": role("2" * 12), "three": role("3" * 12)}
    for threads in (1, 3):
        done = delivered(config(accounts=list(accounts), threads=threads), tmp_path, accounts=accounts)
        assert done.lines == [json.dumps({"where": f"{'2' * 12} eu-west-1"}).encode()]
        assert done.health is not None
        assert done.health.condition == "failed"
        assert done.health.reason.startswith("2 of 3 accounts and regions: ")
        assert "one: lookup_events: AccessDeniedException: not authorized" in done.health.reason
        assert "the environment variable ID_333333333333, which holds a secret, is not set" in done.health.reason


def test_credentials_that_come_back(fake: FakeAws, tmp_path: Path) -> None:
    fake.faults["LookupEvents"] = [Fault("ExpiredTokenException")] * 7
    fake.faults["GetCallerIdentity"] = [Fault("ExpiredToken", 403)] * 7
    done = delivered(config(), tmp_path)
    assert len(done.lines) == 1
    assert done.health is not None
    assert done.health.condition == "done"
    assert "ExpiredToken" in (done.health.last_error or "")


@pytest.mark.parametrize("ahead", [-7200, 7200])
def test_windows_are_of_the_clock_of_aws(fake: FakeAws, tmp_path: Path, ahead: int) -> None:
    fake.ahead = ahead
    delivered(config(), tmp_path)
    last = max(call.body["EndTime"] for call in fake.calls if call.operation == "LookupEvents")
    assert abs(last - fake.now()) < 60


def test_what_could_not_be_read_again_is_fetched_again(fake: FakeAws, tmp_path: Path) -> None:
    kept = Kept()
    done = delivered(config(), tmp_path, kept, fail=1)
    assert len(done.lines) == 1
    assert delivered(config(), tmp_path, kept).lines == []


def test_keys_and_positions_name_account_and_region(fake: FakeAws, tmp_path: Path) -> None:
    kept = Kept()
    done = delivered(config(regions=["eu-west-1", "us-east-1"]), tmp_path, kept)
    scopes = [f"lookup://{OWNER}/{region}" for region in ("eu-west-1", "us-east-1")]
    assert sorted(kept.kept) == scopes
    assert sorted(key.rpartition("/")[0] for key in done.keys) == scopes


def test_a_rate_that_is_stopped() -> None:
    stop, rate = threading.Event(), Rate(0.001)
    assert rate.wait(stop)
    stop.set()
    assert not rate.wait(stop)
