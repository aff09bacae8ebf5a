"""Findings of Security Hub in, as they were whenever they changed out, by GetFindings.

Sources: Security Hub API reference, GetFindings (filter on UpdatedAt; 100 findings an answer; three requests a second),
ASFF; findings are kept for 90 days after the last change.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

import msgspec
from pydantic import Field

from trailkeep.collect.pull import Place
from trailkeep.collect.windows import Stream, Told, Window, WindowsConfig, milliseconds, moment_of


class _Finding(msgspec.Struct):
    UpdatedAt: str


class _Answer(msgspec.Struct):
    Findings: list[msgspec.Raw]


_ANSWER = msgspec.json.Decoder(_Answer)
_FINDING = msgspec.json.Decoder(_Finding)


class SecurityHub(WindowsConfig):
    """Findings of Security Hub, where no EventBridge rule brings them."""

    type: Literal["securityhub"]
    requests_per_second: float = Field(default=3, gt=0, le=1000, description="in each account and region")
    settle_seconds: float = Field(default=300, ge=0)

    scheme = "securityhub"
    reaches_back = timedelta(days=90)

    def service(self) -> str:
        """Security Hub."""
        return "securityhub"

    def fetch(self, place: Place, stream: Stream, window: Window) -> Iterator[Told]:
        """The findings that were updated in a window; one that is updated meanwhile is in a later one."""
        updated = {"Start": _iso(window.start), "End": _iso(window.end)}
        for body in place.raw_pages(
            "get_findings",
            Filters={"UpdatedAt": [updated]},
            SortCriteria=[{"Field": "UpdatedAt", "SortOrder": "asc"}],
            MaxResults=100,
        ):
            for finding in _ANSWER.decode(body).Findings:
                moment = milliseconds(_FINDING.decode(finding).UpdatedAt)
                if window.has(moment):
                    yield Told(moment, bytes(finding).replace(b"\n", b" "))


def _iso(moment: int) -> str:
    return moment_of(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")
