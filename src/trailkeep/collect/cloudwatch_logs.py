"""Log groups of CloudWatch Logs in, their events out, by FilterLogEvents; new groups are found by themselves.

What is delivered has the shape of a subscription: `{"messageType": "DATA_MESSAGE", "owner", "logGroup", "logStream",
"logEvents"}`, so that the way by subscription and this one yield the same. An event may reach CloudWatch Logs long
after it happened: it says when, and later looks find it (see `windows`).

Sources: CloudWatch Logs API reference, FilterLogEvents (at most 10,000 events or 1 MB an answer), DescribeLogGroups;
quotas (FilterLogEvents: 10 a second in most regions, 5 in some).
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec
from pydantic import Field

from trailkeep.collect.pull import Place
from trailkeep.collect.windows import Stream, Told, Window, WindowsConfig

_GLOB = re.compile(r"[*?\[]")


class CloudWatchLogs(WindowsConfig):
    """Events of log groups, where no subscription brings them."""

    type: Literal["cloudwatch_logs"]
    groups: list[str] = Field(min_length=1, description="names of log groups, or patterns such as /aws/lambda/*")
    filter: str | None = Field(default=None, description="filter pattern of CloudWatch Logs: only these events")
    late_seconds: list[float] = Field(default=[3600.0, 86400.0], description="when to look again for what came late")
    page_events: int = Field(default=10_000, ge=1, le=10_000, description="most events in an answer")

    scheme = "logs"

    def service(self) -> str:
        """CloudWatch Logs."""
        return "logs"

    def looks(self) -> list[float]:
        """The first look, and those for what came late."""
        return [self.settle_seconds, *(each for each in self.late_seconds if each > self.settle_seconds)]

    def streams(self, place: Place) -> list[Stream]:
        """The groups that are named, and those that there are now of the patterns."""
        found: dict[str, Stream] = {}
        for pattern in self.groups:
            if not _GLOB.search(pattern):
                found.setdefault(pattern, Stream(pattern))
                continue
            prefix = _GLOB.split(pattern, maxsplit=1)[0]
            how = {"logGroupNamePrefix": prefix} if prefix else {}
            for page in place.pages("describe_log_groups", "nextToken", **how):
                for group in page["logGroups"]:
                    name = group["logGroupName"]
                    if fnmatchcase(name, pattern):
                        found.setdefault(name, Stream(name))
        return list(found.values())

    def fetch(self, place: Place, stream: Stream, window: Window) -> Iterator[Told]:
        """The events of a group, those of one log stream in an answer together."""
        how: dict[str, Any] = {"filterPattern": self.filter} if self.filter else {}
        how |= {"logGroupName": stream.name, "startTime": window.start, "endTime": window.end}
        for page in place.pages("filter_log_events", "nextToken", limit=self.page_events, **how):
            streams: dict[str, list[dict[str, Any]]] = {}
            for event in page["events"]:
                if window.wants(event["timestamp"], event.get("ingestionTime", event["timestamp"])):
                    said = {"id": event["eventId"], "timestamp": event["timestamp"], "message": event["message"]}
                    streams.setdefault(event["logStreamName"], []).append(said)
            for name, events in streams.items():
                around: dict[str, Any] = {"messageType": "DATA_MESSAGE", "owner": place.owner, "logGroup": stream.name}
                around |= {"logStream": name, "subscriptionFilters": []}
                yield Told(events[-1]["timestamp"], msgspec.json.encode(around | {"logEvents": events}))
