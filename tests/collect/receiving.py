"""What a receiver works with in tests: the state, a feed that the test takes from, a spool in a folder."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine

from trailkeep.aws import Aws
from trailkeep.collect.collector import Context
from trailkeep.collect.feed import Delivery, Fate, Feed
from trailkeep.collect.health import Health
from trailkeep.lake.progress import KeptProgress, Progress, record_progress
from trailkeep.store.database import open_database, sqlite_url

NAME = "push"


@dataclass
class Rig:
    """A context, and the other end of its feed."""

    context: Context
    state: Engine

    def take(self) -> list[Delivery]:
        """What was handed over; waits for something."""
        taken = self.context.feed.take(1, 0, 20)
        assert taken, "nothing was handed over"
        return taken

    def settle(self, deliveries: list[Delivery], fate: Fate = "stored") -> None:
        """Do as the commit does."""
        if fate != "failed":
            ids = tuple((NAME, key) for each in deliveries for key in each.received)
            record_progress(self.state, Progress(received=ids))
        self.context.feed.done(deliveries)
        for each in deliveries:
            each.settled(fate)

    def waiting(self, count: int) -> list[Any]:
        """So many lines that are handed over, decoded."""
        found: list[Any] = []
        while len(found) < count:
            found += [line for each in self.take() for line in lines(each)]
        return found


def rig(folder: Path, **changes: Any) -> Rig:
    """A context with state and spool in `folder`; may be made again over what an earlier one left."""
    state = open_database(sqlite_url(folder / "state.db"))
    context = Context(
        name=NAME,
        feed=Feed(limit=1 << 30),
        health=Health(NAME, "http"),
        aws=Aws({}),
        kept=KeptProgress(state),
        spool=folder / "spool",
        stop=threading.Event(),
        once=False,
        delay=0.01,
    )
    for name, value in changes.items():
        setattr(context, name, value)
    return Rig(context, state)


def lines(delivery: Delivery) -> list[Any]:
    """The lines of a delivery, decoded."""
    assert delivery.file is not None
    return [msgspec.json.decode(line) for line in delivery.file.path.read_bytes().splitlines()]
