"""A folder and a number in, that many small commits into a lake there with the care that `collect` gives it:
`python -m bench.commits FOLDER COMMITS`, JSON on stdout.

Each commit is a file of three CloudTrail records through the whole way: read, mapped, ruled, written, committed.
"""

import json
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from pydantic import Field

from trailkeep.cli import setup
from trailkeep.collect.collector import CollectorConfig, Context
from trailkeep.collect.config import CollectConfig, Commit
from trailkeep.collect.feed import Delivery, Fate
from trailkeep.collect.files import LogFile
from trailkeep.collection import Collection
from trailkeep.lake.home import create_home
from trailkeep.lake.snapshot import current_snapshot
from trailkeep.pipeline import settings_of

RECORDS = 3
LOOKED_AT = 100  # commits at the beginning and at the end


class Small(CollectorConfig):
    """Delivers small files one by one, each after the commit of the one before."""

    count: int
    folder: Path
    spans: list[tuple[float, float]] = Field(default_factory=list)
    """wall and CPU seconds of each commit"""

    def run(self, context: Context) -> None:
        """Deliver `count` files."""
        path = self.folder / "small.json"
        for number in range(self.count):
            path.write_text(json.dumps({"Records": [_record(number * RECORDS + each) for each in range(RECORDS)]}))
            committed = threading.Event()

            def settled(_: Fate, committed: threading.Event = committed) -> None:
                committed.set()

            begun = time.monotonic(), time.process_time()
            file = LogFile(path, f"s3://bench/{number}", path.stat().st_size)
            context.deliver(Delivery(context.name, file, settled))
            committed.wait()
            self.spans.append((time.monotonic() - begun[0], time.process_time() - begun[1]))


def _record(number: int) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mara", "accountId": "111122223333"},
        "eventTime": f"2026-11-{number // 86_400 % 28 + 1:02}T{number // 3600 % 24:02}:{number // 60 % 60:02}:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "198.51.100.23",
        "eventID": str(UUID(int=number)),
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    }


def main() -> None:
    """Commit, and print how long the first and the last commits took, what metadata there is, and planning time."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True)
    home = create_home(folder / "lake")
    reading = setup.reading_of(None, None, 100)
    settings = settings_of(home, reading, setup.matcher_of(setup.rules_of(None), dict(reading.sources)))
    small = Small(type="small", count=count, folder=folder)
    config = CollectConfig(commit=Commit(seconds=0.000001, megabytes=0.000001), collect={"small": small})
    collection = Collection(settings, config, once=True)
    collection.run()
    begun = time.process_time()
    snapshot = current_snapshot(home)
    planning = time.process_time() - begun
    metadata = [path.stat().st_size for path in home.warehouse.rglob("events/metadata/*")]
    print(
        json.dumps(
            {**_ends(small.spans), "planning": planning, "files": len(snapshot.files), "metadata": sum(metadata)}
        )
    )


def _ends(spans: list[tuple[float, float]]) -> dict[str, Any]:
    first, last = spans[:LOOKED_AT], spans[-LOOKED_AT:]
    return {
        name: median(span[which] for span in some)
        for which, what in enumerate(("wall", "cpu"))
        for name, some in ((f"first_{what}", first), (f"last_{what}", last))
    }


if __name__ == "__main__":
    main()
