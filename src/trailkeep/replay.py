"""Rules and events that are stored in, what the rules would have said out; nothing is written.

The alerts are derived as they would have been, in a state of its own that is forgotten.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import create_engine, func, select
from sqlglot import exp

from trailkeep.baselines import find, record, window_of
from trailkeep.core.columns import SIGNAL_SOURCE
from trailkeep.core.source import Source
from trailkeep.detect.match import BATCH_ROWS, Matcher
from trailkeep.detect.signals import COPIED, make_signals
from trailkeep.engine.duckdb import Connection, connect
from trailkeep.engine.reading import fetch, iceberg_table
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


def replay(con: Connection, home: Home, matcher: Matcher, since: datetime, until: datetime) -> Replayed:
    """Run the rules of `matcher` over the events from `since` to before `until`."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    count = 0
    with engine.begin() as state:
        for source in matcher.sources.values():
            if any(rule.applies_to(source.logsource) for rule in matcher.rules):
                for events, signals in _signals(con, home, matcher, source, since, until):
                    count += events
                    judge(state, signals, matcher, datetime.now(UTC))
        windows = {one.id: window_of(one) for one in matcher.baselines}
        for one in matcher.baselines:
            record(state, find(con, home, one, since, until), windows, datetime.now(UTC))
        found = [dict(row._mapping) for row in state.execute(select(alerts).where(alerts.c.status == "open"))]
        numbers = {row["id"] for row in found}
        members = [dict(row._mapping) for row in state.execute(select(alert_events).order_by(alert_events.c.time))]
    return Replayed(count, found, [row for row in members if row["alert_id"] in numbers])


def _signals(
    con: Connection, home: Home, matcher: Matcher, source: Source, since: datetime, until: datetime
) -> Iterator[tuple[int, list[pa.Table]]]:
    """Batch by batch, how many events were read and the signals on them."""
    columns = dict.fromkeys((*_FACTS, *(name for name in matcher.columns(source.name) if not name.startswith("$"))))
    columns.pop("raw_data", None)
    conditions: list[exp.Expr] = [
        exp.column("source").eq(exp.Literal.string(source.name)),
        exp.column("time") >= _moment(since),
        exp.column("time") < _moment(until),
        *_no_drills(home, since),
    ]
    names = matcher.event_names(source.name)
    if names is not None:
        wanted = [exp.Literal.string(name) for name in sorted(names)]
        conditions.append(exp.func("lower", exp.column("event_name")).isin(*wanted))
    # The record last: what is not asked for is not read.
    query = (
        exp.select(*(exp.column(name, quoted=True) for name in (*columns, "raw_data")))
        .from_(iceberg_table(current_snapshot(home).events))
        .where(*conditions)
    )
    own = connect()  # `con` is busy while it is read from
    for batch in con.execute(query.sql(dialect="duckdb")).to_arrow_reader(BATCH_ROWS):
        events = pa.Table.from_batches([batch])
        matches = matcher.match(own, events, source.name, ())
        signals = []
        if len(matches):
            signals = [make_signals(events, matches, matcher.rules, matcher.values(own, events, matches, source.name))]
        yield len(events), signals


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
