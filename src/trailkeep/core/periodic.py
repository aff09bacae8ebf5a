"""Work that is done now and then, in a thread of its own, one round at a time."""

import threading
import time
from collections.abc import Callable


class Periodic:
    """Does `work` every so many seconds, if somebody asks often enough whether it is time. What fails is told."""

    def __init__(self, name: str, every: float, work: Callable[[], object], say: Callable[[str], None]) -> None:
        self._name = name
        self._every = every
        self._work = work
        self._say = say
        self._thread: threading.Thread | None = None
        self._due = time.monotonic() + min(every, 60)

    def look(self) -> None:
        """Begin a round, if it is time and none goes on."""
        if time.monotonic() >= self._due and not (self._thread and self._thread.is_alive()):
            self._due = time.monotonic() + self._every
            self._thread = threading.Thread(target=self.now, name=self._name, daemon=True)
            self._thread.start()

    def now(self) -> None:
        """One round, here and now."""
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 the next round comes soon; that this one failed is told
            self._say(f"{self._name}: {type(error).__name__}: {error}")
