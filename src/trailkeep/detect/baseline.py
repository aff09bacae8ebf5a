"""What a detector without a fixed rule asks, as data: a metric by entity and bucket of time, and what is odd about it.

`where`, metrics and values are SQL over stored columns and over where addresses are; nothing else may be named.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

import sqlglot
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from sqlglot import exp

from trailkeep.core.columns import MAPPED
from trailkeep.detect.series import Method

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
STORED = {column.name for column in MAPPED} | {"raw_data"}
PLACES = {
    f"{end}_{name}": (f"{end}_ip", name, kind)
    for end in ("src", "dst")
    for name, kind in (("country", "country"), ("asn", "asn"), ("as_name", "asn"))
}
"""Columns that are not stored: of which address, what of its place, and which file of the part `geo:` knows that."""
COLUMNS = STORED | PLACES.keys()
"""What SQL of a detector may name."""
_WORD = re.compile(r"\w+")
_SPAN = re.compile(r"([1-9][0-9]*)([mhdw])")


def _span(value: object) -> timedelta:
    match = _SPAN.fullmatch(str(value))
    if not match:
        raise ValueError(f"{value!r} is not a time such as 10m, 1h, 7d or 4w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


Span = Annotated[timedelta, BeforeValidator(_span)]


def _sql(text: str) -> str:
    """SQL over stored columns. Raises ValueError for anything else."""
    try:
        tree = sqlglot.parse_one(text, dialect="duckdb")
    except sqlglot.ParseError as error:
        raise ValueError(f"{text!r} is not SQL: {error.errors[0]['description']}") from error
    if tree.find(exp.Select, exp.Table, exp.Command):
        raise ValueError(f"{text!r}: only conditions and values of stored columns")
    if unknown := sorted({column.name for column in tree.find_all(exp.Column)} - COLUMNS):
        raise ValueError(f"{text!r}: no stored column {', '.join(unknown)}")
    return text


Sql = Annotated[str, BeforeValidator(lambda value: _sql(str(value)))]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Metric(_Model):
    """What is counted of the events of a bucket: one of these."""

    count: Literal[True] | None = None
    sum: Sql | None = Field(default=None, description="of a number")
    distinct: Sql | None = Field(default=None, description="different values")
    share: Sql | None = Field(default=None, description="of events for which this holds, from 0 to 1")
    value: Sql | None = Field(default=None, description="an aggregate of one's own")

    @model_validator(mode="after")
    def _one(self) -> "Metric":
        if len(self.model_fields_set) != 1:
            raise ValueError("a metric is one of count: true, sum, distinct, share and value")
        return self

    @property
    def sql(self) -> str:
        """The aggregate."""
        if self.sum is not None:
            return f"CAST(coalesce(sum({self.sum}), 0) AS DOUBLE)"
        if self.distinct is not None:
            return f"CAST(count(DISTINCT {self.distinct}) AS DOUBLE)"
        if self.share is not None:
            return f"CAST(avg(CASE WHEN {self.share} THEN 1 ELSE 0 END) AS DOUBLE)"
        return f"CAST({self.value} AS DOUBLE)" if self.value is not None else "CAST(count(*) AS DOUBLE)"

    @property
    def counts_each(self) -> bool:
        """Whether it comes out otherwise where an event is there twice."""
        return self.distinct is None

    @property
    def empty(self) -> float | None:
        """What a bucket without events has."""
        return None if self.share is not None or self.value is not None else 0.0


class FirstSeen(_Model):
    """A value that was never seen before: of this entity, or of anyone."""

    type: Literal["first_seen"]
    value: Sql
    scope: Literal["entity", "anyone"] = "entity"
    called: Sql | None = Field(default=None, description="what people call the value, told beside it")


class Rare(_Model):
    """A value that few entities have."""

    type: Literal["rare"]
    value: Sql
    at_most: int = Field(default=1, ge=1, description="entities that have it, this one among them")
    of: int = Field(default=10, ge=2, description="entities that there must be")


class Asks(_Model):
    """The part `baseline` of a detector."""

    where: Sql = "true"
    by: list[Sql] = Field(description="the entity: stored columns, or SQL over them")
    bucket: Span = timedelta(hours=1)
    history: Span = Field(default=timedelta(days=30), description="how far back it looks")
    warm_up: Span = Field(default=timedelta(days=7), description="for which an entity must be known")
    least: float = Field(default=0, ge=0, description="less than this is never told")
    unless: Sql | None = Field(
        default=None, description="of an event of the entity in the bucket or the one before: then nothing is told"
    )
    metric: Metric | None = None
    method: Annotated[Method | FirstSeen | Rare, Field(discriminator="type")]

    @model_validator(mode="after")
    def _fits(self) -> "Asks":
        of_values = isinstance(self.method, FirstSeen | Rare)
        if of_values == (self.metric is not None):
            raise ValueError("first_seen and rare take a value and no metric; all other methods need a metric")
        if not of_values and self.history < 2 * self.bucket:
            raise ValueError("history must be longer than two buckets")
        if of_values and self.unless is not None:
            raise ValueError("unless is about buckets, which first_seen and rare have not: say it in where")
        return self

    @property
    def named(self) -> set[str]:
        """The columns that its SQL names."""
        method, metric = self.method, self.metric.sql if self.metric else ""
        values = [getattr(method, name, None) or "" for name in ("value", "called")]
        texts = (self.where, self.unless or "", *self.by, metric, *values)
        return {word for text in texts for word in _WORD.findall(text)} & COLUMNS

    @property
    def needs(self) -> frozenset[str]:
        """What the part `geo:` must have for it: of `country` and `asn`, what is named."""
        return frozenset(PLACES[name][2] for name in self.named & PLACES.keys())


class SeriesTest(_Model):
    """An inline test: values of consecutive buckets from a Monday at midnight on.

    `5*24 7 -` are 24 fives, a seven and a bucket of which nothing is known; `9!` is a bucket with an event of `unless`.
    It matches if the last bucket is odd.
    """

    name: str
    match: bool
    series: str

    @property
    def values(self) -> list[float | None]:
        """The numbers."""
        found: list[float | None] = []
        for word in self.series.split():
            value, _, times = word.rstrip("!").partition("*")
            found += [None if value == "-" else float(value)] * int(times or 1)
        return found

    @property
    def explained(self) -> bool:
        """Whether the last bucket, or the one before, has an event of `unless`."""
        return any(word.endswith("!") for word in self.series.split()[-2:])


def check(value: object) -> Asks:
    """The part `baseline`, checked. Raises ValueError with all that is wrong."""
    try:
        return Asks.model_validate(value)
    except ValidationError as error:
        raise ValueError("; ".join(map(_said, error.errors()))) from error


def _said(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    return (
        f"{where}: {error['msg'].removeprefix('Value error, ')}"
        if where
        else error["msg"].removeprefix("Value error, ")
    )
