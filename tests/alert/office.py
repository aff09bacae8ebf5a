"""Alerts and a configuration in, a deliverer with a clock of its own out."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from trailkeep.alert import outbox
from trailkeep.alert.channels.channel import Tools
from trailkeep.alert.channels.http import Http
from trailkeep.alert.config import AlertsConfig, alerts_model
from trailkeep.alert.deliver import Deliverer
from trailkeep.alert.derive import Signal, derive
from trailkeep.aws import Aws
from trailkeep.lake.home import Home, create_home
from trailkeep.store.database import reading
from trailkeep.store.tables import outbox as rows

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
SECRET = "a secret of more than sixteen bytes"


@dataclass(frozen=True)
class Rule:
    """What a rule says to people."""

    description: str = "An intruder\nswitches the log off."
    runbook: str = "Ask: Was this planned?\nLook at: What came\n  next.\n"
    tags: tuple[str, ...] = ("attack.defense-evasion",)


def signal(subject: str = "alice", rule: str = "r", level: str = "high", at: datetime = NOON, **changed: Any) -> Signal:
    values: dict[str, Any] = {
        "rule_uid": rule,
        "title": f"Title of {rule}",
        "level": level,
        "subject": subject,
        "subject_kind": "principal",
        "time": at,
        "event_uid": f"{rule} by {subject} at {at}",
        "event_name": "StopLogging",
        "account_uid": "111122223333",
        "region": "eu-central-1",
        "src_ip": "198.51.100.7",
        "object_id": "0" * 32,
        "record_no": 0,
        "resources": ("arn:aws:cloudtrail:eu-central-1:111122223333:trail/main",),
    }
    return Signal(**(values | changed))


@dataclass
class Office:
    """A lake with its alerts, and the delivery of them by a clock that only the test moves."""

    home: Home
    config: AlertsConfig
    now: datetime = NOON
    said: list[str] = field(default_factory=list)
    rules: dict[str, Rule] = field(default_factory=lambda: {"r": Rule()})
    timeout: float = 5

    def __post_init__(self) -> None:
        self.tools = Tools(Aws({}), Http(self.timeout, self.timeout), lambda: self.now)
        self.restart()

    def restart(self) -> None:
        self.deliverer = Deliverer(self.home, self.config, self.rules, self.tools, self.said.append, delay=5, poll=0.01)

    def alert(self, *signals: Signal) -> None:
        with self.home.state.begin() as connection:
            derive(connection, signals, {}, self.now)

    def run(self, **later: float) -> dict[str, int]:
        """One round of the delivery, `later` than the last; what it did."""
        self.now += timedelta(**later)
        self.restart()
        return dict(self.deliverer.once())

    def rows(self) -> list[tuple[str, str, str]]:
        """Channel, kind and state of all messages."""
        with reading(self.home.state) as connection:
            found = connection.execute(select(rows.c.channel, rows.c.kind, rows.c.state).order_by(rows.c.id)).all()
        return [(channel, kind, state) for channel, kind, state in found]

    def listed(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = outbox.list_rows(self.home.state).to_pylist()
        return listed[::-1]


def config(**told: Any) -> AlertsConfig:
    return alerts_model().model_validate(told)


def webhook(url: str, tmp_path: Path, name: str = "hook") -> dict[str, Any]:
    """A webhook whose address is in a file."""
    for kind, text in (("url", url), ("secret", SECRET)):
        (tmp_path / f"{name}.{kind}").write_text(text)
    return {
        "type": "webhook",
        "url": {"file": str(tmp_path / f"{name}.url")},
        "secret": {"file": str(tmp_path / f"{name}.secret")},
    }


def office(tmp_path: Path, told: AlertsConfig, **changed: Any) -> Office:
    return Office(create_home(tmp_path / "lake"), told, **changed)
