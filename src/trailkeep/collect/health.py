"""What a collector does and suffers in, figures and words for people out."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

Condition = Literal["starting", "running", "waiting", "failed", "done"]


@dataclass
class Health:
    """How one collector is; its threads share it. `now` gives seconds since 1970."""

    name: str
    type: str
    now: Callable[[], float] = time.time
    condition: Condition = "starting"
    reason: str = "not asked yet"
    objects: int = 0
    bytes: int = 0
    records: int = 0
    errors: int = 0
    refused: int = 0
    last_error: str | None = None
    last_object: str | None = None
    last_arrival: float | None = None
    lag: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def running(self, reason: str = "") -> None:
        """It works; `reason` says why nothing comes, where nothing does."""
        with self._lock:
            self.condition, self.reason = "running", reason

    def waiting(self, reason: str) -> None:
        """It cannot go on now and tries again; the reason is told and counted as an error."""
        with self._lock:
            self.condition, self.reason = "waiting", reason
            self.errors += 1
            self.last_error = reason

    def failed(self, reason: str) -> None:
        """It has stopped, and somebody must mend something."""
        with self._lock:
            self.condition, self.reason = "failed", reason
            self.errors += 1
            self.last_error = reason

    def done(self, reason: str) -> None:
        """It has fetched all there is, and was to run once."""
        with self._lock:
            self.condition, self.reason = "done", reason

    def refuse(self, reason: str) -> None:
        """Something was not taken from a sender."""
        with self._lock:
            self.refused += 1
            self.last_error = reason

    def error(self, reason: str) -> None:
        """One thing went wrong; the collector goes on."""
        with self._lock:
            self.errors += 1
            self.last_error = reason

    def arrived(self, key: str, size: int, records: int, since: float | None) -> None:
        """An object of `size` bytes is committed; `since` is when it was ready to be fetched."""
        with self._lock:
            if self.condition == "waiting":
                self.condition, self.reason = "running", ""
            self.objects += 1
            self.bytes += size
            self.records += records
            self.last_object = key
            self.last_arrival = self.now()
            if since is not None:
                self.lag = max(0.0, self.last_arrival - since)

    def row(self) -> dict[str, object]:
        """As a row of the state's table `collectors`."""
        with self._lock:
            return {
                "name": self.name,
                "type": self.type,
                "condition": self.condition,
                "reason": self.reason,
                "objects": self.objects,
                "bytes": self.bytes,
                "records": self.records,
                "errors": self.errors,
                "refused": self.refused,
                "last_error": self.last_error,
                "last_object": self.last_object,
                "last_arrival": _moment(self.last_arrival),
                "lag_seconds": self.lag,
                "updated": _moment(self.now()),
            }


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
