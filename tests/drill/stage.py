"""A lake with the shipped rules, and drills that are played in it; logs that others write beside them."""

import gzip
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tests.alert.office import Office
from trailkeep.alert.config import AlertsConfig
from trailkeep.cli import setup
from trailkeep.collect.files import LogFile
from trailkeep.detect.rules import RulePack
from trailkeep.drill.play import Drill
from trailkeep.drill.scenarios import Log
from trailkeep.drill.ways import Put, by_ingest
from trailkeep.ingest import ingest
from trailkeep.lake.home import create_home
from trailkeep.pipeline import Settings, settings_of
from trailkeep.store.database import reading
from trailkeep.store.tables import alerts


@cache
def shipped() -> RulePack:
    return setup.rules_of(None)


@dataclass
class Stage:
    """Where drills are played."""

    settings: Settings
    folder: Path
    office: Office

    def drill(self, *scenarios: str, put: Put | None = None, **more: Any) -> Drill:
        """A drill whose alerts are sent while it looks, so that it needs no other process."""
        return Drill(
            settings=self.settings,
            config=self.office.config,
            rules={rule.id: rule for rule in shipped().every},
            put=self.sent(put or by_ingest(self.settings)),
            target="ingest",
            who="dana",
            instant=True,
            timeout=1,
            scenarios=scenarios or ("trail-stopped",),
            **more,
        )

    def sent(self, put: Put) -> Put:
        def put_and_send(logs: list[Log]) -> dict[str, datetime | str]:
            written = put(logs)
            self.send()
            return written

        return put_and_send

    def send(self) -> dict[str, int]:
        self.office.now = datetime.now(UTC)
        return self.office.run()

    def store(self, *records: dict[str, Any], name: str = "log") -> None:
        """Store a log file of somebody else's."""
        path = self.folder / f"{name}.json.gz"
        path.write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
        ingest(self.settings, [LogFile(path, str(path), path.stat().st_size)], 1)

    def alerts(self) -> list[dict[str, Any]]:
        with reading(self.office.home.state) as connection:
            rows = connection.execute(select(alerts).order_by(alerts.c.id)).mappings()
            return [dict(row) for row in rows]


def stage(folder: Path, config: AlertsConfig) -> Stage:
    home = create_home(folder / "lake")
    how = replace(setup.reading_of(None, None, 64), keep_unknown=True)
    settings = settings_of(home, how, setup.matcher_of(shipped(), dict(how.sources)))
    return Stage(settings, folder, Office(home, config, rules={rule.id: rule for rule in shipped().every}))  # type: ignore[arg-type]
