"""Short descriptions in, signals out; and alerts as the state has them, without their ids."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select

from trailkeep.alert.derive import Signal, derive
from trailkeep.store.database import open_database, reading, sqlite_url, utc
from trailkeep.store.tables import alert_events, alerts

START = datetime(2026, 11, 17, 8, tzinfo=UTC)
NOW = datetime(2026, 11, 18, tzinfo=UTC)

# rule, subject, minutes of the first and the last event after START, events
Alert = tuple[str, str, float, float, frozenset[str]]


def signal(minute: float, event: str | None = None, rule: str = "r", subject: str = "alice") -> Signal:
    """A signal `minute` minutes after START, of an event of its own unless `event` says which."""
    return Signal(
        rule_uid=rule,
        title=f"Title of {rule}",
        level="high",
        subject=subject,
        subject_kind="principal",
        time=START + timedelta(minutes=minute),
        event_uid=event or f"{subject} at {minute}",
        event_name="StopLogging",
        account_uid="111122223333",
        region="eu-central-1",
        src_ip="198.51.100.7",
        object_id="0" * 32,
        record_no=0,
    )


def state_at(folder: Path) -> Engine:
    return open_database(sqlite_url(folder / "state.db"))


def add(state: Engine, signals: Iterable[Signal], windows: Mapping[str, int] | None = None) -> int:
    with state.begin() as connection:
        return derive(connection, signals, windows or {}, NOW)


def found(state: Engine, status: str | None = None) -> list[Alert]:
    """The alerts that were not merged into others, in the order of their first events."""
    with reading(state) as connection:
        rows = connection.execute(select(alerts).where(alerts.c.status != "merged")).all()
        members = connection.execute(select(alert_events.c.alert_id, alert_events.c.event_uid)).all()
    return sorted(
        (
            row.rule_uid,
            row.subject,
            (utc(row.first_time) - START).total_seconds() / 60,
            (utc(row.last_time) - START).total_seconds() / 60,
            frozenset(uid for alert_id, uid in members if alert_id == row.id),
        )
        for row in rows
        if status in (None, row.status)
    )


def spans(state: Engine) -> list[tuple[float, float]]:
    return [(first, last) for _, _, first, last, _ in found(state)]
