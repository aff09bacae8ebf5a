"""What people do with alerts: list, show, acknowledge, close; each step with who and why."""

from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Engine, Select, and_, func, insert, select, update

from trailkeep.alert.derive import MERGED
from trailkeep.core.errors import UsageError
from trailkeep.core.levels import LEVELS
from trailkeep.store.database import reading, utc
from trailkeep.store.tables import alert_events, alert_history, alerts, observations

STATUSES = ("open", "acked", "closed")
# An alert that has become part of another keeps its number, and what it became; it is no work any more.
LISTED = (*STATUSES, MERGED)


def list_alerts(
    state: Engine, status: str | None = None, level: str | None = None, since: datetime | None = None
) -> pa.Table:
    """Alerts, most severe first, then newest; `level` is the least severe one wanted. Merged ones by status only.

    Severity is the level of the rule with what raised or lowered it; until people are told, it is that level alone.
    """
    if status is not None and status not in LISTED:
        raise UsageError(f"no alert status {status!r}; one of {', '.join(LISTED)}")
    if level is not None and level not in LEVELS:
        raise UsageError(f"no level {level!r}; one of {', '.join(LEVELS)}")
    counted = func.count(alert_events.c.event_uid).label("events")
    query = select(alerts, counted).outerjoin(alert_events, alert_events.c.alert_id == alerts.c.id)
    query = query.group_by(alerts.c.id)
    query = query.where(alerts.c.status == status if status is not None else alerts.c.status != MERGED)
    if level is not None:
        query = query.where(func.coalesce(alerts.c.severity, alerts.c.level).in_(LEVELS[LEVELS.index(level) :]))
    if since is not None:
        query = query.where(alerts.c.last_time >= since)
    with reading(state) as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    for row in rows:
        row["severity"] = row["severity"] or row["level"]
        row["title"] = f"DRILL: {row['title']}" if row["drill"] else row["title"]
    rows.sort(key=lambda row: (-LEVELS.index(row["severity"]), -utc(row["last_time"]).timestamp(), row["id"]))
    return pa.Table.from_pylist([_listed(row) for row in rows], schema=_LISTED)


def show_alert(state: Engine, alert_id: int) -> dict[str, Any]:
    """One alert with its events and its history. Raises UsageError if there is none."""
    with reading(state) as connection:
        alert = connection.execute(select(alerts).where(alerts.c.id == alert_id)).one_or_none()
        if alert is None:
            raise UsageError(f"no alert {alert_id}; `trailkeep alerts list` shows those there are")
        events = select(alert_events).where(alert_events.c.alert_id == alert_id)
        history = select(alert_history).where(alert_history.c.alert_id == alert_id)
        return {
            **_plain(dict(alert._mapping)),
            "observations": [
                {"event_uid": row.event_uid, "sentence": row.sentence, "series": row.series}
                for row in connection.execute(_seen_by(alert_id))
            ],
            "events": [
                _plain(dict(row._mapping))
                for row in connection.execute(events.order_by(alert_events.c.time, alert_events.c.event_uid))
            ],
            "history": [_plain(dict(row._mapping)) for row in connection.execute(history.order_by(alert_history.c.id))],
        }


def _seen_by(alert_id: int) -> Select[Any]:
    """What baselines saw, of an alert."""
    same = (alert_events.c.rule_uid == observations.c.rule_uid, alert_events.c.event_uid == observations.c.event_uid)
    query = select(observations).join(alert_events, and_(*same)).where(alert_events.c.alert_id == alert_id)
    return query.order_by(alert_events.c.time, observations.c.event_uid)


def decide(state: Engine, alert_id: int, action: str, who: str, why: str | None, now: datetime) -> None:
    """Set an alert to `acked`, `closed` or `open` again. Closing needs a reason."""
    if action not in STATUSES:
        raise UsageError(f"no alert status {action!r}; one of {', '.join(STATUSES)}")
    if action == "closed" and not (why and why.strip()):
        raise UsageError("closing an alert needs a reason: --why 'planned change CHG-12'")
    with state.begin() as connection:
        values = {"status": action, "assignee": who, "updated": now}
        present = connection.execute(select(alerts.c.status).where(alerts.c.id == alert_id)).scalar()
        if present is None:
            raise UsageError(f"no alert {alert_id}; `trailkeep alerts list` shows those there are")
        if present == MERGED:
            raise UsageError(f"alert {alert_id} was merged into another: `trailkeep alerts show {alert_id}` says which")
        connection.execute(update(alerts).where(alerts.c.id == alert_id).values(values))
        row = {"alert_id": alert_id, "time": now, "who": who, "action": action, "why": why}
        connection.execute(insert(alert_history).values(row))


def group_of(state: Engine, alert_id: int) -> list[int]:
    """An alert, and the open ones that people were told of together with it."""
    with reading(state) as connection:
        group = connection.execute(select(alerts.c.group_id).where(alerts.c.id == alert_id)).scalar()
        if group is None:
            return [alert_id]
        members = select(alerts.c.id).where(alerts.c.group_id == group, alerts.c.status == "open")
        return sorted({alert_id, *connection.execute(members).scalars()})


_LISTED = pa.schema(
    [
        ("id", pa.int64()),
        ("severity", pa.string()),
        ("title", pa.string()),
        ("subject", pa.string()),
        ("events", pa.int64()),
        ("first_time", pa.timestamp("us", "UTC")),
        ("last_time", pa.timestamp("us", "UTC")),
        ("status", pa.string()),
        ("assignee", pa.string()),
        ("level", pa.string()),
        ("rule_uid", pa.string()),
    ]
)


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in _plain(row).items() if name in _LISTED.names}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: utc(value) if isinstance(value, datetime) else value for name, value in row.items()}
