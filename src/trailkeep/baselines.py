"""Detectors of what is unusual and the events that are stored in, what they see out, and alerts of it.

A run looks at the buckets of a span of time that are over, with the history before it. Events count once, however often
they were delivered. A bucket is told once, whenever and however often it is looked at: so each run looks again at the
last day, in which events may have come late. What was told stays told, even where late events take it away.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib import import_module
from itertools import groupby
from math import ceil
from typing import Any

import sqlglot
from sqlalchemy import Connection as StateConnection
from sqlalchemy import select
from sqlglot import exp

from trailkeep.alert.derive import Signal, derive
from trailkeep.core.columns import SIGNAL_SOURCE
from trailkeep.core.errors import UsageError
from trailkeep.detect.baseline import PLACES, Asks, FirstSeen, Rare, SeriesTest, check
from trailkeep.detect.rule import Baseline
from trailkeep.engine.duckdb import Connection
from trailkeep.engine.reading import connect_lake, iceberg_table
from trailkeep.geo.places import Places
from trailkeep.lake.drills import drill_object_ids
from trailkeep.lake.home import Home
from trailkeep.lake.progress import KeptProgress, Position, Progress, apply
from trailkeep.lake.snapshot import current_snapshot
from trailkeep.store.database import reading, utc
from trailkeep.store.tables import alert_events, observations

MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_SHOWN = 200  # buckets of a series that stay with an alert


@dataclass(frozen=True)
class Finding:
    """What a detector sees: of which entity, in the bucket from `time` on; `series` ends with that bucket."""

    baseline: Baseline
    entity: tuple[str, ...]
    time: datetime
    sentence: str
    series: tuple[tuple[str, float | None], ...] = ()
    key: tuple[str, ...] = ()
    """What is told once; the entity if it is empty."""

    @property
    def about(self) -> str:
        """How the ids of all begin that are about the same."""
        return f"{self.baseline.id}/{sha256(chr(0).join(self.key or self.entity).encode()).hexdigest()[:16]}/"

    @property
    def uid(self) -> str:
        """The same whenever it is seen again."""
        return f"{self.about}{self.time.isoformat()}"


def find(
    con: Connection, home: Home, one: Baseline, since: datetime, until: datetime, places: Places | None = None
) -> Iterator[Finding]:
    """What `one` sees in buckets from `since` to before `until` that are over by then.

    Raises UsageError if it asks where addresses are and `places` does not know.
    """
    asks = check(one.asks)
    if why := idle([one], places):
        raise UsageError(why)
    events = _Events(con, home, asks, places)
    if isinstance(asks.method, FirstSeen | Rare):
        yield from _of_values(events, one, asks, since, until)
    else:
        yield from _of_series(events, one, asks, since, until)


def able(every: Iterable[Baseline], places: Places | None) -> tuple[Baseline, ...]:
    """Those whose questions about places of addresses `places` can answer."""
    kinds = places.kinds if places else frozenset()
    return tuple(one for one in every if check(one.asks).needs <= kinds)


def idle(every: Iterable[Baseline], places: Places | None) -> str | None:
    """Which detectors do not run for want of places, and what to do about it, in words; None if all run."""
    kinds = places.kinds if places else frozenset()
    left = {one.title: lacking for one in every if (lacking := check(one.asks).needs - kinds)}
    if not left:
        return None
    keys = " and ".join(f"`geo.{kind}`" for kind in sorted(frozenset[str]().union(*left.values()), reverse=True))
    titles = "; ".join(left)
    return f"{len(left)} of the baselines cannot run until trailkeep.yaml names a file for {keys}: {titles}"


def record(state: StateConnection, findings: Iterable[Finding], windows: dict[str, int], now: datetime) -> int:
    """Keep findings and derive their alerts; returns how many were new. Repeatable."""
    found = [each for each in findings if each.baseline.alert and not _known(state, each)]
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


def look(
    home: Home,
    every: Iterable[Baseline],
    until: datetime,
    places: Places | None = None,
    again: timedelta = timedelta(0),
) -> int:
    """Let each detector look at what it has not seen yet, up to `until`; returns how many findings were new.

    It looks `again` at the end of what it has seen, for events that came since, but not before its first look, which
    begins a day before. Those that need places which are not known do not look.
    """
    baselines, new = able(every, places), 0
    known = KeptProgress(home.state).positions(OWN)
    windows = {one.id: window_of(one) for one in baselines}
    con = connect_lake(home.warehouse, threads=1)
    for one in baselines:
        key = f"{one.id}@{one.content_hash[:12]}"
        kept = known.get(key, (until - _FIRST_LOOK).isoformat())
        ends = [kept, kept] if isinstance(kept, str) else kept  # older versions kept the second only
        begun, seen = map(datetime.fromisoformat, ends)
        end = _floor(until, check(one.asks).bucket)
        if end <= seen:
            continue
        findings = list(find(con, home, one, max(begun, seen - again), end, places))
        with home.state.begin() as state:
            new += record(state, findings, windows, datetime.now(UTC))
            apply(state, Progress((Position(OWN, key, [begun.isoformat(), end.isoformat()]),)))
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
    told = any(each.place == len(values) - 1 and _counts(asks, each.place, values) for each in odd)
    return (told and not test.explained) == test.match


def _counts(asks: Asks, place: int, values: Sequence[float | None]) -> bool:
    return place * asks.bucket >= asks.warm_up and (values[place] or 0) >= asks.least


def _known(state: StateConnection, each: Finding) -> bool:
    """Whether the same value was told already; it is new once, even if late events say that it was new earlier."""
    asks = check(each.baseline.asks)
    if not isinstance(asks.method, FirstSeen | Rare):
        return False
    same = (alert_events.c.rule_uid == each.baseline.id, alert_events.c.event_uid.startswith(each.about))
    times = state.execute(select(alert_events.c.time).where(*same)).scalars()
    return any(abs(utc(time) - each.time) < asks.history for time in times)


def _as_signal(each: Finding) -> Signal:
    one, subject = each.baseline, ", ".join(each.entity) or "everything"
    kind = "group" if each.entity else "none"
    return Signal(one.id, one.title, one.level, subject, kind, each.time, each.uid, None, None, None, None, "", 0)


def _of_series(events: "_Events", one: Baseline, asks: Asks, since: datetime, until: datetime) -> Iterator[Finding]:
    assert asks.metric is not None and not isinstance(asks.method, FirstSeen | Rare)
    end, step = _floor(until, asks.bucket), int(asks.bucket.total_seconds())
    bucket = f"time_bucket(INTERVAL '{step} seconds', time, TIMESTAMPTZ '{MONDAY.isoformat()}')"
    of, first_bucket = f"[{_entity(asks)}] AS entity, epoch({bucket})::BIGINT AS bucket", _floor(since, asks.bucket)
    explained = set[tuple[Any, ...]]()
    if asks.unless is not None:
        excuses = events.of(asks.unless, first_bucket - asks.bucket, end, once=False)
        for entity, at in events.rows(f"SELECT DISTINCT {of} FROM ({excuses})"):  # noqa: S608
            explained |= {(*entity, at), (*entity, at + step)}
    every = events.of(asks.where, _floor(since - asks.history, asks.bucket), end, once=asks.metric.counts_each)
    rows = events.rows(f"SELECT {of}, {asks.metric.sql} AS value FROM ({every}) GROUP BY ALL ORDER BY ALL")  # noqa: S608
    for entity, some in groupby(rows, key=lambda row: row[0]):
        points = {at: value for _, at, value in some}
        first = min(points)
        count = max(0, ceil((end.timestamp() - first) / step))
        values = [points.get(first + place * step, asks.metric.empty) for place in range(count)]
        start = datetime.fromtimestamp(first, UTC)
        for odd in asks.method.odd(values, start, asks.bucket):
            moment = start + odd.place * asks.bucket
            if (*entity, int(moment.timestamp())) in explained:
                continue
            if moment >= since and _counts(asks, odd.place, values):
                when = f"in the {_words(asks.bucket)} from {moment:%Y-%m-%d %H:%MZ}"
                told = f"{_who(entity)}: expected {odd.expected}; seen {odd.seen}, {when}"
                shown = range(max(0, odd.place + 1 - _SHOWN), odd.place + 1)
                series = tuple(((start + place * asks.bucket).isoformat(), values[place]) for place in shown)
                yield Finding(one, tuple(entity), moment, told, series)


def _of_values(events: "_Events", one: Baseline, asks: Asks, since: datetime, until: datetime) -> Iterator[Finding]:
    method = asks.method
    assert isinstance(method, FirstSeen | Rare)
    over = "entity" if isinstance(method, FirstSeen) and method.scope == "entity" else "1"
    called = method.called if isinstance(method, FirstSeen) and method.called else "NULL"
    every = events.of(asks.where, since - asks.history, until, once=False)
    pairs = (
        f"SELECT [{_entity(asks)}] AS entity, CAST({method.value} AS VARCHAR) AS value, min(time) AS first, "  # noqa: S608
        f"max(CAST({called} AS VARCHAR)) AS called FROM ({every}) "
        f"WHERE {method.value} IS NOT NULL GROUP BY entity, value"
    )
    rows = list(
        events.rows(
            f"SELECT entity, value, epoch(first), epoch(min(first) OVER (PARTITION BY {over})), "  # noqa: S608
            f"count(*) OVER (PARTITION BY value), called "
            f"FROM ({pairs}) ORDER BY first, entity, value"
        )
    )
    entities, days = len({tuple(row[0]) for row in rows}), f"{asks.history.days:,} days"
    before: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for entity, value, first, known, holders, name in rows:
        had = before[tuple(entity) if over == "entity" else ()]
        others, again = len(had), value in had
        had.add(value)
        moment = datetime.fromtimestamp(first, UTC)
        if moment < since or first - known < asks.warm_up.total_seconds():
            continue
        shown = f"{value!r} ({name})" if name else f"{value!r}"
        if isinstance(method, Rare):
            if holders > method.at_most or entities < method.of:
                continue
            expected, seen = f"what others of {entities:,} have in {days}", f"{shown}, which {holders:,} of them have"
        elif method.scope == "anyone":
            if again:
                continue
            expected, seen = f"one of {others:,} that anyone had in {days}", f"{shown} for the first time"
        else:
            expected, seen = f"one of {others:,} that it had in {days}", f"{shown} for the first time"
        told = f"{_who(entity)}: expected {expected}; seen {seen}, at {moment:%Y-%m-%d %H:%M:%SZ}"
        of_anyone = isinstance(method, FirstSeen) and method.scope == "anyone"
        yield Finding(one, (*entity, value), moment, told, key=(value,) if of_anyone else ())


@dataclass(frozen=True)
class _Events:
    """The events that a detector is about, with the columns that it names; no drill's."""

    con: Connection
    home: Home
    asks: Asks
    places: Places | None

    def of(self, where: str, first: datetime, end: datetime, *, once: bool) -> str:
        """SQL of those for which `where` holds, from `first` to before `end`.

        `once`: each once, however often it was delivered; that takes memory for every one of them.
        """
        table = iceberg_table(current_snapshot(self.home).events).sql(dialect="duckdb")
        with reading(self.home.state) as state:
            drills = ", ".join(f"'{each}'" for each in drill_object_ids(state, first))
        apart = f"AND object_id NOT IN ({drills}) " if drills else ""
        span = (
            f"source <> '{SIGNAL_SOURCE}' {apart}AND time >= TIMESTAMPTZ '{first.isoformat()}' "
            f"AND time < TIMESTAMPTZ '{end.isoformat()}'"
        )
        named = sorted(self.asks.named - PLACES.keys() | {"time", "event_uid"})
        columns, joins = [f'stored."{name}"' for name in named], []
        if self.places and self.asks.needs:
            wanted = [(name, *PLACES[name][:2]) for name in sorted(self.asks.named & PLACES.keys())]
            columns += [f'"{ip}_place"."{what}" AS "{name}"' for name, ip, what in wanted]
            ips = sorted({ip for _, ip, _ in wanted})
            joins = [f'LEFT JOIN places AS "{ip}_place" ON "{ip}_place".ip = stored."{ip}"' for ip in ips]
            query = f"SELECT DISTINCT unnest([{', '.join(ips)}]) FROM {table} WHERE {span} AND {_placeless(where)}"  # noqa: S608
            self.con.register("places", self.places.table(ip for (ip,) in self.rows(query) if ip is not None))
        shown = ", ".join(f'"{name}"' for name in sorted(self.asks.named | {"time", "event_uid"}))
        return (
            f"SELECT {'DISTINCT ON (event_uid)' if once else ''} {shown} FROM (SELECT {', '.join(columns)} "  # noqa: S608
            f"FROM (SELECT * FROM {table} WHERE {span}) AS stored {' '.join(joins)}) WHERE ({where})"
        )

    def rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        """What a query answers."""
        found = self.con.execute(query)
        while some := found.fetchmany(10_000):
            yield from some


def _placeless(where: str) -> str:
    """What of a condition can be asked before places are known."""
    tree = sqlglot.parse_one(where, dialect="duckdb")
    parts = list(tree.flatten()) if isinstance(tree, exp.And) else [tree]
    kept = [each for each in parts if not any(column.name in PLACES for column in each.find_all(exp.Column))]
    return " AND ".join(f"({each.sql(dialect='duckdb')})" for each in kept) or "true"


def _entity(asks: Asks) -> str:
    return ", ".join(f"coalesce(CAST({each} AS VARCHAR), 'none')" for each in asks.by)


def _who(entity: Sequence[str]) -> str:
    return ", ".join(entity) or "all together"


def _floor(moment: datetime, bucket: timedelta) -> datetime:
    return MONDAY + (moment - MONDAY) // bucket * bucket


def _words(bucket: timedelta) -> str:
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if bucket % length == timedelta(0):
            count = bucket // length
            return unit if count == 1 else f"{count:,} {unit}s"
    return str(bucket)
