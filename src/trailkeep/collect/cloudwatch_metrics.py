"""Metrics of CloudWatch in, a record for each of their points out, by GetMetricData, in the shape of metric streams.

`{"account_id", "region", "namespace", "metric_name", "dimensions", "timestamp" (milliseconds since 1970), "value":
{"min", "max", "sum", "count"}, "period" (seconds)}`.

Sources: CloudWatch API reference, GetMetricData (500 queries a request, StartTime inclusive, EndTime exclusive; up to
five statistics of a metric are charged as one); user guide, "CloudWatch metric stream output in JSON format".
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from trailkeep.collect.pull import Place
from trailkeep.collect.windows import Stream, Told, Window, WindowsConfig, milliseconds, moment_of

_STATISTICS = {"Minimum": "min", "Maximum": "max", "Sum": "sum", "SampleCount": "count"}
_METRICS = 500 // len(_STATISTICS)  # in a request
_POINTS = 100_000  # of a metric's statistics at a time


class Metric(BaseModel):
    """One metric: its name, and the dimensions that tell which of that name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    namespace: str = Field(description="such as AWS/ApplicationELB")
    name: str = Field(description="such as HTTPCode_ELB_5XX_Count")
    dimensions: dict[str, str] = Field(default_factory=dict, description="all of them: CloudWatch wants them exactly")


class CloudWatchMetrics(WindowsConfig):
    """Points of chosen metrics."""

    type: Literal["cloudwatch_metrics"]
    metrics: list[Metric] = Field(min_length=1)
    period_seconds: int = Field(default=300, ge=60, multiple_of=60)

    scheme = "metrics"

    def service(self) -> str:
        """CloudWatch."""
        return "cloudwatch"

    def step(self) -> int:
        """A window is of whole periods."""
        return self.period_seconds * 1000

    def longest(self) -> int:
        """As many points as fit in memory well."""
        return self.step() * max(1, _POINTS // (len(_STATISTICS) * min(len(self.metrics), _METRICS)))

    def fetch(self, place: Place, stream: Stream, window: Window) -> Iterator[Told]:
        """The points of a window; none where nothing was measured."""
        for start in range(0, len(self.metrics), _METRICS):
            metrics = self.metrics[start : start + _METRICS]
            points: dict[tuple[int, int], dict[str, float]] = defaultdict(dict)
            for page in place.pages(
                "get_metric_data",
                MetricDataQueries=list(self._queries(metrics)),
                StartTime=moment_of(window.start),
                EndTime=moment_of(window.end),
                ScanBy="TimestampAscending",
            ):
                for result in page["MetricDataResults"]:
                    number, _, statistic = result["Id"].removeprefix("m").partition("_")
                    for time, value in zip(result["Timestamps"], result["Values"], strict=True):
                        if window.has(milliseconds(time)):
                            points[int(number), milliseconds(time)][statistic] = value
            for (number, moment), value in points.items():
                yield Told(moment, self._record(place, metrics[number], moment, value))

    def _queries(self, metrics: Sequence[Metric]) -> Iterator[dict[str, Any]]:
        for number, metric in enumerate(metrics):
            dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions.items()]
            which = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
            for statistic, name in _STATISTICS.items():
                asked = {"Metric": which, "Period": self.period_seconds, "Stat": statistic}
                yield {"Id": f"m{number}_{name}", "MetricStat": asked}

    def _record(self, place: Place, metric: Metric, moment: int, value: dict[str, float]) -> bytes:
        return msgspec.json.encode(
            {
                "account_id": place.owner,
                "region": place.region,
                "namespace": metric.namespace,
                "metric_name": metric.name,
                "dimensions": metric.dimensions,
                "timestamp": moment,
                "value": value,
                "period": self.period_seconds,
            }
        )
