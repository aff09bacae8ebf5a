"""What became of alarms: each item of their history once, with whose it is."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.collect.conftest import Collect
from tests.collect.fake_aws import OWNER, Call, FakeAws, Fault, fake_aws, paged
from tests.collect.reading import Kept, delivered
from trailkeep.collect.cloudwatch_alarms import CloudWatchAlarms


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    with fake_aws(monkeypatch) as running:
        yield running


class History:
    """DescribeAlarmHistory; both ends of the range are in it."""

    def __init__(self, moments: list[float]) -> None:
        self.items = [
            {
                "AlarmName": f"errors {number}",
                "AlarmType": "MetricAlarm",
                "Timestamp": datetime.fromtimestamp(moment, UTC),
                "HistoryItemType": "StateUpdate",
                "HistorySummary": "Alarm updated from OK to ALARM",
                "HistoryData": json.dumps({"version": "1.0", "newState": {"stateValue": "ALARM"}}),
            }
            for number, moment in enumerate(moments)
        ]

    def __call__(self, call: Call) -> dict[str, Any]:
        first, last = call.body["StartDate"], call.body["EndDate"]
        found = [each for each in self.items if first <= each["Timestamp"].timestamp() <= last]
        page, more = paged(found, call, 100, "NextToken")
        return {"AlarmHistoryItems": page, **more}


def test_every_item_once(fake: FakeAws, tmp_path: Path) -> None:
    config = CloudWatchAlarms(type="cloudwatch_alarms", settle_seconds=0, requests_per_second=100)
    fake.answers["DescribeAlarmHistory"] = History([fake.now() - 7000 + number * 1.5 for number in range(150)])
    fake.faults["DescribeAlarmHistory"] = [Fault("Throttling")]
    kept = Kept()
    found = [json.loads(line) for line in delivered(config, tmp_path, kept).lines]
    assert [each["detail"]["alarmName"] for each in found] == [f"errors {number}" for number in range(150)]
    assert {(each["account"], each["detail"]["state"]["value"]) for each in found} == {(OWNER, "ALARM")}
    assert delivered(config, tmp_path, kept).lines == []


def test_into_the_lake(fake: FakeAws, collect: Collect, sources: Callable[[], dict[str, int]]) -> None:
    fake.answers["DescribeAlarmHistory"] = History([fake.now() - 3000, fake.now() - 2000])
    for _ in range(2):
        assert collect("collect:\n  a: {type: cloudwatch_alarms, settle_seconds: 0}\n").code == 0
        assert sources() == {"aws_cloudwatch_alarm": 2}
