"""Committed signals in, alerts out: one per rule and subject for signals at most a window apart.

The outcome depends on the signals only, never on the order or grouping in which they arrive: two signals
belong together when a chain of signals with gaps of at most the window joins them, so a late signal may merge
two alerts; what is merged is open if a part of it was. The subject is the principal, else the source address,
else the account. An event counts once for a rule however often it was delivered; a closed alert stays closed,
and a new signal opens another.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from trailkeep.core.levels import level_of
from trailkeep.store.database import utc
from trailkeep.store.tables import alert_events, alert_history, alerts

DEFAULT_WINDOW = 3600
_CHUNK = 400


@dataclass(frozen=True)
class Signal:
    """What alerts need of a signal."""

    rule_uid: str
    title: str
    level: str
    subject: str
    subject_kind: str
    time: datetime
    event_uid: str
    event_name: str | None
    account_uid: str | None
    region: str | None
    src_ip: str | None
    object_id: str
    record_no: int


@dataclass
class Happening:
    """An alert while signals are joined to it; `id` is None until it is written."""

    id: int | None
    first: datetime
    last: datetime
    status: str = "open"
    signals: list[Signal] = field(default_factory=list)
    absorbed: list[int] = field(default_factory=list)


def read_signals(table: pa.Table) -> list[Signal]:
    """The rows of source `trailkeep_signal` as signals."""
    return [_signal(row) for row in table.to_pylist()]


def derive(connection: Connection, signals: Iterable[Signal], windows: Mapping[str, int], now: datetime) -> int:
    """Bring `signals` into the alerts; returns how many were new. `windows`: seconds by rule. Repeatable."""
    fresh = list(_unseen(connection, signals))
    groups: dict[tuple[str, str], list[Signal]] = defaultdict(list)
    for signal in fresh:
        groups[signal.rule_uid, signal.subject].append(signal)
    known = _current(connection, groups.keys())
    changed: list[Happening] = []
    for key, members in groups.items():
        window = timedelta(seconds=windows.get(key[0], DEFAULT_WINDOW))
        changed += _join(known.get(key, []), members, window)
    if changed:
        _write(connection, changed, now)
    return len(fresh)


def _signal(row: dict[str, Any]) -> Signal:
    subjects = ((row.get(name), kind) for name, kind in _SUBJECTS)
    subject, kind = next(((value, kind) for value, kind in subjects if value), ("unknown", "none"))
    return Signal(
        rule_uid=row["rule_uid"],
        title=row["finding_title"],
        level=level_of(row["severity_id"]),
        subject=subject,
        subject_kind=kind,
        time=row["time"],
        event_uid=row["related_event"],
        event_name=row.get("event_name"),
        account_uid=row.get("account_uid"),
        region=row.get("region"),
        src_ip=row.get("src_ip"),
        object_id=row["object_id"],
        record_no=row["record_no"],
    )


_SUBJECTS = (("principal", "principal"), ("src_ip", "address"), ("account_uid", "account"))


def _unseen(connection: Connection, signals: Iterable[Signal]) -> Iterator[Signal]:
    """Signals whose (rule, event) no alert has yet; of several with equal keys the first in a fixed order."""
    ordered = sorted(signals, key=lambda s: (s.time, s.object_id, s.record_no))
    unique = {(s.rule_uid, s.event_uid): s for s in reversed(ordered)}
    uids = sorted({uid for _, uid in unique})
    seen: set[tuple[str, str]] = set()
    for start in range(0, len(uids), _CHUNK):
        query = select(alert_events.c.rule_uid, alert_events.c.event_uid)
        chunk = alert_events.c.event_uid.in_(uids[start : start + _CHUNK])
        seen.update((rule, uid) for rule, uid in connection.execute(query.where(chunk)))
    return (signal for key, signal in unique.items() if key not in seen)


def _current(connection: Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Happening]]:
    """The alerts of these (rule, subject) pairs that are not closed."""
    found: dict[tuple[str, str], list[Happening]] = defaultdict(list)
    rules: dict[str, list[str]] = defaultdict(list)
    for rule, subject in keys:
        rules[rule].append(subject)
    for rule, subjects in rules.items():
        for start in range(0, len(subjects), _CHUNK):
            query = select(alerts).where(
                alerts.c.rule_uid == rule,
                alerts.c.subject.in_(subjects[start : start + _CHUNK]),
                alerts.c.status != "closed",
            )
            for row in connection.execute(query):
                happening = Happening(row.id, utc(row.first_time), utc(row.last_time), row.status)
                found[rule, row.subject].append(happening)
    return found


def _join(known: list[Happening], signals: list[Signal], window: timedelta) -> list[Happening]:
    """`known` with `signals` joined to them or to new happenings; only those that changed are returned."""
    current = list(known)
    for signal in signals:
        near = [h for h in current if h.first - window <= signal.time <= h.last + window]
        near.sort(key=lambda h: (h.id is None, h.id or 0, h.first))
        target = near[0] if near else Happening(None, signal.time, signal.time)
        if not near:
            current.append(target)
        for other in near[1:]:
            current.remove(other)
            target.first, target.last = min(target.first, other.first), max(target.last, other.last)
            target.signals += other.signals
            target.absorbed += other.absorbed
            if other.id is not None:
                target.absorbed.append(other.id)
                target.status = other.status if other.status == "open" else target.status
        target.first, target.last = min(target.first, signal.time), max(target.last, signal.time)
        target.signals.append(signal)
    return [happening for happening in current if happening.signals]


def _write(connection: Connection, happenings: list[Happening], now: datetime) -> None:
    """Bring changed happenings into the tables, a statement for each kind of change."""
    new = sorted((h for h in happenings if h.id is None), key=lambda h: (h.first, h.signals[0].rule_uid))
    # The transaction holds the only write lock, so the next numbers are ours.
    first = (connection.execute(select(func.max(alerts.c.id))).scalar() or 0) + 1
    for number, happening in enumerate(new, start=first):
        happening.id = number
    grown = [
        {"which": h.id, "first_time": h.first, "last_time": h.last, "status": h.status, "updated": now}
        for h in happenings
        if h.id is not None and h.id < first
    ]
    if new:
        connection.execute(insert(alerts), [_alert(h, now) for h in new])
    if grown:
        connection.execute(update(alerts).where(alerts.c.id == bindparam("which")), grown)
    for happening in happenings:
        for other in happening.absorbed:
            for table in (alert_events, alert_history):
                moved = update(table).where(table.c.alert_id == other).values(alert_id=happening.id)
                connection.execute(moved)
            connection.execute(delete(alerts).where(alerts.c.id == other))
    connection.execute(insert(alert_events), [_event(s, h.id) for h in happenings for s in h.signals])


def _alert(happening: Happening, now: datetime) -> dict[str, Any]:
    head = min(happening.signals, key=lambda s: (s.time, s.event_uid))
    return {
        "id": happening.id,
        "rule_uid": head.rule_uid,
        "title": head.title,
        "level": head.level,
        "subject": head.subject,
        "subject_kind": head.subject_kind,
        "first_time": happening.first,
        "last_time": happening.last,
        "status": "open",
        "created": now,
        "updated": now,
    }


def _event(signal: Signal, alert_id: int | None) -> dict[str, Any]:
    return {
        "rule_uid": signal.rule_uid,
        "event_uid": signal.event_uid,
        "alert_id": alert_id,
        "time": signal.time,
        "event_name": signal.event_name,
        "account_uid": signal.account_uid,
        "region": signal.region,
        "src_ip": signal.src_ip,
        "object_id": signal.object_id,
        "record_no": signal.record_no,
    }
