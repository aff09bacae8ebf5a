"""The state of a lake in, how far each log of a drill has come on the way to people out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, select

from trailkeep.alert.config import AlertsConfig
from trailkeep.alert.facts import facts_of
from trailkeep.alert.message import About
from trailkeep.core.columns import SIGNAL_SOURCE
from trailkeep.drill.scenarios import Expected, Log
from trailkeep.engine.reading import connect_lake
from trailkeep.lake.home import Home
from trailkeep.lake.progress import collector_rows
from trailkeep.lake.snapshot import current_snapshot
from trailkeep.store.database import reading, utc
from trailkeep.store.tables import alert_history, alerts, batches, objects, outbox

_NOT_REACHED = "not reached"


@dataclass(frozen=True)
class Step:
    """One thing that must come, and what came. `seconds`: since the log was written; `final`: waiting is of no use."""

    scenario: str
    step: str
    expected: str
    seen: str = _NOT_REACHED
    ok: bool = False
    seconds: float | None = None
    final: bool = False


STEPS = pa.schema(
    [
        ("scenario", pa.string()),
        ("step", pa.string()),
        ("expected", pa.string()),
        ("seen", pa.string()),
        ("ok", pa.bool_()),
        ("seconds", pa.float64()),
    ]
)


def rows_of(steps: list[Step]) -> list[dict[str, Any]]:
    """Steps as rows of STEPS."""
    return [{name: asdict(step)[name] for name in STEPS.names} for step in steps]


@dataclass
class Follower:
    """Looks how far the logs of one drill have come. `put`: when each was written, by scenario, or why it was not."""

    home: Home
    config: AlertsConfig
    rules: Mapping[str, About]
    drill: str
    logs: list[Log]
    put: dict[str, datetime | str]
    ended: bool
    """Whether all that comes of the logs but messages is there by now."""
    _signals: dict[str, dict[str, int]] = field(default_factory=dict)

    def look(self) -> list[Step]:
        """Every step of every log, as it is now."""
        with reading(self.home.state) as connection:
            return [step for log in self.logs for step in self._of(connection, log)]

    def _of(self, connection: Connection, log: Log) -> Iterator[Step]:
        name, when = log.scenario.name, self.put.get(log.scenario.name)
        if not isinstance(when, datetime):
            yield Step(name, "written", "1 log file", when or _NOT_REACHED, final=True)
            yield from self._unreached(log, "stored")
            return
        yield Step(name, "written", "1 log file", "1", True, 0.0)
        row = connection.execute(select(objects).where(objects.c.sha256 == log.sha256)).mappings().first()
        expected = f"{log.records} of {log.records} events"
        if row is None:
            yield Step(name, "stored", expected, self._why_not_stored(), final=self.ended)
            yield from self._unreached(log, "signals")
            return
        seconds = _between(when, row["added"])
        counted = {each: row[each] for each in ("quarantined", "dropped", "duplicate") if row[each]}
        rest = "".join(f", {count} {what}" for what, count in counted.items())
        complete = row["stored"] == log.records
        yield Step(name, "stored", expected, f"{row['stored']}{rest}", complete, seconds, True)
        if not complete:
            yield from self._unreached(log, "signals")
            return
        for each in log.scenario.expected:
            if each.signals:
                count = self._signals_of(row["object_id"]).get(each.rule, 0)
                seen = f"{count}" if count else f"none: {self._why_no_signal(each)}"
                yield Step(
                    name, "signals", f"{each.signals} of {each.title}", seen, count == each.signals, seconds, True
                )
        for each in filter(lambda each: each.alert, log.scenario.expected):
            yield from self._alert(connection, name, each, when, row["batch_id"])

    def _alert(
        self, connection: Connection, name: str, each: Expected, when: datetime, batch_id: str
    ) -> Iterator[Step]:
        query = select(alerts).where(alerts.c.drill == self.drill, alerts.c.rule_uid == each.rule)
        row = connection.execute(query.order_by(alerts.c.id)).mappings().first()
        if row is None:
            judged = (
                connection.execute(select(batches.c.state).where(batches.c.batch_id == batch_id)).scalar() == "done"
            )
            yield Step(name, "alert", each.title, f"none: {self._why_no_signal(each)}", final=judged)
            return
        severity = row["severity"] or row["level"]
        seen = f"alert {row['id']}, {severity}"
        yield Step(name, "alert", each.title, seen, True, _between(when, row["created"]), True)
        if not self.config.enabled():
            return
        if row["routed"] is None:
            wait = "nobody sends: run `trailkeep collect` or `trailkeep alerts send` on this lake"
            yield Step(name, "message", f"alert {row['id']} is sent", wait)
            return
        facts = facts_of(connection, [row], self.rules)[row["id"]]
        muted = select(alert_history.c.why).where(
            alert_history.c.alert_id == row["id"], alert_history.c.action == "muted"
        )
        if (why := connection.execute(muted).scalar()) is not None:
            yield Step(name, "message", f"alert {row['id']} is sent", f"suppressed {why}", final=True)
            return
        told = self.config.told(facts, severity, utc(row["routed"]))
        if not told:
            yield Step(name, "message", "none: no route leads from this alert to a channel", "none", True, None, True)
        query_rows = select(outbox).where(outbox.c.channel.in_(told), outbox.c.created >= row["created"])
        sent = connection.execute(query_rows).mappings().all()
        for channel in told:
            of_channel = [r for r in sent if r["channel"] == channel and row["id"] in r["alerts"]]
            yield self._message(name, f"{channel}: alert {row['id']}", of_channel, when)

    def _message(self, name: str, expected: str, rows: Sequence[Mapping[Any, Any]], when: datetime) -> Step:
        first = next((row for row in rows if row["state"] == "sent"), rows[0] if rows else None)
        if first is None:
            return Step(name, "message", expected, "no message was written")
        if first["state"] == "sent":
            return Step(name, "message", expected, "sent", True, _between(when, first["sent"]), True)
        if first["state"] == "waiting" and first["held"]:
            until = f"{utc(first['next_try']):%Y-%m-%d %H:%MZ}"
            return Step(name, "message", expected, f"held back by quiet hours until {until}", final=True)
        reason = f": {first['last_error']}" if first["last_error"] else ""
        return Step(name, "message", expected, f"{first['state']}{reason}", final=first["state"] in ("dead", "void"))

    def _unreached(self, log: Log, first: str) -> Iterator[Step]:
        """The steps from `first` on, none of which can be looked for."""
        if first == "stored":
            yield Step(log.scenario.name, "stored", f"{log.records} of {log.records} events", final=True)
        for each in log.scenario.expected:
            if each.signals:
                yield Step(log.scenario.name, "signals", f"{each.signals} of {each.title}", final=True)
        for each in filter(lambda each: each.alert, log.scenario.expected):
            yield Step(log.scenario.name, "alert", each.title, final=True)

    def _signals_of(self, object_id: str) -> dict[str, int]:
        """Rule -> signals on the events of an object; they commit together, so it is asked once."""
        if object_id not in self._signals:
            con = connect_lake(self.home.warehouse, threads=1)
            found = con.execute(
                "SELECT rule_uid, count(*) FROM iceberg_scan($table) WHERE source = $source AND object_id = $id "
                "GROUP BY ALL",
                {"table": current_snapshot(self.home).events, "source": SIGNAL_SOURCE, "id": object_id},
            )
            self._signals[object_id] = dict(found.fetchall())
        return self._signals[object_id]

    def _why_no_signal(self, each: Expected) -> str:
        if each.rule not in self.rules:
            return f"the rule {each.rule} is not among those that are in use (`rules:` of trailkeep.yaml)"
        return "the rule did not find it"

    def _why_not_stored(self) -> str:
        if self.ended:
            return "the ingest did not store it"
        rows = collector_rows(self.home.state)
        if not rows:
            return "not there: no collector has ever run on this lake"
        said = "; ".join(f"{row['name']} {row['condition']} at {row['updated']:%Y-%m-%d %H:%M:%SZ}" for row in rows)
        return f"not there; collectors: {said}"


def _between(first: datetime, last: datetime) -> float:
    """Seconds, to the millisecond."""
    return round((utc(last) - first) / timedelta(seconds=1), 3)
