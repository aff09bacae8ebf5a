"""Rows of alerts in, what routes, weights and suppressions ask of them out."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from trailkeep.alert.config import Facts
from trailkeep.alert.message import About
from trailkeep.store.tables import alert_events, objects


def facts_of(connection: Connection, rows: Sequence[Mapping[Any, Any]], rules: Mapping[str, About]) -> dict[int, Facts]:
    """What routes ask, by alert."""
    seen: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    joined = alert_events.outerjoin(objects, objects.c.object_id == alert_events.c.object_id)
    columns = (alert_events.c.alert_id, alert_events.c.account_uid, objects.c.source, alert_events.c.resources)
    query = select(*columns).select_from(joined).where(alert_events.c.alert_id.in_([row["id"] for row in rows]))
    for alert_id, account, source, resources in connection.execute(query.distinct()):
        for name, values in (("accounts", [account]), ("sources", [source]), ("resources", resources or [])):
            seen[alert_id][name].update(filter(None, values))
    return {
        row["id"]: Facts(
            id=row["id"],
            rule=row["rule_uid"],
            title=row["title"],
            level=row["level"],
            subject=row["subject"],
            tags=tuple(rules[row["rule_uid"]].tags) if row["rule_uid"] in rules else (),
            **{name: tuple(sorted(values)) for name, values in seen[row["id"]].items()},
        )
        for row in rows
    }
