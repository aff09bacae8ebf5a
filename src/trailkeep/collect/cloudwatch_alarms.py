"""Alarms of CloudWatch in, what became of them out, by DescribeAlarmHistory: states, actions, changes of configuration.

An item does not say whose it is: it is delivered in our own envelope, with account and region beside it.

Sources: CloudWatch API reference, DescribeAlarmHistory (100 items an answer; kept for 30 days).
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

import msgspec

from trailkeep.collect.pull import Place
from trailkeep.collect.windows import Stream, Told, Window, WindowsConfig, milliseconds, moment_of


class CloudWatchAlarms(WindowsConfig):
    """History of all alarms."""

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
        """The items of a window."""
        said = {"protocol": "describe_alarm_history", "account": place.owner, "region": place.region}
        for page in place.pages(
            "describe_alarm_history",
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            StartDate=moment_of(window.start),
            EndDate=moment_of(window.end),
            MaxRecords=100,
            ScanBy="TimestampAscending",
        ):
            for item in page["AlarmHistoryItems"]:
                moment = milliseconds(item["Timestamp"])
                if window.has(moment):
                    yield Told(moment, msgspec.json.encode({"trailkeep": said, "record": item}))
