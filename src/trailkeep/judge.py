"""Signals in, alerts out: correlations first, then one alert for each rule and subject."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
from sqlalchemy import Connection

from trailkeep.alert.derive import Signal, derive, read_signals, withdraw
from trailkeep.detect.correlate import Hit, correlate, given_of
from trailkeep.detect.correlations import silent
from trailkeep.detect.match import Matcher


def judge(connection: Connection, signals: Sequence[pa.Table], matcher: Matcher, now: datetime) -> None:
    """Bring signals, as rows of the events table, into the state. Repeatable, whatever order they come in."""
    quiet = silent(matcher.rules, matcher.correlations)
    windows = {rule.id: rule.window for rule in matcher.rules}
    windows |= {one.id: one.timespan for one in matcher.correlations}
    rows = [signal for table in signals for signal in read_signals(table) if signal.rule_uid not in quiet]
    if matcher.correlations:
        changes = correlate(connection, given_of(signals, matcher.needed), matcher.correlations, now)
        withdraw(connection, changes.lost, now)
        rows += [_as_signal(hit) for hit in changes.gained if hit.correlation.id not in quiet]
    derive(connection, rows, windows, now)


def _as_signal(hit: Hit) -> Signal:
    one, values = hit.correlation, [value if value is not None else "none" for value in hit.group]
    subject, kind = (", ".join(values), "group") if values else ("everything", "none")
    return Signal(one.id, one.title, one.level, subject, kind, hit.time, hit.event, *hit.facts)
