"""Which stored objects a drill wrote, and what is kept of drills.

An object is a drill's if the drill wrote down the hash of its content before it put it anywhere. What a record says of
itself does not count, so nobody hides behind the name of a drill.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from trailkeep.store.database import reading, utc
from trailkeep.store.tables import alert_history, alerts, drill_objects, drills, objects

_CHUNK = 400


def begin(connection: Connection, row: dict[str, Any], digests: Iterable[str]) -> None:
    """A drill begins; `digests` are the sha256 of the contents that it will write."""
    connection.execute(insert(drills), row)
    connection.execute(insert(drill_objects), [{"sha256": digest, "drill": row["id"]} for digest in digests])


def end(
    connection: Connection, drill: str, now: datetime, passed: bool, steps: list[dict[str, Any]], note: str | None
) -> None:
    """A drill is over: its result is kept, and its alerts are closed, those too that come later."""
    values = {"state": "passed" if passed else "failed", "ended": now, "steps": steps, "note": note}
    connection.execute(update(drills).where(drills.c.id == drill).values(values))
    close_ended(connection, now)


def running(connection: Connection) -> list[str]:
    """The drills that have not ended."""
    return list(connection.execute(select(drills.c.id).where(drills.c.ended.is_(None))).scalars())


def last_drill(state: Engine) -> str | None:
    """The last drill in a line."""
    with reading(state) as connection:
        row = connection.execute(select(drills).order_by(drills.c.began.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    note = f" ({row.note})" if row.note else ""
    return f"{row.id} {row.state}, began {utc(row.began):%Y-%m-%d %H:%M:%SZ}, to {row.target}{note}"


def drills_of(connection: Connection, object_ids: Iterable[str]) -> dict[str, str]:
    """Object -> drill, of those objects that a drill wrote."""
    wanted = list(dict.fromkeys(object_ids))
    query = select(objects.c.object_id, drill_objects.c.drill).join(
        drill_objects, drill_objects.c.sha256 == objects.c.sha256
    )
    if not wanted or connection.execute(select(drill_objects.c.sha256).limit(1)).scalar() is None:
        return {}
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _CHUNK):
        some = query.where(objects.c.object_id.in_(wanted[start : start + _CHUNK]))
        found.update((row.object_id, row.drill) for row in connection.execute(some))
    return found


def drill_object_ids(connection: Connection, since: datetime) -> list[str]:
    """The objects of all drills that were stored after `since`, in order."""
    query = select(objects.c.object_id).join(drill_objects, drill_objects.c.sha256 == objects.c.sha256)
    return sorted(set(connection.execute(query.where(objects.c.added >= since)).scalars()))


def close_ended(connection: Connection, now: datetime) -> None:
    """Close the alerts of drills that have ended; nobody is told of those of which nobody was told yet."""
    over = select(alerts.c.id, alerts.c.drill, alerts.c.routed).join(drills, drills.c.id == alerts.c.drill)
    rows = connection.execute(over.where(drills.c.ended.is_not(None), alerts.c.status.in_(("open", "acked")))).all()
    for row in rows:
        values = {"status": "closed", "updated": now, "routed": row.routed or now}
        connection.execute(update(alerts).where(alerts.c.id == row.id).values(values))
        step = {"alert_id": row.id, "time": now, "who": "trailkeep", "action": "closed"}
        connection.execute(insert(alert_history), step | {"why": f"the drill {row.drill} is over"})
