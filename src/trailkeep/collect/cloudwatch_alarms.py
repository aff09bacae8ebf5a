"""Alarms of CloudWatch in, their changes of state out, by DescribeAlarmHistory, in the shape EventBridge gives them.

The item of the history stands whole beside the state, as `historyItem`.

Sources: CloudWatch API reference, DescribeAlarmHistory (100 items an answer; kept for 30 days); user guide, "Alarm
events and EventBridge".
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any, Literal

import msgspec

from trailkeep.collect.pull import Place
from trailkeep.collect.windows import Stream, Told, Window, WindowsConfig, milliseconds, moment_of


class CloudWatchAlarms(WindowsConfig):
    """Changes of state of all alarms, where no EventBridge rule brings them."""

    type: Literal["cloudwatch_alarms"]

    scheme = "alarms"
    reaches_back = timedelta(days=30)

    def service(self) -> str:
        """CloudWatch."""
        return "cloudwatch"

    def step(self) -> int:
        """Requests tell whole seconds."""
        return 1000

    def fetch(self, place: Place, stream: Stream, window: Window) -> Iterator[Told]:
        """The changes of a window."""
        for page in place.pages(
            "describe_alarm_history",
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            HistoryItemType="StateUpdate",
            StartDate=moment_of(window.start),
            EndDate=moment_of(window.end),
            MaxRecords=100,
            ScanBy="TimestampAscending",
        ):
            for item in page["AlarmHistoryItems"]:
                moment = milliseconds(item["Timestamp"])
                if window.has(moment):
                    yield Told(moment, _event(place, item))


def _event(place: Place, item: dict[str, Any]) -> bytes:
    told: dict[str, Any] = {}
    with suppress(ValueError):
        told = json.loads(item.get("HistoryData") or "{}")
    time = item["Timestamp"].isoformat(timespec="milliseconds")
    detail = {
        "alarmName": item["AlarmName"],
        "state": _state(told.get("newState") or {}) | {"timestamp": time},
        "previousState": _state(told.get("oldState") or {}),
        "historyItem": item,
    }
    around = {"version": "0", "detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch"}
    around |= {"account": place.owner, "time": time, "region": place.region}
    return msgspec.json.encode({**around, "detail": detail})


def _state(told: dict[str, Any]) -> dict[str, Any]:
    names = {"value": "stateValue", "reason": "stateReason"}
    found = {name: told[key] for name, key in names.items() if key in told}
    return found | ({"reasonData": json.dumps(told["stateReasonData"])} if "stateReasonData" in told else {})
