"""Spans and hours as people write them in, moments out: `15m`, `22:00-07:00`, `[sat, sun]`."""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_HOURS = r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"


def _span(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if found := re.fullmatch(r"(\d{1,6})([smhd])", str(value).strip()):
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    raise ValueError(f"{value!r} is no span of time; write 90s, 15m, 24h or 7d")


Span = Annotated[timedelta, BeforeValidator(_span)]


class Times(BaseModel):
    """Hours of the day and days of the week in a time zone; hours over midnight belong to the day they begin on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hours: str = Field(default="00:00-00:00", pattern=_HOURS, description="from-until; the same twice is all day")
    days: tuple[Day, ...] = Field(default=_DAYS, min_length=1, description="mon to sun")
    zone: str = Field(default="UTC", description="time zone, such as Europe/Berlin")

    @field_validator("zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError) as error:  # ZoneInfoNotFoundError is a KeyError on some systems
            raise ValueError(f"no time zone {name!r}; write one such as Europe/Berlin") from error
        except KeyError as error:
            raise ValueError(f"no time zone {name!r}; write one such as Europe/Berlin") from error
        return name

    @cached_property
    def _from_until(self) -> tuple[time, time]:
        first, _, until = self.hours.partition("-")
        return time.fromisoformat(first), time.fromisoformat(until)

    def holds(self, moment: datetime) -> bool:
        """Whether `moment` is one of these times."""
        local = moment.astimezone(ZoneInfo(self.zone))
        first, until = self._from_until
        clock, today, yesterday = local.time(), _DAYS[local.weekday()], _DAYS[local.weekday() - 1]
        if first < until:
            return first <= clock < until and today in self.days
        return (clock >= first and today in self.days) or (clock < until and yesterday in self.days)

    def end(self, moment: datetime) -> datetime:
        """When these times, in which `moment` is, are over; a week later at most."""
        zone = ZoneInfo(self.zone)
        _, until = self._from_until
        day: date = moment.astimezone(zone).date()
        over = moment
        for ahead in range(9):
            over = datetime.combine(day + timedelta(days=ahead), until, zone).astimezone(UTC)
            if over > moment and not self.holds(over):
                break
        return over
