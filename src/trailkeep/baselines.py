"""Detectors of what is unusual and the events that are stored in, what they see out, and alerts of it.

A run looks at the buckets of a span of time that are over, with the history before it. Events count once, however often
they were delivered. A bucket is told once, whenever and however often it is looked at.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib import import_module
from itertools import groupby
from math import ceil
from typing import Any

from sqlalchemy import Connection as StateConnection

from trailkeep.alert.derive import Signal, derive
from trailkeep.core.columns import SIGNAL_SOURCE
from trailkeep.detect.baseline import COLUMNS, Asks, FirstSeen, Rare, SeriesTest, check
from trailkeep.detect.rule import Baseline
from trailkeep.engine.duckdb import Connection
from trailkeep.engine.reading import connect_lake, iceberg_table
from trailkeep.lake.drills import drill_object_ids
from trailkeep.lake.home import Home
from trailkeep.lake.progress import KeptProgress, Position, Progress, apply
from trailkeep.lake.snapshot import current_snapshot
from trailkeep.store.database import reading
from trailkeep.store.tables import observations

MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_SHOWN = 200  # buckets of a series that stay with an alert
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Finding:
    """What a detector sees: of which entity, in the bucket from `time` on; `series` ends with that bucket."""

    baseline: Baseline
    entity: tuple[str, ...]
    time: datetime
    sentence: str
    series: tuple[tuple[str, float | None], ...]

    @property
    def uid(self) -> str:
        """The same whenever it is seen again."""
        entity = sha256("\0".join(self.entity).encode()).hexdigest()[:16]
        return f"{self.baseline.id}/{entity}/{self.time.isoformat()}"


def find(con: Connection, home: Home, one: Baseline, since: datetime, until: datetime) -> Iterator[Finding]:
    """What `one` sees in buckets from `since` to before `until` that are over by then."""
    asks = check(one.asks)
    if isinstance(asks.method, FirstSeen | Rare):
        yield from _of_values(con, home, one, asks, since, until)
    else:
        yield from _of_series(con, home, one, asks, since, until)


def record(state: StateConnection, findings: Iterable[Finding], windows: dict[str, int], now: datetime) -> int:
    """Keep findings and derive their alerts; returns how many were new. Repeatable."""
    found = [each for each in findings if each.baseline.alert]
    rows = [
        {"rule_uid": each.baseline.id, "event_uid": each.uid, "sentence": each.sentence, "series": list(each.series)}
        for each in found
    ]
    if rows:
        insert = import_module(f"sqlalchemy.dialects.{state.dialect.name}").insert(observations)
        state.execute(insert.on_conflict_do_nothing(), rows)
    return derive(state, map(_as_signal, found), windows, now)


OWN = "baselines"
"""The name under which it is kept until when a detector has looked."""
_FIRST_LOOK = timedelta(days=1)


def look(home: Home, every: Iterable[Baseline], until: datetime) -> int:
    """Let each detector look at what it has not seen yet, up to `until`; returns how many findings were new.

    A detector that never looked begins a day before.
    """
    baselines, new = list(every), 0
    known = KeptProgress(home.state).positions(OWN)
    windows = {one.id: window_of(one) for one in baselines}
    con = connect_lake(home.warehouse, threads=1)
    for one in baselines:
        key = f"{one.id}@{one.content_hash[:12]}"
        since = datetime.fromisoformat(known[key]) if key in known else until - _FIRST_LOOK
        end = _floor(until, check(one.asks).bucket)
        if end <= since:
            continue
        findings = list(find(con, home, one, since, end))
        with home.state.begin() as state:
            new += record(state, findings, windows, datetime.now(UTC))
            apply(state, Progress((Position(OWN, key, end.isoformat()),)))
    return new


def window_of(one: Baseline) -> int:
    """Seconds within which what it sees of an entity is one happening: two buckets."""
    return int(2 * check(one.asks).bucket.total_seconds())


def passes(one: Baseline, test: SeriesTest) -> bool:
    """Whether a test comes out as it says."""
    asks = check(one.asks)
    if isinstance(asks.method, FirstSeen | Rare):
        *earlier, last = test.series.split()
        return (last not in earlier) == test.match
    values = test.values
    odd = asks.method.odd(values, MONDAY, asks.bucket)
    return any(each.place == len(values) - 1 and _counts(asks, each.place, values) for each in odd) == test.match


def _counts(asks: Asks, place: int, values: Sequence[float | None]) -> bool:
    return place * asks.bucket >= asks.warm_up and (values[place] or 0) >= asks.least


def _as_signal(each: Finding) -> Signal:
    one, subject = each.baseline, ", ".join(each.entity) or "everything"
    kind = "group" if each.entity else "none"
    return Signal(one.id, one.title, one.level, subject, kind, each.time, each.uid, None, None, None, None, "", 0)


def _of_series(
    con: Connection, home: Home, one: Baseline, asks: Asks, since: datetime, until: datetime
) -> Iterator[Finding]:
    assert asks.metric is not None and not isinstance(asks.method, FirstSeen | Rare)
    end, step = _floor(until, asks.bucket), int(asks.bucket.total_seconds())
    bucket = f"time_bucket(INTERVAL '{step} seconds', time, TIMESTAMPTZ '{MONDAY.isoformat()}')"
    rows = con.execute(
        f"SELECT [{_entity(asks)}] AS entity, epoch({bucket})::BIGINT AS bucket, {asks.metric.sql} AS value "  # noqa: S608
        f"FROM ({_events(home, asks, _floor(since - asks.history, asks.bucket), end)}) GROUP BY ALL ORDER BY ALL"
    )
    for entity, some in groupby(_each(rows), key=lambda row: row[0]):
        points = {at: value for _, at, value in some}
        first = min(points)
        count = max(0, ceil((end.timestamp() - first) / step))
        values = [points.get(first + place * step, asks.metric.empty) for place in range(count)]
        start = datetime.fromtimestamp(first, UTC)
        for odd in asks.method.odd(values, start, asks.bucket):
            moment = start + odd.place * asks.bucket
            if moment >= since and _counts(asks, odd.place, values):
                when = f"in the {_words(asks.bucket)} from {moment:%Y-%m-%d %H:%MZ}"
                told = f"{_who(entity)}: expected {odd.expected}; seen {odd.seen}, {when}"
                shown = range(max(0, odd.place + 1 - _SHOWN), odd.place + 1)
                series = tuple(((start + place * asks.bucket).isoformat(), values[place]) for place in shown)
                yield Finding(one, tuple(entity), moment, told, series)


def _of_values(
    con: Connection, home: Home, one: Baseline, asks: Asks, since: datetime, until: datetime
) -> Iterator[Finding]:
    method = asks.method
    assert isinstance(method, FirstSeen | Rare)
    pairs = (
        f"SELECT [{_entity(asks)}] AS entity, CAST({method.value} AS VARCHAR) AS value, min(time) AS first "  # noqa: S608
        f"FROM ({_events(home, asks, since - asks.history, until)}) WHERE {method.value} IS NOT NULL GROUP BY ALL"
    )
    over = "entity" if isinstance(method, FirstSeen) and method.scope == "entity" else "1"
    rows = list(
        _each(
            con.execute(
                f"SELECT entity, value, epoch(first), epoch(min(first) OVER (PARTITION BY {over})), "  # noqa: S608
                f"count(*) OVER (PARTITION BY value), "
                f"epoch(min(first) OVER (PARTITION BY value)) FROM ({pairs}) ORDER BY first, entity, value"
            )
        )
    )
    entities, days = len({tuple(row[0]) for row in rows}), f"{asks.history.days:,} days"
    before: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for entity, value, first, known, holders, ever in rows:
        had = before[tuple(entity) if over == "entity" else ()]
        others = len(had)
        had.add(value)
        moment = datetime.fromtimestamp(first, UTC)
        if moment < since or first - known < asks.warm_up.total_seconds():
            continue
        if isinstance(method, Rare):
            if holders > method.at_most or entities < method.of:
                continue
            expected, seen = f"what others of {entities:,} have in {days}", f"{value!r}, which {holders:,} of them have"
        elif method.scope == "anyone":
            if ever < first:
                continue
            expected, seen = f"one of {others:,} that anyone had in {days}", f"{value!r} for the first time"
        else:
            expected, seen = f"one of {others:,} that it had in {days}", f"{value!r} for the first time"
        told = f"{_who(entity)}: expected {expected}; seen {seen}, at {moment:%Y-%m-%d %H:%M:%SZ}"
        yield Finding(one, (*entity, value), moment, told, ())


def _events(home: Home, asks: Asks, first: datetime, end: datetime) -> str:
    """SQL of the events that a detector is about, each once, with the columns that it names; no drill's."""
    named = [asks.where, *asks.by, getattr(asks.method, "value", None) or "", asks.metric.sql if asks.metric else ""]
    words = {word for text in named for word in _WORD.findall(text)} & COLUMNS
    columns = ", ".join(f'"{name}"' for name in sorted(words | {"time", "event_uid"}))
    table = iceberg_table(current_snapshot(home).events).sql(dialect="duckdb")
    with reading(home.state) as state:
        drills = ", ".join(f"'{each}'" for each in drill_object_ids(state, first))
    apart = f"AND object_id NOT IN ({drills}) " if drills else ""
    return (
        f"SELECT DISTINCT ON (event_uid) {columns} FROM {table} WHERE source <> '{SIGNAL_SOURCE}' "  # noqa: S608
        f"{apart}AND time >= TIMESTAMPTZ '{first.isoformat()}' AND time < TIMESTAMPTZ '{end.isoformat()}' "
        f"AND ({asks.where})"
    )


def _entity(asks: Asks) -> str:
    return ", ".join(f"coalesce(CAST({each} AS VARCHAR), 'none')" for each in asks.by)


def _who(entity: Sequence[str]) -> str:
    return ", ".join(entity) or "all together"


def _each(rows: Any) -> Iterator[tuple[Any, ...]]:
    while some := rows.fetchmany(10_000):
        yield from some


def _floor(moment: datetime, bucket: timedelta) -> datetime:
    return MONDAY + (moment - MONDAY) // bucket * bucket


def _words(bucket: timedelta) -> str:
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if bucket % length == timedelta(0):
            count = bucket // length
            return unit if count == 1 else f"{count:,} {unit}s"
    return str(bucket)
