"""Costs: a record a day, of all accounts and services; a request that costs money is made once a day."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.collect.conftest import Collect
from tests.collect.fake_aws import Call, FakeAws, fake_aws, paged
from tests.collect.reading import Kept, delivered
from trailkeep.collect.cost_explorer import CostExplorer


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    with fake_aws(monkeypatch) as running:
        running.answers["GetCostAndUsage"] = costs
        yield running


def costs(call: Call) -> dict[str, Any]:
    first, end = (date.fromisoformat(call.body["TimePeriod"][name]) for name in ("Start", "End"))
    days = [
        {
            "TimePeriod": {"Start": f"{day}", "End": f"{day + timedelta(1)}"},
            "Total": {},
            "Groups": [
                {"Keys": [account, service], "Metrics": {"UnblendedCost": {"Amount": "1.5", "Unit": "USD"}}}
                for service in ("Amazon GuardDuty", "AmazonCloudWatch")
                for account in ("111122223333", "444455556666")
            ],
            "Estimated": True,
        }
        for day in (first + timedelta(number) for number in range((end - first).days))
    ]
    page, more = paged(days, call, 4, "NextPageToken")
    return {"ResultsByTime": page, "GroupDefinitions": call.body["GroupBy"], **more}


def noon(fake: FakeAws) -> datetime:
    """Noon of today, which it is by the clock of `fake` from now on."""
    today = datetime.fromtimestamp(fake.now(), UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    fake.ahead = today.timestamp() - datetime.now(UTC).timestamp()
    return today


def test_once_a_day(fake: FakeAws, tmp_path: Path) -> None:
    today = noon(fake)
    config = CostExplorer(type="cost_explorer", since=today - timedelta(days=10))
    kept = Kept()
    found = [json.loads(line) for line in delivered(config, tmp_path, kept).lines]
    days = [str((today - timedelta(days=ago)).date()) for ago in range(10, 1, -1)]
    assert sorted({each["TimePeriod"]["Start"] for each in found}) == days
    assert len(found) == len(days)
    assert found[0]["Groups"][0]["Keys"] == ["111122223333", "Amazon GuardDuty"]
    asked = fake.count("GetCostAndUsage")
    for ahead, more in ((3600, 0), (7200, 0), (86_400, 1), (90_000, 0)):
        fake.ahead = today.timestamp() + ahead - datetime.now(UTC).timestamp()
        assert len(delivered(config, tmp_path, kept).lines) == more
        asked += more
        assert fake.count("GetCostAndUsage") == asked


def test_into_the_lake(fake: FakeAws, collect: Collect, sources: Callable[[], dict[str, int]]) -> None:
    since = noon(fake).date() - timedelta(days=5)
    assert collect(f"collect:\n  c: {{type: cost_explorer, since: {since}}}\n").code == 0
    assert sources() == {"aws_cost_explorer": 4}  # an event a day


def test_regions_make_no_sense() -> None:
    with pytest.raises(ValueError, match="charged"):
        CostExplorer.model_validate({"type": "cost_explorer", "regions": ["eu-west-1"]})
