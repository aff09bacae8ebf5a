"""Alerts that nobody was told of in, rows of the outbox out: suppression, severity, groups, routes, escalation.

An alert is durable, and marked as one to be told, in the transaction that makes it: whatever made it, with whatever
configuration or none, it waits here. Each is routed in one transaction with the rows that it becomes, so it is routed
once, whatever is killed.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, or_, select, update

from trailkeep.alert import outbox as box
from trailkeep.alert.config import AlertsConfig, Escalation, Facts, at_least
from trailkeep.alert.facts import facts_of
from trailkeep.alert.growth import Growth, events_of, growth, rules_in
from trailkeep.alert.message import About, Kind, Message, message_of
from trailkeep.core.levels import LEVELS
from trailkeep.geo.places import Places
from trailkeep.store.database import reading, utc
from trailkeep.store.tables import alert_history, alerts, outbox

_MOST = 200  # alerts or groups in a transaction
_KEPT = timedelta(days=90)  # of what was sent
# A row that is due sooner may be on its way: it is left as it is.
_MARGIN = timedelta(seconds=5)
_MUTED = "muted"


class Router:
    """Decides who is told of what, and when."""

    def __init__(
        self,
        state: Engine,
        config: AlertsConfig,
        rules: Mapping[str, About],
        say: Callable[[str], None],
        places: Places | None = None,
    ) -> None:
        self._state = state
        self._config = config
        self._rules = rules
        self._say = say
        self._places = places
        self._looked: datetime | None = None

    def route(self, now: datetime) -> int:
        """Bring alerts of which it was not decided yet into the outbox; returns how many there were."""
        if not self._some_wait():
            return 0
        with self._state.begin() as connection:
            query = select(alerts).where(alerts.c.routed.is_(None)).order_by(alerts.c.id).limit(_MOST)
            rows = connection.execute(query).mappings().all()
            facts = facts_of(connection, rows, self._rules)
            by_subject: dict[tuple[str, str, str | None], list[Mapping[Any, Any]]] = defaultdict(list)
            old = 0
            for row in rows:
                each = facts[row["id"]]
                if utc(row["last_time"]) < now - self._config.oldest:
                    old += 1
                elif suppression := self._config.suppressed(each, now):
                    why = f"until {suppression.until}: {suppression.reason}"
                    step = {"alert_id": row["id"], "time": now, "who": "trailkeep", "action": _MUTED, "why": why}
                    connection.execute(insert(alert_history).values(step))
                elif row["status"] == "open":
                    by_subject[row["subject_kind"], row["subject"], row["drill"]].append(row)
            ids = [row["id"] for row in rows]
            connection.execute(update(alerts).where(alerts.c.id.in_(ids)).values(routed=now, severity=alerts.c.level))
            for members in by_subject.values():
                for run in _runs(members, self._config.group):
                    self._group(connection, run, facts, now)
        if old:
            days = self._config.oldest / timedelta(days=1)
            self._say(f"nobody is told of {old} alerts whose events are older than {days:g} days (alerts.oldest)")
        return len(rows)

    def skip(self, now: datetime) -> int:
        """Count all alerts as told; returns how many were not."""
        with self._state.begin() as connection:
            waiting = update(alerts).where(alerts.c.routed.is_(None))
            return connection.execute(waiting.values(routed=now, severity=alerts.c.level)).rowcount

    def _some_wait(self) -> bool:
        with reading(self._state) as connection:
            query = select(alerts.c.id).where(alerts.c.routed.is_(None)).limit(1)
            return connection.execute(query).scalar() is not None

    def _group(
        self, connection: Connection, members: list[Mapping[Any, Any]], facts: Mapping[int, Facts], now: datetime
    ) -> None:
        """Tell of new alerts about one subject, together with what was told of it lately."""
        group, until = self._current(connection, members, now)
        count = rules_in(connection, self._config, group, [(row["rule_uid"], row["level"]) for row in members])
        told: dict[str, list[int]] = defaultdict(list)
        worst: dict[str, str] = {}
        new = {row["id"] for row in members}
        for row, each in [*((row, facts[row["id"]]) for row in members), *self._raised(connection, group, new, count)]:
            severity = self._config.severity(each, count)
            values = {"group_id": group, "severity": severity}
            connection.execute(update(alerts).where(alerts.c.id == row["id"]).values(values))
            for channel in self._config.told(each, severity, now):
                told[channel].append(row["id"])
                worst[channel] = max(worst.get(channel, severity), severity, key=LEVELS.index)
        for channel, ids in told.items():
            self._tell(connection, channel, group, ids, new, worst[channel], until, now)
        _told(connection, {each for ids in told.values() for each in ids}, now)

    def _raised(
        self, connection: Connection, group: int, new: Collection[int], count: int
    ) -> list[tuple[Mapping[Any, Any], Facts]]:
        """The alerts of a group, beside the `new` ones, that `count` rules together make worse than people know."""
        if self._config.correlation is None or count < self._config.correlation.rules:
            return []
        query = select(alerts).where(
            alerts.c.group_id == group, alerts.c.id.not_in(new), alerts.c.status.in_(("open", "acked"))
        )
        rows = connection.execute(query).mappings().all()
        facts = facts_of(connection, rows, self._rules)
        pairs = [(row, facts[row["id"]]) for row in rows]
        return [(row, each) for row, each in pairs if not at_least(row["severity"], self._config.severity(each, count))]

    def _current(self, connection: Connection, members: list[Mapping[Any, Any]], now: datetime) -> tuple[int, datetime]:
        """The group that these alerts belong to, and when it ends: their own, or one near in time that began lately.

        What happens again after somebody has closed it is news, and begins a group.
        """
        query = select(alerts.c.group_id).where(
            alerts.c.subject_kind == members[0]["subject_kind"],
            alerts.c.subject == members[0]["subject"],
            alerts.c.drill == members[0]["drill"] if members[0]["drill"] else alerts.c.drill.is_(None),
            alerts.c.status.not_in(("closed", "merged")),
            alerts.c.group_id.is_not(None),
            alerts.c.last_time >= min(utc(row["first_time"]) for row in members) - self._config.group,
            alerts.c.first_time <= max(utc(row["last_time"]) for row in members) + self._config.group,
        )
        latest = connection.execute(query.order_by(alerts.c.group_id.desc()).limit(1)).scalar()
        if latest is not None:
            began = connection.execute(select(alerts.c.routed).where(alerts.c.id == latest)).scalar()
            if began is not None and utc(began) + self._config.group > now:
                return latest, utc(began) + self._config.group
        return min(row["id"] for row in members), now + self._config.group

    def _tell(
        self,
        connection: Connection,
        channel: str,
        group: int,
        ids: list[int],
        new: set[int],
        level: str,
        until: datetime,
        now: datetime,
        change: str = "",
    ) -> None:
        """One row for a channel: the first at once, what follows when the group ends, what is worse at once.

        `new`: the alerts that make it necessary.
        """
        query = select(outbox).where(
            outbox.c.group_id == group,
            outbox.c.channel == channel,
            outbox.c.kind.in_(("new", "more", "grown")),
            outbox.c.state != "void",
        )
        rows = connection.execute(query.order_by(outbox.c.id)).mappings().all()
        held = next(
            (r for r in rows if r["state"] == "waiting" and not r["tries"] and utc(r["next_try"]) > now + _MARGIN), None
        )
        known = [row["payload"]["level"] for row in rows if row is not held]
        urgent = not any(at_least(each, level) for each in known)
        asked = now if urgent else until
        when = self._config.held_until(channel, level, asked)
        if held is not None:
            every = list(dict.fromkeys([*held["alerts"], *ids]))
            message = self._message(connection, held["kind"], every, new, change)
            values = {
                "alerts": list(message.alerts),
                "payload": message.model_dump(mode="json"),
                "next_try": min(when, utc(held["next_try"])),
            }
            connection.execute(update(outbox).where(outbox.c.id == held["id"]).values(values))
            return
        kind: Kind = "new" if not rows else "more" if new & set(ids) and not change else "grown"
        message = self._message(connection, kind, ids, new, change)
        key = f"{kind}/{min(new)}/{channel}" if not change else f"{kind}/{min(new)}/{now.isoformat()}/{channel}"
        box.put(connection, key, channel, message, when, now, group, held=when > asked)

    def _update(self, connection: Connection, now: datetime) -> bool:
        """Tell again of what has grown, has become worse, or goes on; returns whether that was all."""
        groups: dict[int, list[Growth]] = defaultdict(list)
        found = growth(connection, self._config, self._rules, self._looked, now)
        for each in found[:_MOST]:
            groups[each.row["group_id"]].append(each)
            values = {"severity": each.severity, "updates": (each.row["updates"] or 0) + 1}
            connection.execute(update(alerts).where(alerts.c.id == each.row["id"]).values(values))
        for group, some in groups.items():
            by_channel: dict[str, list[Growth]] = defaultdict(list)
            for each in some:
                for channel in self._config.told(each.facts, each.severity, now):
                    by_channel[channel].append(each)
            for channel, members in by_channel.items():
                worst = max(members, key=lambda each: LEVELS.index(each.severity))
                ids = [each.row["id"] for each in members]
                self._tell(connection, channel, group, ids, set(ids), worst.severity, now, now, worst.change)
            _told(connection, {each.row["id"] for each in some}, now)
        return len(found) <= _MOST

    def tick(self, now: datetime) -> None:
        """Write what is due by the clock: updates, escalations, ends, heartbeats; forget what is long over."""
        with self._state.begin() as connection:
            complete = self._update(connection, now)
            for step in self._config.escalate:
                self._escalate(connection, step, now)
            self._close(connection, now)
            self._beat(connection, now)
            box.prune(connection, now - _KEPT)
        if complete:
            self._looked = now

    def _escalate(self, connection: Connection, step: Escalation, now: datetime) -> None:
        first, earliest = now - step.after, now - step.after - self._config.oldest
        query = select(outbox.c.group_id, outbox.c.alerts).where(
            outbox.c.kind.in_(("new", "more")),
            outbox.c.tries > 0,  # what was held back counts from when it was sent, what fails from when it was made
            func.coalesce(outbox.c.sent, outbox.c.created) <= first,
            outbox.c.created > earliest,
        )
        told: dict[int, set[int]] = defaultdict(set)
        for group, ids in connection.execute(query):
            told[group].update(ids)
        written = select(outbox.c.key).where(outbox.c.kind == "escalation", outbox.c.created > earliest)
        done = set(connection.execute(written).scalars()) if told else set()
        levels = LEVELS[LEVELS.index(step.level) :]
        left = select(alerts.c.id, alerts.c.group_id).where(
            alerts.c.routed > earliest,
            alerts.c.status == "open",
            alerts.c.severity.in_(levels),
            alerts.c.drill.is_(None),
        )
        ignored: dict[int, list[int]] = defaultdict(list)
        for alert_id, group in connection.execute(left) if told else ():
            if alert_id in told.get(group, ()):
                ignored[group].append(alert_id)
        written_now = 0
        for group, members in ignored.items():
            keys = {name: f"escalation/{step.after.total_seconds():.0f}/{group}/{name}" for name in step.to}
            missing = [name for name, key in keys.items() if key not in done and self._config.channels[name].enabled]
            if not missing:
                continue
            message = self._message(connection, "escalation", members)
            for name in missing:
                when = self._config.held_until(name, message.level, now)
                box.put(connection, keys[name], name, message, when, now, group, held=when > now)
            written_now += 1
            if written_now == _MOST:  # the next tick goes on: commits must not wait for all
                break

    def _close(self, connection: Connection, now: datetime) -> None:
        """Tell channels that keep incidents or tickets that all alerts of a group are over."""
        names = [name for name, each in self._config.enabled().items() if each.tells_closed]
        if not names:
            return
        query = select(outbox.c.group_id, outbox.c.channel, outbox.c.kind).where(
            outbox.c.channel.in_(names), outbox.c.group_id.is_not(None), outbox.c.summary_id.is_(None)
        )
        rows = connection.execute(query.where(or_(outbox.c.state == "sent", outbox.c.kind == "closed"))).all()
        over = {(group, channel) for group, channel, kind in rows if kind == "closed"}
        left = select(alerts.c.group_id).where(alerts.c.status.not_in(("closed", "merged"))).distinct()
        still = set(connection.execute(left).scalars())
        ended = sorted(pair for pair in {(group, channel) for group, channel, _ in rows} - over if pair[0] not in still)
        for group, channel in ended[:_MOST]:
            ids = connection.execute(select(alerts.c.id).where(alerts.c.group_id == group)).scalars().all()
            if ids:
                message = self._message(connection, "closed", ids)
                box.put(connection, f"closed/{group}/{channel}", channel, message, now, now, group)

    def _beat(self, connection: Connection, now: datetime) -> None:
        beat = self._config.heartbeat
        if beat is None:
            return
        number = int(now.timestamp() // beat.every.total_seconds())
        keys = {name: f"heartbeat/{number}/{name}" for name in beat.to if self._config.channels[name].enabled}
        done = set(connection.execute(select(outbox.c.key).where(outbox.c.key.in_(keys.values()))).scalars())
        for name in keys.keys() - {name for name, key in keys.items() if key in done}:
            when = self._config.held_until(name, "informational", now)
            box.put(connection, keys[name], name, heartbeat(connection, now, beat.every), when, now, None)

    def _message(
        self, connection: Connection, kind: Kind, ids: Sequence[int], news: Collection[int] = (), change: str = ""
    ) -> Message:
        return message_of(connection, kind, ids, self._rules, self._config.link, news, change, self._places)


def _told(connection: Connection, ids: Collection[int], now: datetime) -> None:
    """Keep that people are told of alerts as they are now."""
    for alert_id, events in events_of(connection, sorted(ids)).items():
        values = {"told": now, "told_events": events}
        connection.execute(update(alerts).where(alerts.c.id == alert_id).values(values))


def _runs(members: list[Mapping[Any, Any]], gap: timedelta) -> Iterator[list[Mapping[Any, Any]]]:
    """Alerts about one subject, in parts between which longer than `gap` nothing happened."""
    run: list[Mapping[Any, Any]] = []
    for row in sorted(members, key=lambda row: (utc(row["first_time"]), row["id"])):
        if run and utc(row["first_time"]) > max(utc(each["last_time"]) for each in run) + gap:
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def heartbeat(connection: Connection, now: datetime, every: timedelta) -> Message:
    """That the way to people works, and how things stand."""
    lately, real = alerts.c.created > now - every, alerts.c.drill.is_(None)
    made = len(connection.execute(select(alerts.c.id).where(lately, real)).all())
    waiting = len(connection.execute(select(alerts.c.id).where(alerts.c.status == "open", real)).all())
    dead = len(connection.execute(select(outbox.c.id).where(outbox.c.state == "dead")).all())
    facts = [("Alerts lately", str(made)), ("Open alerts", str(waiting)), ("Messages that nobody took", str(dead))]
    title = "Trailkeep is alive, and its messages reach you"
    return Message(kind="heartbeat", thread="heartbeat", title=title, time=now, facts=tuple(facts))
