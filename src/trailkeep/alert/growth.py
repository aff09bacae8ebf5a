"""Alerts that people were told of in, those out that have become more or worse since, or that go on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from trailkeep.alert.config import AlertsConfig, Facts, at_least
from trailkeep.alert.facts import facts_of
from trailkeep.alert.message import About
from trailkeep.core.levels import LEVELS
from trailkeep.store.database import utc
from trailkeep.store.tables import alert_events, alerts

_SLACK = timedelta(minutes=1)  # between the moment that a change bears and its commit


@dataclass(frozen=True)
class Growth:
    """An alert that people should be told of again; `change` says why."""

    row: Mapping[Any, Any]
    facts: Facts
    severity: str
    events: int
    change: str


def growth(
    connection: Connection, config: AlertsConfig, rules: Mapping[str, About], since: datetime | None, now: datetime
) -> list[Growth]:
    """The alerts that people should be told of again, of those that changed after `since`, or are to be reminded of."""
    told = config.updates
    if told is None:
        return []
    changed = alerts.c.updated >= alerts.c.told
    if since is not None:
        changed = and_(changed, or_(alerts.c.updated >= since - _SLACK, alerts.c.told <= now - told.remind))
    query = select(alerts).where(
        changed,
        alerts.c.status.in_(("open", "acked")),
        alerts.c.drill.is_(None),
        alerts.c.last_time >= now - config.oldest,
        func.coalesce(alerts.c.updates, 0) < told.most,
    )
    rows = connection.execute(query.order_by(alerts.c.id)).mappings().all()
    counts = events_of(connection, [row["id"] for row in rows])
    more = [row for row in rows if counts.get(row["id"], 0) > row["told_events"]]
    facts = facts_of(connection, more, rules)
    found = []
    for row in more:
        each, events = facts[row["id"]], counts[row["id"]]
        severity = config.severity(each, rules_in(connection, config, row["group_id"]))
        worse = severity != row["severity"] and at_least(severity, row["severity"])
        reminded = row["status"] == "open" and now - utc(row["told"]) >= told.remind
        if not (worse or reminded or events >= told.grown * row["told_events"]) or config.suppressed(each, now):
            continue
        change = f"{events:,} events, {row['told_events']:,} when it was told last"
        if worse:
            change = f"{severity}, {row['severity']} when it was told last; {change}"
        found.append(Growth(row, each, severity if worse else row["severity"], events, change))
    return found


def events_of(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """How many events each of these alerts has."""
    counted = select(alert_events.c.alert_id, func.count()).group_by(alert_events.c.alert_id)
    found: dict[int, int] = {}
    for start in range(0, len(ids), 500):
        some = counted.where(alert_events.c.alert_id.in_(ids[start : start + 500]))
        found.update((alert_id, count) for alert_id, count in connection.execute(some))
    return found


def rules_in(
    connection: Connection, config: AlertsConfig, group: int | None, more: Iterable[tuple[str, str]] = ()
) -> int:
    """How many rules count together in a group of alerts; `more`: (rule, level) of those that come to it."""
    least = config.correlation.least if config.correlation else LEVELS[0]
    known = connection.execute(select(alerts.c.rule_uid, alerts.c.level).where(alerts.c.group_id == group)).all()
    return len({rule for rule, level in [*map(tuple, known), *more] if at_least(level, least)})
