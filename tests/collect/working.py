"""A collector at work in a thread of its own; the test is the commit at the other end of its feed."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from trailkeep.aws import Aws
from trailkeep.collect.collector import CollectorConfig, Context
from trailkeep.collect.feed import Delivery, Fate, Feed
from trailkeep.collect.health import Health
from trailkeep.lake.home import create_home
from trailkeep.lake.progress import KeptProgress, Progress, record_progress

NAME = "one"


@dataclass
class Working:
    """A running collector, and the lines that it has handed over so far, decoded."""

    context: Context
    folder: Path
    lines: list[Any] = field(default_factory=list)

    def take(self) -> list[Delivery]:
        """What waits to be committed."""
        return self.context.feed.take(1, 0, 0.05)

    def settle(self, deliveries: list[Delivery], fate: Fate = "stored") -> None:
        """Do as the commit does."""
        for each in deliveries:
            if each.file:
                self.lines += map(msgspec.json.decode, each.file.path.read_bytes().splitlines())
        positions = tuple(position for each in deliveries for position in each.positions)
        record_progress(create_home(self.folder / "lake").state, Progress(positions))
        self.context.feed.done(deliveries)
        for each in deliveries:
            each.settled(fate)

    def wait(self, done: Callable[[], object], seconds: float = 30) -> None:
        """Commit what comes until `done`."""
        until = time.monotonic() + seconds
        while not done():
            self.settle(self.take())
            health = self.context.health
            assert time.monotonic() < until, (health.condition, health.reason, health.last_error, self.lines[-3:])

    def records(self, count: int) -> list[Any]:
        """The first `count` records; waits for them."""
        self.wait(lambda: len(self.lines) >= count)
        return [line["record"] for line in self.lines]


def context_in(folder: Path, **changes: Any) -> Context:
    """What a collector works with; made again over the same folder, it is that of a new process."""
    context = Context(
        name=NAME,
        feed=Feed(limit=1 << 30),
        health=Health(NAME, "test"),
        aws=Aws({}),
        kept=KeptProgress(create_home(folder / "lake").state),
        spool=folder / "spool",
        stop=threading.Event(),
        once=False,
        delay=0.02,
    )
    for name, value in changes.items():
        setattr(context, name, value)
    return context


@contextmanager
def working(config: CollectorConfig, folder: Path, **changes: Any) -> Iterator[Working]:
    """A collector that runs; it is stopped at the end, and what it hands over then is taken too."""
    found = Working(context_in(folder, **changes), folder)
    faults: list[BaseException] = []

    def run() -> None:
        try:
            config.run(found.context)
        except BaseException as error:  # noqa: BLE001 told by the test's own thread
            faults.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.context.stop.set()
        until = time.monotonic() + 30
        while time.monotonic() < until:
            alive, taken = thread.is_alive(), found.take()
            found.settle(taken)
            if not alive and not taken:
                break
        found.context.feed.close()
        thread.join(10)
        assert not thread.is_alive()
        assert not faults, faults
