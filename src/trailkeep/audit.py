"""What Trailkeep itself notices in, its own audit events out: they are stored, ruled and alerted like any other log.

A source that falls silent is noticed here. An event about it is written once for each silence: the position that
commits with it says until when the source had spoken.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import msgspec

from trailkeep.collect.config import Silence as SilenceConfig
from trailkeep.collect.feed import Delivery, Fate, Feed
from trailkeep.collect.files import LogFile
from trailkeep.core.periodic import Periodic
from trailkeep.engine.reading import connect_lake
from trailkeep.lake.completeness import Rhythm, Silence, silences
from trailkeep.lake.home import Home
from trailkeep.lake.progress import KeptProgress, Position

OWN = "trailkeep"
"""The name under which Trailkeep hands over events of its own."""


class Watch:
    """Looks for silent sources now and then, in a thread of its own, for it reads many days of the lake."""

    def __init__(self, home: Home, feed: Feed, config: SilenceConfig, folder: Path, say: Callable[[str], None]) -> None:
        self._home = home
        self._feed = feed
        self._rhythm = Rhythm(config.days, config.least_days, config.share, config.hours, config.late_hours)
        self._folder = folder
        self._periodic = Periodic(
            "the look for silent sources", config.every_seconds, lambda: self.notice(datetime.now(UTC)), say
        )
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            left.unlink()  # not committed, so its positions are not: it is noticed again

    def look(self) -> None:
        """Begin to look, if it is time."""
        self._periodic.look()

    def notice(self, now: datetime) -> None:
        """Hand over an audit event for each source that fell silent since the last look."""
        known = KeptProgress(self._home.state).positions(OWN)
        con = connect_lake(self._home.warehouse, threads=1)
        fresh = [
            (scope, each)
            for each in silences(con, self._home, now, self._rhythm)
            if known.get(scope := _scope(each)) != each.last.isoformat()
        ]
        if not fresh:
            return
        path = self._folder / f"{uuid4().hex}.jsonl"
        path.write_bytes(b"".join(msgspec.json.encode(_event(each, now)) + b"\n" for _, each in fresh))
        positions = tuple(Position(OWN, scope, each.last.isoformat()) for scope, each in fresh)

        def settled(fate: Fate) -> None:
            path.unlink(missing_ok=True)

        file = LogFile(path, f"trailkeep://audit/{path.name}", path.stat().st_size)
        self._feed.put(Delivery(OWN, file, settled, positions))


def _scope(silence: Silence) -> str:
    return f"silence:{silence.source}/{silence.account_uid or '-'}/{silence.region or '-'}"


def _event(silence: Silence, now: datetime) -> dict[str, Any]:
    """A record of the source trailkeep_audit."""
    moment = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    where = ", ".join(filter(None, (silence.account_uid, silence.region)))
    return {
        "trailkeep_audit": 1,
        "id": str(uuid5(NAMESPACE_URL, f"{_scope(silence)}/{silence.last.isoformat()}")),
        "time": moment,
        "actor": {"type": "service", "name": "trailkeep"},
        "action": "source.silent",
        "target": {"type": "source", "uid": silence.source, "name": where or silence.source},
        "outcome": "failure",
        "reason": f"nothing since {silence.last:%Y-%m-%d %H:%MZ}; it should have spoken in {silence.hours} hours since",
        "details": {
            "account": silence.account_uid,
            "region": silence.region,
            "last": silence.last.isoformat(),
            "hours": silence.hours,
        },
    }
