"""What waits for a channel in, one summary instead of more messages than a person reads out.

What is gathered stays in the outbox as `gathered`, and counts as sent once the summary is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, func, select, update

from trailkeep.alert import outbox as box
from trailkeep.alert.config import Storm
from trailkeep.alert.message import Message, titled
from trailkeep.core.levels import LEVELS
from trailkeep.store.database import reading, utc
from trailkeep.store.tables import alerts, outbox

SINGLE = ("new", "more", "grown", "escalation")
_FEW = 3  # messages that quiet hours held back, and that are sent one by one
_LISTED = 10  # rules
_STEPS = ("See them: trailkeep alerts list --status open", "See one, with what to do: trailkeep alerts show NUMBER")


def calm(state: Engine, channel: str, storm: Storm | None, now: datetime) -> int | None:
    """Gather what is too much for `channel` now; returns how many single messages it may get, None for any number."""
    with reading(state) as connection:
        sent = _sent(connection, channel, SINGLE, storm, now)
        waiting = connection.execute(select(func.count()).where(*_due(channel, now))).scalar_one()
        quiet = connection.execute(select(func.count()).where(*_due(channel, now), outbox.c.held)).scalar_one()
    left = None if storm is None else max(0, storm.singles - sent)
    if quiet <= _FEW and (left is None or waiting <= left):
        return left
    with state.begin() as connection:
        rows = connection.execute(select(outbox).where(*_due(channel, now))).mappings().all()
        rows = [row for row in rows if not row["payload"].get("drill")]
        held = [row for row in rows if row["held"]]
        after_quiet = held if len(held) > _FEW else []
        others = [row for row in rows if not (after_quiet and row["held"])]
        others.sort(key=lambda row: (-LEVELS.index(row["payload"]["level"]), row["id"]))
        beyond = [] if left is None else others[left:]
        if after_quiet or beyond:
            why = "quiet hours are over"
            if beyond and storm is not None:
                why = f"more than {storm.singles} messages in {storm.within / timedelta(minutes=1):g} minutes"
            _gather(
                connection, channel, [*after_quiet, *beyond], why, _next_summary(connection, channel, storm, now), now
            )
    return left


def _due(channel: str, now: datetime) -> tuple[Any, ...]:
    """Which rows tell of alerts one by one, were not tried yet, and are due."""
    return (
        outbox.c.channel == channel,
        outbox.c.state == "waiting",
        outbox.c.next_try <= now,
        outbox.c.tries == 0,
        outbox.c.kind.in_(SINGLE),
    )


def _sent(connection: Connection, channel: str, kinds: Sequence[str], storm: Storm | None, now: datetime) -> int:
    """How many messages of these kinds the channel got lately."""
    if storm is None:
        return 0
    lately = (outbox.c.channel == channel, outbox.c.sent > now - storm.within, outbox.c.summary_id.is_(None))
    return int(connection.execute(select(func.count()).where(*lately, outbox.c.kind.in_(kinds))).scalar_one())


def _next_summary(connection: Connection, channel: str, storm: Storm | None, now: datetime) -> datetime:
    """When the next summary may be sent: those that may be sent within the time are spread over it."""
    if storm is None:
        return now
    of_channel = (outbox.c.channel == channel, outbox.c.kind == "summary")
    last = connection.execute(select(func.max(outbox.c.sent)).where(*of_channel)).scalar()
    return now if last is None else max(now, utc(last) + storm.within / storm.summaries)


def _gather(
    connection: Connection, channel: str, rows: Sequence[Mapping[Any, Any]], why: str, when: datetime, now: datetime
) -> None:
    """Let one summary tell of these rows: one that waits already and was not tried, or another."""
    query = select(outbox).where(outbox.c.channel == channel, outbox.c.kind == "summary", outbox.c.state == "waiting")
    waits = connection.execute(query.where(outbox.c.tries == 0).limit(1)).mappings().one_or_none()
    ids = list(dict.fromkeys(each for row in (*([waits] if waits else []), *rows) for each in row["alerts"]))
    if waits is not None:
        message = summary(connection, ids, waits["payload"]["thread"], why, now)
        values = {"alerts": ids, "payload": message.model_dump(mode="json")}
        connection.execute(update(outbox).where(outbox.c.id == waits["id"]).values(values))
        number = int(waits["id"])
    else:
        thread = uuid4().hex
        message = summary(connection, ids, thread, why, now)
        made = box.put(connection, f"summary/{thread}/{channel}", channel, message, when, now, None)
        assert made is not None
        number = made
    taken = outbox.c.id.in_([row["id"] for row in rows])
    connection.execute(update(outbox).where(taken).values(state="gathered", summary_id=number))


def summary(connection: Connection, ids: Sequence[int], thread: str, why: str, now: datetime) -> Message:
    """What people are told of many alerts at once: how many by rule, the worst first."""
    rows = [
        row
        for start in range(0, len(ids), 500)
        for row in connection.execute(select(alerts).where(alerts.c.id.in_(ids[start : start + 500]))).mappings()
    ]
    levels = Counter(row["severity"] or row["level"] for row in rows)
    by_rule = Counter((row["severity"] or row["level"], titled(row)) for row in rows)
    ordered = sorted(by_rule.items(), key=lambda pair: (-LEVELS.index(pair[0][0]), -pair[1], pair[0][1]))
    worst = max(levels, key=LEVELS.index)
    first, last = min(utc(row["first_time"]) for row in rows), max(utc(row["last_time"]) for row in rows)
    facts = (
        ("Together", why),
        ("How bad", ", ".join(f"{levels[level]:,} {level}" for level in reversed(LEVELS) if levels[level])),
        ("About", _counted(len({(row["subject_kind"], row["subject"]) for row in rows}), "subject")),
        ("When", f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"),
    )
    return Message(
        kind="summary",
        thread=thread,
        alerts=tuple(ids),
        level=worst,
        title=f"{_counted(len(rows), 'more alert')}, by {_counted(len(by_rule), 'rule')}",
        time=last,
        facts=facts,
        steps=_STEPS,
        others=tuple(f"[{level}] {title}: {count:,}" for (level, title), count in ordered[:_LISTED]),
        other_count=len(ordered),
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
