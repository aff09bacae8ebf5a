"""A series of values in, where it is not as expected out: the methods of baselines, without any state.

A series has a value for each bucket of time, None where nothing is known. What is looked at is told with what was
expected and why. Sources: moving-average convergence/divergence as by G. Appel; the median absolute deviation scaled by
1.4826, with which it estimates the standard deviation of normal values (Rousseeuw and Croux 1993); M of N datapoints
and the treatment of missing data as alarms of Amazon CloudWatch have them.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

Values = Sequence[float | None]
_SCALE = 1.4826


class Odd(NamedTuple):
    """A bucket that is not as expected: its place, and words for `expected` and for `seen`."""

    place: int
    expected: str
    seen: str


class _Method(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Threshold(_Method):
    """So many of the last buckets beyond a bound."""

    type: Literal["threshold"]
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None
    datapoints: int = Field(default=1, ge=1, description="buckets beyond the bound")
    of: int = Field(default=1, ge=1, le=1000, description="the last buckets that are looked at")
    missing: Literal["not_breaching", "breaching", "ignore"] = "not_breaching"

    @model_validator(mode="after")
    def _one_bound(self) -> "Threshold":
        if sum(bound is not None for bound in (self.gt, self.gte, self.lt, self.lte)) != 1:
            raise ValueError("threshold needs one of gt, gte, lt, lte")
        if self.datapoints > self.of:
            raise ValueError(f"datapoints, {self.datapoints}, must not be more than of, {self.of}")
        return self

    def odd(self, values: Values, start: datetime, bucket: timedelta) -> Iterator[Odd]:
        """Buckets with which the condition holds."""
        name, bound = next((n, b) for n in ("gt", "gte", "lt", "lte") if (b := getattr(self, n)) is not None)
        beyond: Callable[[float, float], bool] = getattr(operator, {"gte": "ge", "lte": "le"}.get(name, name))
        words = {"gt": "at most", "gte": "less than", "lt": "at least", "lte": "more than"}[name]
        states = [None if value is None else beyond(value, bound) for value in values]
        for place in range(len(values)):
            window = states[max(0, place + 1 - self.of) : place + 1]
            if self.missing == "ignore":
                known = [state for state in states[: place + 1] if state is not None]
                window = list(known[-self.of :]) if states[place] is not None else []
            count = sum(state is True or (state is None and self.missing == "breaching") for state in window)
            if count >= self.datapoints and (states[place] or (states[place] is None and self.missing == "breaching")):
                which = "" if self.of == 1 else f" ({count} of the last {len(window)})"
                yield Odd(place, f"{words} {_number(bound)}", f"{_told(values[place])}{which}")


class Macd(_Method):
    """A fast moving average that leaves a slow one behind, by more than it usually does."""

    type: Literal["macd"]
    fast: int = Field(default=12, ge=1, description="buckets of the fast average")
    slow: int = Field(default=26, ge=2, description="buckets of the slow one")
    signal: int = Field(default=9, ge=1, description="buckets of the average of their difference")
    share: float = Field(default=0.25, gt=0, description="of the slow average, by which the crossing must exceed it")

    @model_validator(mode="after")
    def _order(self) -> "Macd":
        if self.fast >= self.slow:
            raise ValueError(f"fast, {self.fast}, must be less than slow, {self.slow}")
        return self

    def odd(self, values: Values, start: datetime, bucket: timedelta) -> Iterator[Odd]:
        """Buckets in which the difference crosses its own average upwards, far enough."""
        known = [value or 0.0 for value in values]
        fast, slow = _averages(known, self.fast), _averages(known, self.slow)
        difference = [one - other for one, other in zip(fast, slow, strict=True)]
        line = _averages(difference, self.signal)
        above = False
        for place in range(len(known)):
            gap = difference[place] - line[place]
            crossed = gap > self.share * max(slow[place], 1e-9) and known[place] > slow[place]
            if place >= self.slow and crossed and not above:
                seen = f"{_number(known[place])}, with which the fast average ({_number(fast[place])}) left it behind"
                yield Odd(place, f"about {_number(slow[place])}, the slow average", seen)
            above = crossed or (above and gap > 0)


class Seasonal(_Method):
    """Far from what the same hour of the week has had."""

    type: Literal["seasonal"]
    deviations: float = Field(default=6, gt=0, description="scaled median absolute deviations from the median")
    least_weeks: int = Field(default=2, ge=2, description="earlier weeks in which the hour must be known")
    floor: float = Field(default=1, gt=0, description="the least deviation that is reckoned with")
    below: bool = Field(default=False, description="whether too little is told as well")

    def odd(self, values: Values, start: datetime, bucket: timedelta) -> Iterator[Odd]:
        """Buckets that are too far off."""
        period = max(1, round(timedelta(days=7) / bucket))
        for place, value in enumerate(values):
            earlier = [known for known in values[place % period : place : period] if known is not None]
            if value is None or len(earlier) < self.least_weeks:
                continue
            middle = median(earlier)
            spread = max(_SCALE * median(abs(known - middle) for known in earlier), self.floor)
            score = (value - middle) / spread
            if score > self.deviations or (self.below and -score > self.deviations):
                moment = start + place * bucket
                expected = f"about {_number(middle)} (± {_number(self.deviations * spread)}) on a {moment:%A at %H:%M}"
                yield Odd(place, expected, _number(value))


class Change(_Method):
    """So many times as much as on average before."""

    type: Literal["change"]
    factor: float = Field(default=3, gt=1)
    over: int = Field(default=24, ge=2, description="buckets before, whose mean it is compared with")

    def odd(self, values: Values, start: datetime, bucket: timedelta) -> Iterator[Odd]:
        """Buckets that are too much."""
        for place in range(self.over, len(values)):
            value, earlier = values[place], [known for known in values[place - self.over : place] if known is not None]
            if value is None or not earlier:
                continue
            mean = sum(earlier) / len(earlier)
            if value > self.factor * mean:
                before = f"at most {self.factor:g} times {_number(mean)}, the mean of {len(earlier)} buckets before"
                yield Odd(place, before, _number(value))


Method = Annotated[Threshold | Macd | Seasonal | Change, Field(discriminator="type")]


def _averages(values: Sequence[float], buckets: int) -> list[float]:
    """Exponential moving averages with the weight 2 / (buckets + 1), from the first value on."""
    weight, found = 2 / (buckets + 1), list(values[:1])
    for value in values[1:]:
        found.append(found[-1] + weight * (value - found[-1]))
    return found


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:,.2f}"


def _told(value: float | None) -> str:
    return "nothing" if value is None else _number(value)
