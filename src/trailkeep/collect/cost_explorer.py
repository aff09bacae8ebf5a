"""Costs by day, service and account in, a record for each out, by GetCostAndUsage; $0.01 a request, one a day.

A record is a group of an answer with what stands around it: `{"TimePeriod", "Estimated", "Keys", "Metrics",
"GroupDefinitions"}`; the keys are the service and the number of the account.

Sources: Cost Explorer API reference, GetCostAndUsage; "AWS Cost Explorer pricing"; user guide: figures are there about
a day later, and are settled when the month's bill is.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

import msgspec
from pydantic import Field, field_validator

from trailkeep.collect.pull import Place
from trailkeep.collect.windows import Stream, Told, Window, WindowsConfig, milliseconds, moment_of

_GROUPS = [{"Type": "DIMENSION", "Key": "SERVICE"}, {"Type": "DIMENSION", "Key": "LINKED_ACCOUNT"}]


class CostExplorer(WindowsConfig):
    """Costs by day, service and account, of an organisation where the account is the one that pays."""

    type: Literal["cost_explorer"]
    settle_seconds: float = Field(default=86400, ge=0, description="after the end of a day")
    metric: Literal["UnblendedCost", "AmortizedCost", "NetUnblendedCost", "NetAmortizedCost"] = "UnblendedCost"

    scheme = "cost"
    reaches_back = timedelta(days=365)

    @field_validator("regions")
    @classmethod
    def _no_regions(cls, value: list[str]) -> list[str]:
        if value:
            raise ValueError("Cost Explorer knows all regions at once, and is charged for each time it is asked")
        return value

    def service(self) -> str:
        """Cost Explorer."""
        return "ce"

    def step(self) -> int:
        """A window is of whole days: so it is asked once a day."""
        return 86_400_000

    def fetch(self, place: Place, stream: Stream, window: Window) -> Iterator[Told]:
        """The costs of some days."""
        days = {"Start": _day(window.start), "End": _day(window.end)}
        for page in place.pages(
            "get_cost_and_usage",
            "NextPageToken",
            TimePeriod=days,
            Granularity="DAILY",
            Metrics=[self.metric],
            GroupBy=_GROUPS,
        ):
            for day in page["ResultsByTime"]:
                around = {"TimePeriod": day["TimePeriod"], "Estimated": day.get("Estimated", False)}
                for group in day["Groups"]:
                    line = msgspec.json.encode(around | group | {"GroupDefinitions": _GROUPS})
                    yield Told(milliseconds(day["TimePeriod"]["Start"]), line)


def _day(moment: int) -> str:
    return moment_of(moment).date().isoformat()
