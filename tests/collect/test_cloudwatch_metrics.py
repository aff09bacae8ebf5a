"""Points of metrics: one record each, in the shape of metric streams, over windows of whole periods."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.aws import REGION
from tests.collect.conftest import Collect
from tests.collect.reading import delivered
from trailkeep.collect.cloudwatch_metrics import CloudWatchMetrics


def test_points_of_the_emulator(
    aws: Callable[[str], Any], endpoint: str, collect: Collect, sources: Callable[[], dict[str, int]], tmp_path: Path
) -> None:
    space = f"App/{uuid4().hex}"
    start = int(time.time()) // 300 * 300 - 1800
    data = [
        {
            "MetricName": "Errors",
            "Dimensions": [{"Name": "Host", "Value": "a"}],
            "Timestamp": datetime.fromtimestamp(start + offset, UTC),
            "Value": value,
        }
        for offset, value in ((10, 1.0), (20, 3.0), (310, 5.0))
    ]
    aws("cloudwatch").put_metric_data(Namespace=space, MetricData=data)
    config = CloudWatchMetrics.model_validate(
        {
            "type": "cloudwatch_metrics",
            "regions": [REGION],
            "metrics": [{"namespace": space, "name": "Errors", "dimensions": {"Host": "a"}}],
        }
    )
    records = [json.loads(line) for line in delivered(config, tmp_path).lines]
    around = {
        "metric_stream_name": "test",
        "account_id": "123456789012",
        "region": REGION,
        "namespace": space,
        "metric_name": "Errors",
        "dimensions": {"Host": "a"},
        "period": 300,
    }
    assert records == [
        {**around, "timestamp": start * 1000, "value": {"min": 1.0, "max": 3.0, "sum": 4.0, "count": 2.0}},
        {**around, "timestamp": (start + 300) * 1000, "value": {"min": 5.0, "max": 5.0, "sum": 5.0, "count": 1.0}},
    ]
    metric = f"{{namespace: {space}, name: Errors, dimensions: {{Host: a}}}}"
    done = collect(f"collect:\n  m: {{type: cloudwatch_metrics, regions: [{REGION}], metrics: [{metric}]}}\n")
    assert done.code == 0, done.err
    assert sources() == {"aws_cloudwatch_metric": 2}


def test_windows_hold_a_bounded_number_of_points() -> None:
    metric = {"namespace": "n", "name": "m"}
    for count in (1, 100, 1000):
        config = CloudWatchMetrics.model_validate({"type": "cloudwatch_metrics", "metrics": [metric] * count})
        points = config.longest() // config.step() * 4 * min(count, 125)
        assert 0 < points <= 100_000


def test_a_period_is_of_whole_minutes() -> None:
    with pytest.raises(ValueError, match="multiple of 60"):
        CloudWatchMetrics.model_validate(
            {"type": "cloudwatch_metrics", "metrics": [{"namespace": "n", "name": "m"}], "period_seconds": 90}
        )
