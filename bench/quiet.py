"""Files of routine logs in, how loud the shipped rules are about them out: `python -m bench.quiet LOGS... --home DIR`.

Alerts are what a person would be shown: one for each rule and subject within the rule's window.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from bench.measure import measure
from bench.runs import ingest_command
from trailkeep.baselines import able, find, record, window_of
from trailkeep.core.levels import LEVELS
from trailkeep.detect.rule import Baseline
from trailkeep.detect.rules import load_rules
from trailkeep.engine.reading import connect_lake
from trailkeep.lake.home import Home, open_home
from trailkeep.store.database import utc
from trailkeep.store.tables import alert_events, alerts

LOUD = LEVELS[LEVELS.index("medium") :]
ALL_RULES = Path(__file__).parents[1] / "src/trailkeep/rules"
LIMIT = 1.0  # alerts of medium or above in 1,000 events


@dataclass(frozen=True)
class Loudness:
    """What a rule said: `events` is how many events made its `alerts`."""

    title: str
    level: str
    alerts: int
    events: int


@dataclass(frozen=True)
class Noise:
    """What the rules said about `events` events, loudest rule first."""

    events: int
    rules: tuple[Loudness, ...]

    @property
    def levels(self) -> Counter[str]:
        """How many alerts of each level."""
        counts: Counter[str] = Counter()
        for rule in self.rules:
            counts[rule.level] += rule.alerts
        return counts

    @property
    def loud(self) -> tuple[Loudness, ...]:
        """The rules of medium and above that said anything."""
        return tuple(rule for rule in self.rules if rule.level in LOUD)

    @property
    def per_thousand(self) -> float:
        """Alerts of medium and above in 1,000 events."""
        return 1000 * sum(rule.alerts for rule in self.loud) / self.events

    def table(self) -> str:
        """A line a rule: level, alerts, events, title."""
        lines = [f"{r.level:<13}  {r.alerts:>7,}  {r.events:>9,}  {r.title}" for r in self.rules]
        return "\n".join(["level           alerts     events  rule", *lines])


def noise(logs: Sequence[Path], home: Path, rules: Path, events: int, workers: int = 1) -> Noise:
    """Stores each of `logs` (`events` events together, later ones later in time) with `rules` in a new lake at `home`.

    Baselines look at all days that a folder brought, with those before as their history.
    """
    baselines, since = able(load_rules([rules]).baselines, None), datetime.min.replace(tzinfo=UTC)
    for folder in logs:
        measure(ingest_command(folder, home, rules, workers))
        since = _watch(open_home(home), baselines, since)
    return Noise(events, _said(home))


def _watch(lake: Home, baselines: Sequence[Baseline], after: datetime) -> datetime:
    """Lets baselines look at the days with alerts after that time; returns the end of the last of them."""
    times = select(func.min(alert_events.c.time), func.max(alert_events.c.time)).where(alert_events.c.time > after)
    with lake.state.begin() as state:
        first, last = map(_midnight, state.execute(times).one())
    connection, end = connect_lake(lake.warehouse), last + timedelta(days=1)
    windows = {one.id: window_of(one) for one in baselines}
    for one in baselines:
        found = list(find(connection, lake, one, first, end))
        with lake.state.begin() as state:
            record(state, found, windows, datetime.now(UTC))
    return end


def _midnight(moment: datetime) -> datetime:
    return utc(moment).replace(hour=0, minute=0, second=0, microsecond=0)


def _said(home: Path) -> tuple[Loudness, ...]:
    count = func.count(func.distinct(alerts.c.id))
    query = (
        select(alerts.c.title, alerts.c.level, count, func.count())
        .join(alert_events, alert_events.c.alert_id == alerts.c.id)
        .group_by(alerts.c.title, alerts.c.level)
    )
    with open_home(home).state.begin() as state:
        found = [Loudness(*row) for row in state.execute(query)]
    return tuple(sorted(found, key=lambda rule: (-LEVELS.index(rule.level), -rule.alerts, rule.title)))


def main() -> None:
    """Prints alerts by level and by rule."""
    parser = argparse.ArgumentParser(prog="python -m bench.quiet", description=main.__doc__)
    parser.add_argument("logs", type=Path, nargs="+")
    parser.add_argument("--home", type=Path, required=True, help="of a lake that does not exist yet")
    parser.add_argument("--rules", type=Path, default=ALL_RULES)
    parser.add_argument("--events", type=int, required=True, help="how many events the logs hold")
    args = parser.parse_args()
    found = noise(args.logs, args.home, args.rules, args.events)
    print(found.table())
    print({level: found.levels[level] for level in LEVELS})
    print(f"{found.per_thousand:.2f} alerts of medium and above in 1,000 events")


if __name__ == "__main__":
    main()
