"""CloudTrail's event history in, its events out, by LookupEvents: management events of 90 days, without any trail.

Sources: CloudTrail API reference, LookupEvents (two requests a second in each account and region, 50 events an answer;
both ends of the range are in it; times are whole seconds), user guide "Viewing events with event history" (events show
up within about 15 minutes, 90 days, management events only).
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

from pydantic import Field

from trailkeep.collect.pull import Place
from trailkeep.collect.windows import Stream, Told, Window, WindowsConfig, milliseconds, moment_of


class CloudTrailLookup(WindowsConfig):
    """Management events of CloudTrail where there is no trail."""

    type: Literal["cloudtrail_lookup"]
    requests_per_second: float = Field(default=2, gt=0, le=2, description="AWS allows two in each account and region")
    settle_seconds: float = Field(default=900, ge=0, description="events show up within about 15 minutes")

    scheme = "lookup"
    file_bytes = 8 << 20
    reaches_back = timedelta(days=90)

    def service(self) -> str:
        """CloudTrail."""
        return "cloudtrail"

    def step(self) -> int:
        """Times of events are whole seconds."""
        return 1000

    def fetch(self, place: Place, stream: Stream, window: Window) -> Iterator[Told]:
        """The events as CloudTrail wrote them."""
        for page in place.pages(
            "lookup_events", StartTime=moment_of(window.start), EndTime=moment_of(window.end), MaxResults=50
        ):
            for event in page["Events"]:
                moment = milliseconds(event["EventTime"])
                if window.has(moment):
                    yield Told(moment, event["CloudTrailEvent"].encode().replace(b"\n", b" "))
