"""What collectors fetched in, batches for the commit out; bounded, so that collectors wait when commits are slow."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from trailkeep.collect.files import LogFile
from trailkeep.lake.progress import Position

Fate = Literal["stored", "given up", "failed"]
"""What became of something: it is in the lake and its quarantine; or it is noted as not to be had; or neither, and it
has to be fetched again."""


@dataclass(frozen=True, eq=False)
class Delivery:
    """A file on this machine that waits to be committed, and what is to be done then.

    `file` is None where nothing came but the position moved on. `received` are ids of pushed batches that are in the
    file. `settled` is called once, after the commit; an exception of it is a defect.
    """

    collector: str
    file: LogFile | None
    settled: Callable[[Fate], None] = lambda fate: None
    positions: tuple[Position, ...] = ()
    received: tuple[str, ...] = ()
    since: float | None = None  # seconds since 1970: when the data was ready to be fetched

    @property
    def size(self) -> int:
        """About how many raw bytes it holds."""
        return self.file.raw_size if self.file else 0


@dataclass
class Feed:
    """The way from the threads of collectors to the one thread that commits."""

    limit: int
    """Most raw bytes that wait or are being committed; a single delivery may be larger."""

    _waiting: deque[tuple[float, Delivery]] = field(default_factory=deque)
    _bytes: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False

    def put(self, delivery: Delivery) -> bool:
        """Hand over a delivery; waits while too much is under way. False: the feed is closed, nobody will take it."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._bytes or self._bytes + delivery.size <= self.limit)
            if self._closed:
                return False
            self._bytes += delivery.size
            self._waiting.append((time.monotonic(), delivery))
            self._changed.notify_all()
            return True

    def full(self) -> bool:
        """Whether `put` would wait."""
        return self._bytes >= self.limit

    def take(self, size: int, seconds: float, patience: float) -> list[Delivery]:
        """Deliveries for one batch: once `size` bytes wait, or the first has waited for `seconds`.

        Comes back empty after `patience` seconds without any.
        """
        until = time.monotonic() + patience
        with self._changed:
            while True:
                now = time.monotonic()
                if self._waiting:
                    due = self._waiting[0][0] + seconds
                    enough = sum(each.size for _, each in self._waiting) >= size
                    if enough or now >= due or self._closed:
                        return self._some(size)
                    self._changed.wait(due - now)
                elif now >= until or self._closed:
                    return []
                else:
                    self._changed.wait(until - now)

    def done(self, deliveries: list[Delivery]) -> None:
        """What `take` gave is committed: there is room again."""
        with self._changed:
            self._bytes -= sum(delivery.size for delivery in deliveries)
            self._changed.notify_all()

    def close(self) -> None:
        """No more deliveries; whoever waits is let go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _some(self, size: int) -> list[Delivery]:
        taken: list[Delivery] = []
        total = 0
        while self._waiting and (not taken or total + self._waiting[0][1].size <= size):
            taken.append(self._waiting.popleft()[1])
            total += taken[-1].size
        return taken
