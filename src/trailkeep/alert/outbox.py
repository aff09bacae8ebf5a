"""Messages in, rows of the outbox out and back: what waits for which channel, what was sent, what nobody took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pyarrow as pa
from sqlalchemy import Connection, Engine, delete, func, insert, or_, select, update

from trailkeep.alert.message import Message
from trailkeep.core.errors import UsageError
from trailkeep.store.database import reading, utc
from trailkeep.store.tables import alerts, outbox

PORTION = 50
"""How many messages are read at a time."""
_OVERDUE = timedelta(minutes=5)
STATES = ("waiting", "gathered", "sent", "dead", "void")


@dataclass(frozen=True)
class Parcel:
    """A message on its way to one channel; `uid` is the same at each try."""

    id: int
    uid: str
    channel: str
    tries: int
    message: Message
    created: datetime


def put(
    connection: Connection,
    key: str,
    channel: str,
    message: Message,
    due: datetime,
    now: datetime,
    group: int | None,
    *,
    held: bool = False,
) -> int | None:
    """Write a message into the outbox, to be sent when `due`; its row, or None if `key` is there already.

    `held`: by quiet hours.
    """
    if connection.execute(select(outbox.c.id).where(outbox.c.key == key)).scalar() is not None:
        return None
    row = {
        "key": key,
        "uid": uuid4().hex,
        "kind": message.kind,
        "channel": channel,
        "group_id": group,
        "alerts": list(message.alerts),
        "payload": message.model_dump(mode="json"),
        "state": "waiting",
        "tries": 0,
        "next_try": due,
        "created": now,
        "held": held,
    }
    written: Any = connection.execute(insert(outbox).values(row))
    return int(written.inserted_primary_key[0])


def due(state: Engine, channel: str, now: datetime, but_tried: Sequence[str] = ()) -> list[Parcel]:
    """What `channel` is to be told now, what has waited longest first, PORTION at most.

    `but_tried`: kinds of which nothing is wanted that was tried before.
    """
    query = select(outbox).where(outbox.c.channel == channel, outbox.c.state == "waiting", outbox.c.next_try <= now)
    query = query.where(or_(outbox.c.tries == 0, outbox.c.kind.not_in(but_tried)))
    with reading(state) as connection:
        return [
            _parcel(row) for row in connection.execute(query.order_by(outbox.c.next_try, outbox.c.id).limit(PORTION))
        ]


def parcel(state: Engine, row_id: int) -> Parcel:
    """One row."""
    with reading(state) as connection:
        return _parcel(connection.execute(select(outbox).where(outbox.c.id == row_id)).one())


def _parcel(row: Any) -> Parcel:
    message = Message.model_validate(row.payload)
    return Parcel(row.id, row.uid, row.channel, row.tries, message, utc(row.created))


def mark(state: Engine, row_id: int, /, **values: Any) -> None:
    """Set columns of a row; what a summary tells of is sent, or need not be, when the summary is."""
    with state.begin() as connection:
        connection.execute(update(outbox).where(outbox.c.id == row_id).values(values))
        if values.get("state") in ("sent", "void"):
            gathered = update(outbox).where(outbox.c.summary_id == row_id, outbox.c.state == "gathered")
            connection.execute(
                gathered.values({name: values[name] for name in ("state", "sent", "tries") if name in values})
            )


def is_needed(state: Engine, message: Message) -> bool:
    """Whether anybody need hear this still: not of what is over, and not urgently of what somebody looks at."""
    if not message.alerts or message.kind == "closed":
        return True
    over = ("closed", "merged", "acked") if message.kind == "escalation" else ("closed", "merged")
    query = select(func.count()).where(alerts.c.id.in_(message.alerts), alerts.c.status.not_in(over))
    with reading(state) as connection:
        return bool(connection.execute(query).scalar())


def redrive(state: Engine, channel: str | None, now: datetime) -> int:
    """Let dead letters be tried again, of one channel or of all; returns how many."""
    changed = update(outbox).where(outbox.c.state == "dead")
    if channel is not None:
        changed = changed.where(outbox.c.channel == channel)
    with state.begin() as connection:
        return connection.execute(changed.values(state="waiting", tries=0, next_try=now)).rowcount


def prune(connection: Connection, before: datetime) -> None:
    """Forget what was sent, or need not be, before a moment. Dead letters stay."""
    over = outbox.c.state.in_(("sent", "void"))
    connection.execute(delete(outbox).where(over, outbox.c.created < before))


def list_rows(state: Engine, states: Sequence[str] = STATES, most: int = 100) -> pa.Table:
    """Rows of the outbox, the latest first. Raises UsageError for a state that there is not."""
    if unknown := set(states) - set(STATES):
        raise UsageError(f"no state {', '.join(sorted(unknown))} of the outbox; one of {', '.join(STATES)}")
    query = select(outbox).where(outbox.c.state.in_(states)).order_by(outbox.c.id.desc()).limit(most)
    with reading(state) as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    for row in rows:
        message = Message.model_validate(row["payload"])
        row["message"] = message.headline
        row |= {name: utc(row[name]) for name in ("created", "next_try", "sent") if row[name] is not None}
        row["next_try"] = row["next_try"] if row["state"] == "waiting" else None
    return pa.Table.from_pylist([{name: row[name] for name in _LISTED.names} for row in rows], schema=_LISTED)


def by_channel(state: Engine, now: datetime, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """How each channel is that has rows, or is one of `names`: counts, since when it fails, last sent, last error.

    A channel fails as well while what is due is not tried: nobody delivers, or it is in the configuration no more.
    """
    counted = select(outbox.c.channel, outbox.c.state, func.count()).group_by(outbox.c.channel, outbox.c.state)
    sent = select(outbox.c.channel, func.max(outbox.c.sent)).group_by(outbox.c.channel)
    overdue = or_(outbox.c.tries > 0, outbox.c.next_try < now - _OVERDUE)
    tried = select(outbox.c.channel, func.min(outbox.c.created)).where(outbox.c.state == "waiting", overdue)
    failed = select(outbox.c.channel, func.max(outbox.c.id)).where(outbox.c.last_error.is_not(None))
    with reading(state) as connection:
        counts = {(name, kind): count for name, kind, count in connection.execute(counted)}
        last = _pairs(connection, sent)
        failing = _pairs(connection, tried.group_by(outbox.c.channel))
        ids = _pairs(connection, failed.group_by(outbox.c.channel))
        errors = {
            row.channel: row.last_error
            for row in connection.execute(select(outbox).where(outbox.c.id.in_(list(ids.values()))))
        }
    return [
        {
            "channel": name,
            **{kind: counts.get((name, kind), 0) for kind in ("waiting", "dead")},
            "failing_since": utc(failing[name]) if name in failing else None,
            "last_sent": utc(last[name]) if last.get(name) else None,
            "last_error": errors.get(name),
        }
        for name in sorted({*names, *(channel for channel, _ in counts)})
    ]


def unrouted(state: Engine, before: datetime) -> int:
    """Alerts made before a moment of which it was not decided whom to tell, though people were told of others."""
    waiting = select(func.count()).where(alerts.c.routed.is_(None), alerts.c.created < before)
    with reading(state) as connection:
        if connection.execute(select(outbox.c.id).limit(1)).scalar() is None:
            return 0
        return int(connection.execute(waiting).scalar_one())


def _pairs(connection: Connection, query: Any) -> dict[str, Any]:
    return {row[0]: row[1] for row in connection.execute(query)}


_MOMENT = pa.timestamp("us", "UTC")
_LISTED = pa.schema(
    [
        ("id", pa.int64()),
        ("state", pa.string()),
        ("channel", pa.string()),
        ("kind", pa.string()),
        ("message", pa.string()),
        ("tries", pa.int64()),
        ("created", _MOMENT),
        ("next_try", _MOMENT),
        ("sent", _MOMENT),
        ("last_error", pa.string()),
    ]
)
BY_CHANNEL = pa.schema(
    [
        ("channel", pa.string()),
        ("type", pa.string()),
        ("waiting", pa.int64()),
        ("dead", pa.int64()),
        ("failing_since", _MOMENT),
        ("last_sent", _MOMENT),
        ("last_error", pa.string()),
    ]
)
