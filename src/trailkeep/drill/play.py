"""A lake and a way into it in, a drill that is played, followed, closed and kept as evidence out."""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from trailkeep import __version__
from trailkeep.alert.config import AlertsConfig
from trailkeep.alert.message import About
from trailkeep.collect.files import LogFile
from trailkeep.core.errors import LakeError
from trailkeep.drill.scenarios import SCENARIOS, Log, Run, log_of
from trailkeep.drill.steps import Follower, Step, rows_of
from trailkeep.drill.ways import Put
from trailkeep.ingest import ingest
from trailkeep.lake import drills
from trailkeep.pipeline import Settings

TASK = "drill"
"""The lock that the one drill of a lake holds."""
_POLL = 0.2
_INTERRUPTED = "interrupted"


@dataclass
class Drill:
    """One drill. `instant`: what `put` has written is stored when it returns."""

    settings: Settings
    config: AlertsConfig
    rules: Mapping[str, About]
    put: Put
    target: str
    who: str
    instant: bool
    timeout: float = 120
    account: str = "000000000000"
    region: str = "us-east-1"
    scenarios: tuple[str, ...] = tuple(SCENARIOS)
    steps: list[Step] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    id: str = ""

    @property
    def passed(self) -> bool:
        """Whether all came that should."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    @property
    def note(self) -> str | None:
        """What the drill did not try."""
        return None if self.config.enabled() else "no channels are configured: it ended at the alert"

    def play(self) -> None:
        """Play it to its end. Raises LakeError if another drill plays on this lake."""
        home = self.settings.home
        with home.exclusive(TASK):
            self.logs = logs = self._begin()
            over = False
            try:
                put = self.put(logs)
                self._follow(Follower(home, self.config, self.rules, self.id, logs, put, self.instant))
                over = True
            finally:
                with home.state.begin() as connection:
                    note = self.note if over else _INTERRUPTED
                    drills.end(connection, self.id, _now(), over and self.passed, rows_of(self.steps), note)
            self._file()

    def _begin(self) -> list[Log]:
        now = _now()
        self.id = f"drill-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        run = Run(self.id, self.account, self.region, now)
        logs = [log_of(SCENARIOS[name], run) for name in self.scenarios]
        row = {"id": self.id, "state": "running", "began": now, "who": self.who, "target": self.target, "steps": []}
        with self.settings.home.state.begin() as connection:
            for left in drills.running(connection):
                drills.end(connection, left, now, False, [], _INTERRUPTED)
            drills.begin(connection, row, [log.sha256 for log in logs])
        return logs

    def _follow(self, follower: Follower) -> None:
        until = time.monotonic() + self.timeout
        while True:
            self.steps = follower.look()
            if all(step.ok or step.final for step in self.steps) or time.monotonic() >= until:
                return
            time.sleep(_POLL)

    def _file(self) -> None:
        """Store the result as an event of Trailkeep's own audit log, where the lake seals it like any other."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "trailkeep-audit.jsonl"
            path.write_text(json.dumps(self._event()) + "\n")
            file = LogFile(path, f"trailkeep://audit/{self.id}/trailkeep-audit.jsonl", path.stat().st_size)
            report = ingest(self.settings, [file], 1)
        if report.total("stored") != 1:
            raise LakeError(
                f"{self.id}: its result is in `trailkeep drill --list`, but not in the lake: {report.failed}"
            )

    def _event(self) -> dict[str, Any]:
        moment = _now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        missing = [f"{each.scenario}: {each.step}: {each.seen}" for each in self.steps if not each.ok]
        return {
            "trailkeep_audit": 1,
            "id": str(uuid5(NAMESPACE_URL, self.id)),
            "time": moment,
            "actor": {"type": "user", "name": self.who},
            "action": "drill.play",
            "target": {"type": "drill", "uid": self.id, "name": self.target},
            "outcome": "success" if self.passed else "failure",
            "version": __version__,
            "details": {
                "steps": rows_of(self.steps),
                "logs": [{"name": log.name, "sha256": log.sha256} for log in self.logs],
                "account": self.account,
                "region": self.region,
            },
        } | ({"reason": "; ".join(missing[:5])} if missing else {})


def _now() -> datetime:
    return datetime.now(UTC)
