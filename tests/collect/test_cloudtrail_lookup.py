"""CloudTrail's event history: every event once, at two requests a second, from 90 days on."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.collect.conftest import Collect
from tests.collect.fake_aws import OWNER, Call, FakeAws, Fault, fake_aws, paged
from tests.e2e.picture import picture
from tests.e2e.records import event_uid, record

CONFIG = "collect:\n  history: {type: cloudtrail_lookup%s}\n"


class History:
    """LookupEvents: newest first, both ends of the range in it, 50 events a page."""

    def __init__(self, times: list[float]) -> None:
        self.events = [(int(moment), record(number)) for number, moment in enumerate(times)]

    def __call__(self, call: Call) -> dict[str, Any]:
        assert call.body["MaxResults"] <= 50
        found = sorted(
            (each for each in self.events if call.body["StartTime"] <= each[0] <= call.body["EndTime"]),
            key=lambda each: -each[0],
        )
        page, more = paged(found, call, 50, "NextToken")
        return {"Events": [self._event(*each) for each in page], **more}

    def _event(self, moment: int, text: Any) -> dict[str, Any]:
        told = text if isinstance(text, str) else json.dumps(text)
        return {"EventId": str(moment), "EventTime": moment, "CloudTrailEvent": told}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    with fake_aws(monkeypatch) as running:
        yield running


def uids(lake: Path) -> list[str]:
    return sorted(uid for uid, _ in picture(lake).events.elements())


def test_every_event_once(fake: FakeAws, collect: Collect, tmp_path: Path) -> None:
    now = fake.now()
    history = History([now - 7200 + number for number in range(120)] + [now - 60])
    fake.answers["LookupEvents"] = history
    fake.faults["LookupEvents"] = [Fault("ThrottlingException"), Fault("ExpiredTokenException")]
    done = collect(CONFIG % "")
    assert done.code == 0, done.err
    expected = sorted(event_uid(number) for number in range(120))
    assert uids(tmp_path / "lake") == expected
    fake.ahead = 1000  # now what has just happened can be seen
    assert collect(CONFIG % "").code == 0
    assert uids(tmp_path / "lake") == sorted([*expected, event_uid(120)])
    (key, *_) = next(iter(picture(tmp_path / "lake").objects))
    assert key.startswith(f"lookup://{OWNER}/eu-west-1/")


def test_windows_meet_without_a_gap(
    fake: FakeAws, collect: Collect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = int(fake.now()) // 3600 * 3600 - 7200
    fake.answers["LookupEvents"] = History([hour + number for number in range(-3, 4) for _ in range(2)])
    since = datetime.fromtimestamp(hour - 3600, UTC).isoformat()
    assert collect(CONFIG % f", since: '{since}'").code == 0
    assert uids(tmp_path / "lake") == sorted(event_uid(number) for number in range(14))


def test_not_faster_than_aws_allows(fake: FakeAws, collect: Collect) -> None:
    fake.answers["LookupEvents"] = History([fake.now() - 3600] * 200)
    started = time.monotonic()
    assert collect(CONFIG % "").code == 0
    assert (fake.count("LookupEvents") - 2) / 2 <= time.monotonic() - started


def test_as_far_back_as_there_is(fake: FakeAws, collect: Collect) -> None:
    fake.answers["LookupEvents"] = History([])
    assert collect(CONFIG % ", since: 2020-01-01, settle_seconds: 0").code == 0
    first = min(call.body["StartTime"] for call in fake.calls if call.operation == "LookupEvents")
    assert fake.now() - first <= 90 * 86400 + 120


def test_too_fast_is_a_mistake(collect: Collect) -> None:
    done = collect(CONFIG % ", requests_per_second: 3")
    assert done.code == 1
    assert "trailkeep.yaml:2: collect.history.requests_per_second" in done.err
