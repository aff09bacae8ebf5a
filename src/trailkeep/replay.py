"""Rules and events that are stored in, what the rules would have said out; nothing is written.

The alerts are derived as they would have been, in a state of its own that is forgotten.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import process_time
from typing import Any

import pyarrow as pa
from sqlalchemy import create_engine, func, select
from sqlglot import exp

from trailkeep.baselines import find, record, window_of
from trailkeep.core.columns import SIGNAL_SOURCE, natives_in
from trailkeep.core.source import Source
from trailkeep.detect.fields import native, native_sql
from trailkeep.detect.match import BATCH_ROWS, Matcher
from trailkeep.detect.rule import Rule
from trailkeep.detect.signals import COPIED, make_signals
from trailkeep.engine.duckdb import Connection, connect
from trailkeep.engine.reading import fetch, iceberg_table
from trailkeep.geo.places import Places
from trailkeep.judge import judge
from trailkeep.lake.drills import drill_object_ids
from trailkeep.lake.home import Home
from trailkeep.lake.snapshot import current_snapshot
from trailkeep.store.database import reading, utc
from trailkeep.store.tables import alert_events, alerts, metadata

# What signals have of their events, and what finds those again.
_FACTS = (*COPIED, "source", "event_uid", "raw_format")


@dataclass(frozen=True)
class Replayed:
    """What rules would have said: rows of the state's tables `alerts` and `alert_events`.

    `events`: how many were read, of names that the rules are about.
    """

    events: int
    alerts: Sequence[Mapping[str, Any]]
    alert_events: Sequence[Mapping[str, Any]]


def replay(
    con: Connection, home: Home, matcher: Matcher, since: datetime, until: datetime, places: Places | None = None
) -> Replayed:
    """Run the rules of `matcher` over the events from `since` to before `until`.

    Raises UsageError for a baseline that asks for places which are not known.
    """
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    own = connect()  # `con` is busy while it is read from
    count = 0
    with engine.begin() as state:
        for source, events in _batches(con, home, matcher, since, until):
            count += len(events)
            matches = matcher.match(own, events, source.name, ())
            if len(matches):
                values = matcher.values(own, events, matches, source.name)
                signals = make_signals(events, matches, matcher.rules, values)
                judge(state, [signals], matcher, datetime.now(UTC))
        windows = {one.id: window_of(one) for one in matcher.baselines}
        for one in matcher.baselines:
            record(state, find(con, home, one, since, until, places), windows, datetime.now(UTC))
        found = [dict(row._mapping) for row in state.execute(select(alerts).where(alerts.c.status == "open"))]
        numbers = {row["id"] for row in found}
        members = [dict(row._mapping) for row in state.execute(select(alert_events).order_by(alert_events.c.time))]
    return Replayed(count, found, [row for row in members if row["alert_id"] in numbers])


@dataclass(frozen=True)
class Cost:
    """What a rule cost by itself: CPU seconds over `events`, those of its sources, of which `hits` matched."""

    rule: Rule
    seconds: float
    events: int
    hits: int


def costs(con: Connection, home: Home, matcher: Matcher, since: datetime, until: datetime, most: int) -> Iterator[Cost]:
    """Let each rule meet the events from `since` to before `until` alone, at most `most` of each source.

    The events have what they have in `ingest`: the fields of their records that any of the rules reads. Alone a rule
    decodes what it asks for; in `ingest` rules share that, so that costs add up to more than there.
    """
    own = connect()
    alone = [Matcher([rule], matcher.sources, lists=matcher.lists) for rule in matcher.rules]
    seconds, events, hits = ([0.0] * len(alone), [0] * len(alone), [0] * len(alone))
    for source, batch in _batches(con, home, matcher, since, until, whole=most):
        natives = natives_in(batch.column_names)
        for number, one in enumerate(alone):
            if one.event_names(source.name) != frozenset():
                one.match(own, batch.slice(0, 0), source.name, natives)  # plans, which ingest does once
                began = process_time()
                hits[number] += len(one.match(own, batch, source.name, natives))
                seconds[number] += process_time() - began
                events[number] += len(batch)
    yield from map(Cost, matcher.rules, seconds, events, hits)


def _batches(
    con: Connection, home: Home, matcher: Matcher, since: datetime, until: datetime, *, whole: int | None = None
) -> Iterator[tuple[Source, pa.Table]]:
    """The events that rules of `matcher` may match, in batches of one source.

    `whole`: so many events of each source, of all names, with a column "$<top>" for each field of the record that
    rules read.
    """
    table = iceberg_table(current_snapshot(home).events)
    time = exp.column("time")
    span = (time >= _moment(since), time < _moment(until), *_no_drills(home, since))
    there = exp.select("source").distinct().from_(table).where(*span).order_by("source")
    for (name,) in con.execute(there.sql(dialect="duckdb")).fetchall():
        source = matcher.sources.get(name)
        if source is None or not any(rule.applies_to(source.logsource) for rule in matcher.rules):
            continue
        needed = matcher.columns(name)
        tops = natives_in(needed) - {"raw_data"}
        columns = dict.fromkeys((*_FACTS, *(one for one in needed if not one.startswith("$"))))
        columns.pop("raw_data", None)
        names = matcher.event_names(name)
        if names == frozenset():  # its rules wait for lists
            continue
        query = exp.select(*(exp.column(one, quoted=True) for one in columns)).from_(table)
        if whole is not None:
            query = query.limit(whole).select(
                *(f"{native_sql(top, source)} AS {native(top)}" for top in tops), dialect="duckdb"
            )
        # The record last: what is not asked for is not read.
        query = query.select("raw_data").where(*span, exp.column("source").eq(exp.Literal.string(name)))
        if names is not None and whole is None:
            wanted = [exp.Literal.string(each) for each in sorted(names)]
            query = query.where(exp.func("lower", exp.column("event_name")).isin(*wanted))
        for batch in con.execute(query.sql(dialect="duckdb")).to_arrow_reader(BATCH_ROWS):
            yield source, pa.Table.from_batches([batch])


def hits(con: Connection, home: Home, since: datetime, until: datetime) -> dict[str, dict[str, Any]]:
    """By rule: `hits`, the signals of it (of a correlation, the events of its alerts), `alerts`, and `last_time`.

    Drills do not count.
    """
    found: dict[str, dict[str, Any]] = {}
    real = alert_events.c.alert_id.in_(select(alerts.c.id).where(alerts.c.drill.is_(None)))
    span = (alert_events.c.time >= since, alert_events.c.time < until, real)
    counts = [func.count(), func.count(alert_events.c.alert_id.distinct()), func.max(alert_events.c.time)]
    with reading(home.state) as state:
        query = select(alert_events.c.rule_uid, *counts).where(*span).group_by(alert_events.c.rule_uid)
        for rule, number, told, last in state.execute(query):
            found[rule] = {"hits": number, "alerts": told, "last_time": utc(last)}
    rule = exp.column("rule_uid")
    signals = (
        exp.select(rule, exp.func("count", exp.Star()), exp.func("max", exp.column("time")))
        .from_(iceberg_table(current_snapshot(home).events))
        .where(exp.column("source").eq(exp.Literal.string(SIGNAL_SOURCE)))
        .where(exp.column("time") >= _moment(since), exp.column("time") < _moment(until))
        .where(*_no_drills(home, since))
        .group_by(rule)
    )
    for row in fetch(con, signals).to_pylist():
        name, number, last = row.values()
        found[name] = {"alerts": found.get(name, {}).get("alerts", 0), "hits": number, "last_time": last}
    return found


def event_rows(con: Connection, home: Home, event_uid: str) -> pa.Table:
    """The rows of an event, each time that it was delivered, with all that is stored of it."""
    query = exp.select("*").from_(iceberg_table(current_snapshot(home).events))
    return fetch(con, query.where(exp.column("event_uid").eq(exp.Literal.string(event_uid))))


def _no_drills(home: Home, since: datetime) -> list[exp.Expr]:
    """The condition that an event is no drill's, if there were any."""
    with reading(home.state) as state:
        drills = [exp.Literal.string(each) for each in drill_object_ids(state, since)]
    return [exp.column("object_id").isin(*drills).not_()] if drills else []


def _moment(moment: datetime) -> exp.Expr:
    return exp.cast(exp.Literal.string(moment.isoformat()), "TIMESTAMPTZ")
