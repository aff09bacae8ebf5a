"""A number of signals in, what 50 correlations of them cost out: `python -m bench.correlations FOLDER SIGNALS`, JSON.

Signals of 100 rules about 1,000 users come in batches, late by up to a quarter of an hour and in no order, as those of
CloudTrail do; each correlation is about two of the rules. What counts is the CPU time of bringing them into the state,
for each tenth of the signals.
"""

import json
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from trailkeep.detect.correlate import Given, correlate
from trailkeep.detect.rule import Correlation
from trailkeep.store.database import open_database, sqlite_url

LARGEST_BATCH, RULES, USERS = 100_000, 100, 1000
LATE_MICROSECONDS = 15 * 60 * 1_000_000
GAP_MICROSECONDS = 20_000  # 50 signals a second
KINDS: list[dict[str, Any]] = [
    {"kind": "event_count", "bounds": (("gte", 10.0),)},
    {"kind": "value_count", "bounds": (("gte", 5.0),), "fields": ("v",)},
    {"kind": "temporal"},
    {"kind": "temporal_ordered"},
    {"kind": "value_sum", "bounds": (("gt", 1e6),), "fields": ("v",)},
]


def correlations() -> list[Correlation]:
    """50, ten of each kind."""
    about: dict[str, Any] = {
        "name": "",
        "level": "medium",
        "description": "",
        "tags": (),
        "falsepositives": (),
        "runbook": "",
    }
    place: dict[str, Any] = {"alert": True, "content_hash": "0" * 64, "path": Path("bench.yml"), "line": 1, "tests": ()}
    return [
        Correlation(
            id=f"c{number}",
            title=f"Correlation {number}",
            rules=(f"r{number}", f"r{number + RULES // 2}"),
            group_by=("user",),
            timespan=300,
            **about,
            **place,
            **KINDS[number % len(KINDS)],
        )
        for number in range(RULES // 2)
    ]


def _signals(rng: random.Random, first: int, count: int) -> list[Given]:
    facts = ("ConsoleLogin", "111122223333", "eu-central-1", "198.51.100.7", "0" * 32, 0)
    return [
        Given(
            f"r{rng.randrange(RULES)}",
            number * GAP_MICROSECONDS + rng.randrange(LATE_MICROSECONDS),
            str(UUID(int=number)),
            {"user": f"u{rng.randrange(USERS)}", "v": str(rng.randrange(100))},
            facts,
        )
        for number in range(first, first + count)
    ]


def main() -> None:
    """Correlate, and print CPU seconds by tenth, and how many hits there were."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True)
    state = open_database(sqlite_url(folder / "state.db"))
    every, rng = correlations(), random.Random(20_261_129)
    tenths, hits = [0.0] * 10, 0
    now = datetime.now(UTC)
    size = min(LARGEST_BATCH, count // 10)
    for first in range(0, count, size):
        some = _signals(rng, first, min(size, count - first))
        begun = time.process_time()
        with state.begin() as connection:
            hits += len(correlate(connection, some, every, now).gained)
        tenths[first * 10 // count] += time.process_time() - begun
    print(json.dumps({"cpu": tenths, "hits": hits, "size": (folder / "state.db").stat().st_size}))


if __name__ == "__main__":
    main()
