"""Committed signals in, alerts out: one per rule and subject for signals at most a window apart.

The outcome depends on the signals only, never on the order or grouping in which they arrive: two signals
belong together when a chain of signals with gaps of at most the window joins them, so a late signal may merge
two alerts: the older takes over the events and the history of the other, and is open if one of them was. The
subject is the principal, else the source address, else the account, unless the rule says otherwise. What a drill
wrote is joined with what that drill wrote only. An event counts once for a rule however often it was delivered; a
closed alert stays closed, and a new signal opens another.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from trailkeep.core.levels import level_of
from trailkeep.store.database import utc
from trailkeep.store.tables import alert_events, alert_history, alerts

DEFAULT_WINDOW = 3600
MERGED = "merged"
_CHUNK = 400
_RESOURCES = 10  # of an event, that an alert knows
_Key = tuple[str, str, str | None]
"""Rule, subject, drill."""


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
    resources: tuple[str, ...] = ()
    drill: str | None = None
    """The drill that wrote the object of its event."""


@dataclass
class Happening:
    """An alert while signals are joined to it; `id` is None until it is written."""

    id: int | None
    first: datetime
    last: datetime
    status: str = "open"
    signals: list[Signal] = field(default_factory=list)
    absorbed: list[int] = field(default_factory=list)


def read_signals(table: pa.Table, subjects: Mapping[str, Sequence[str]] | None = None) -> list[Signal]:
    """The rows of source `trailkeep_signal` as signals; `subjects`: what alerts of a rule are about first."""
    first = subjects or {}
    none = [None] * len(table)
    columns = [table[name].to_pylist() if name in table.column_names else none for name in _READ]
    return [
        Signal(
            *(rule, title, level_of(grade), *_subject(first.get(rule, ()), who, ip, account, to, on)),
            *(time, event, name, account, region, ip),
            *(object_id, record, tuple(on or ())[:_RESOURCES]),
        )
        for who, ip, to, account, rule, title, grade, time, event, name, region, object_id, record, on in zip(
            *columns, strict=True
        )
    ]


def derive(connection: Connection, signals: Iterable[Signal], windows: Mapping[str, int], now: datetime) -> int:
    """Bring `signals` into the alerts; returns how many were new. `windows`: seconds by rule. Repeatable."""
    fresh = list(_unseen(connection, signals))
    groups: dict[_Key, list[Signal]] = defaultdict(list)
    for signal in fresh:
        groups[signal.rule_uid, signal.subject, signal.drill].append(signal)
    widths = {rule: timedelta(seconds=windows.get(rule, DEFAULT_WINDOW)) for rule, *_ in groups}
    known = _current(connection, groups, widths)
    changed: list[Happening] = []
    for key, members in groups.items():
        changed += _join(known.get(key, []), members, widths[key[0]])
    if changed:
        _write(connection, changed, now)
    return len(fresh)


def withdraw(connection: Connection, lost: Iterable[tuple[str, str]], now: datetime) -> None:
    """Take (rule, event) pairs out of their alerts: late signals showed that they are none.

    An alert that has no event left is closed. One that is closed by a person keeps what it had.
    """
    touched: set[int] = set()
    for rule, event in lost:
        which = (alert_events.c.rule_uid == rule, alert_events.c.event_uid == event)
        query = select(alerts.c.id).join(alert_events, alert_events.c.alert_id == alerts.c.id)
        found = connection.execute(query.where(*which, alerts.c.status != "closed")).scalar()
        if found is not None:
            connection.execute(delete(alert_events).where(*which))
            touched.add(found)
    for which_alert in touched:
        times = select(func.min(alert_events.c.time), func.max(alert_events.c.time))
        first, last = connection.execute(times.where(alert_events.c.alert_id == which_alert)).one()
        change = update(alerts).where(alerts.c.id == which_alert)
        if first is not None:
            connection.execute(change.values(first_time=utc(first), last_time=utc(last), updated=now))
            continue
        connection.execute(change.values(status="closed", updated=now))
        step = {"alert_id": which_alert, "time": now, "who": "trailkeep", "action": "closed"}
        connection.execute(insert(alert_history), step | {"why": "signals that came late show that it did not happen"})


def _subject(
    first: Sequence[str],
    principal: str | None,
    address: str | None,
    account: str | None,
    destination: str | None,
    resources: Sequence[str] | None,
) -> tuple[str, str]:
    """Whom or what an alert is about, and of which kind that is."""
    found = {"principal": principal, "address": address, "account": account, "destination": destination}
    found["resource"] = resources[0] if resources else None
    for kind in (*first, "principal", "address", "account"):
        if value := found[kind]:
            return value, kind
    return "unknown", "none"


# The columns of a signal that alerts read.
_READ = (
    "principal",
    "src_ip",
    "dst_ip",
    "account_uid",
    "rule_uid",
    "finding_title",
    "severity_id",
    "time",
    "related_event",
    "event_name",
    "region",
    "object_id",
    "record_no",
    "resources",
)


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


def _current(
    connection: Connection, groups: Mapping[_Key, list[Signal]], windows: Mapping[str, timedelta]
) -> dict[_Key, list[Happening]]:
    """The alerts of these groups that are not closed and that the signals may belong to."""
    found: dict[_Key, list[Happening]] = defaultdict(list)
    rules: dict[str, dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    for (rule, subject, _), signals in groups.items():
        rules[rule][subject] += [signal.time for signal in signals]
    columns = (alerts.c.id, alerts.c.subject, alerts.c.drill, alerts.c.first_time, alerts.c.last_time, alerts.c.status)
    for rule, by_subject in rules.items():
        subjects = list(by_subject)
        times = [time for some in by_subject.values() for time in some]
        query = select(*columns).where(
            alerts.c.rule_uid == rule,
            alerts.c.status.not_in(("closed", MERGED)),
            alerts.c.first_time <= max(times) + windows[rule],
            alerts.c.last_time >= min(times) - windows[rule],
        )
        for start in range(0, len(subjects), _CHUNK):
            chunk = alerts.c.subject.in_(subjects[start : start + _CHUNK])
            for row in connection.execute(query.where(chunk)):
                happening = Happening(row.id, utc(row.first_time), utc(row.last_time), row.status)
                found[rule, row.subject, row.drill].append(happening)
    return found


def _join(known: list[Happening], signals: list[Signal], window: timedelta) -> list[Happening]:
    """`known` with `signals` joined to them or to new happenings; only those that changed are returned."""
    current = list(known)
    for run in _runs(signals, window):
        first, last = run[-1].time, run[0].time
        near = [h for h in current if h.first - window <= last and first <= h.last + window]
        near.sort(key=lambda h: (h.id is None, h.id or 0, h.first))
        target = near[0] if near else Happening(None, first, last)
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
        target.first, target.last = min(target.first, first), max(target.last, last)
        target.signals += run
    return [happening for happening in current if happening.signals]


def _runs(signals: Iterable[Signal], window: timedelta) -> Iterator[list[Signal]]:
    """`signals` in runs with gaps of at most `window`, each run and all of them from the latest on."""
    run: list[Signal] = []
    for signal in sorted(signals, key=lambda s: s.time, reverse=True):
        if run and run[-1].time - signal.time > window:
            yield run
            run = []
        run.append(signal)
    if run:
        yield run


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
            # Its number stays its own: somebody may have written it down.
            merged = update(alerts).where(alerts.c.id == other).values(status=MERGED, updated=now)
            connection.execute(merged)
            step = {"alert_id": other, "time": now, "who": "trailkeep", "action": MERGED}
            connection.execute(insert(alert_history), step | {"why": f"into alert {happening.id}"})
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
        "drill": head.drill,
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
        "resources": list(signal.resources),
    }
