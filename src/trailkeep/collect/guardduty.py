"""Findings of GuardDuty in, as they were whenever they changed out, by ListFindings and GetFindings.

They are delivered as AWS sent them, in the case of names that exports to S3 have.

Sources: GuardDuty API reference, ListFindings (criteria on updatedAt in milliseconds since 1970, 50 ids an answer),
GetFindings (50 ids); findings are kept for 90 days.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

import msgspec
from pydantic import Field

from trailkeep.collect.pull import Place
from trailkeep.collect.windows import Stream, Told, Window, WindowsConfig, milliseconds


class _Finding(msgspec.Struct):
    updatedAt: str


class _Answer(msgspec.Struct):
    findings: list[msgspec.Raw]


_ANSWER = msgspec.json.Decoder(_Answer)
_FINDING = msgspec.json.Decoder(_Finding)


class GuardDuty(WindowsConfig):
    """Findings of GuardDuty, where no export to S3 brings them."""

    type: Literal["guardduty"]
    settle_seconds: float = Field(default=120, ge=0)

    scheme = "guardduty"
    reaches_back = timedelta(days=90)

    def service(self) -> str:
        """GuardDuty."""
        return "guardduty"

    def streams(self, place: Place) -> list[Stream]:
        """The region's detectors: one, or none where GuardDuty is off."""
        return [Stream(each) for page in place.pages("list_detectors") for each in page["DetectorIds"]]

    def fetch(self, place: Place, stream: Stream, window: Window) -> Iterator[Told]:
        """The findings that were updated in a window; one that is updated meanwhile is in a later one."""
        updated = {"GreaterThanOrEqual": window.start, "LessThan": window.end}
        for page in place.pages(
            "list_findings",
            DetectorId=stream.name,
            FindingCriteria={"Criterion": {"updatedAt": updated}},
            SortCriteria={"AttributeName": "updatedAt", "OrderBy": "ASC"},
            MaxResults=50,
        ):
            if page["FindingIds"]:
                _, body = place.ask_raw("get_findings", DetectorId=stream.name, FindingIds=page["FindingIds"])
                for finding in _ANSWER.decode(body).findings:
                    moment = milliseconds(_FINDING.decode(finding).updatedAt)
                    if window.has(moment):
                        yield Told(moment, bytes(finding).replace(b"\n", b" "))
