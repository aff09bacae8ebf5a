"""Signals in, alerts out: correlations first, then one alert for each rule and subject.

What a drill wrote is judged by itself, under event ids of its own: it can neither raise nor hide anything real.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
from sqlalchemy import Connection

from trailkeep.alert.derive import Signal, derive, read_signals, withdraw
from trailkeep.detect.correlate import Given, Hit, correlate, given_of
from trailkeep.detect.correlations import silent
from trailkeep.detect.match import Matcher
from trailkeep.lake.drills import close_ended, drills_of


def judge(connection: Connection, signals: Sequence[pa.Table], matcher: Matcher, now: datetime) -> None:
    """Bring signals, as rows of the events table, into the state. Repeatable, whatever order they come in."""
    quiet = silent(matcher.rules, matcher.correlations)
    windows = {rule.id: rule.window for rule in matcher.rules}
    windows |= {one.id: one.timespan for one in matcher.correlations}
    subjects = {rule.id: rule.subject for rule in matcher.rules if rule.subject}
    found = [signal for table in signals for signal in read_signals(table, subjects)]
    drills = drills_of(connection, (signal.object_id for signal in found))
    rows = [_of(signal, drills.get(signal.object_id)) for signal in found if signal.rule_uid not in quiet]
    if matcher.correlations:
        given: dict[str | None, list[Given]] = defaultdict(list)
        for each in given_of(signals, matcher.needed):
            given[drills.get(each.object_id)].append(each)
        for drill, some in given.items():
            changes = correlate(connection, some, matcher.correlations, now, drill or "")
            withdraw(connection, [(rule, _uid(event, drill)) for rule, event in changes.lost], now)
            rows += [_of(_as_signal(hit), drill) for hit in changes.gained if hit.correlation.id not in quiet]
    derive(connection, rows, windows, now)
    if drills:
        close_ended(connection, now)


def _of(signal: Signal, drill: str | None) -> Signal:
    return replace(signal, drill=drill, event_uid=_uid(signal.event_uid, drill)) if drill else signal


def _uid(event: str, drill: str | None) -> str:
    """An event as alerts know it: nothing real can have the id of a drill's."""
    return f"{drill}/{event}" if drill else event


def _as_signal(hit: Hit) -> Signal:
    one, values = hit.correlation, [value if value is not None else "none" for value in hit.group]
    subject, kind = (", ".join(values), "group") if values else ("everything", "none")
    return Signal(one.id, one.title, one.level, subject, kind, hit.time, hit.event, *hit.facts)
