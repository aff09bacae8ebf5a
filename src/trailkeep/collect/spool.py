"""Records that senders push in, files on disk that wait for the commit out; what is acknowledged survives power loss.

A segment is JSON lines, one a record: `{"trailkeep": {"protocol": ..., "received": ..., "sender": ..., "batch": ...},
"record": ...}`. The first line of a batch says in `parts` of how many lines it is: one that a crash cut is dropped
whole, for nobody was told that it had come. Many batches share one fsync.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from trailkeep.collect.collector import Context
from trailkeep.collect.feed import Delivery, Fate
from trailkeep.collect.files import LogFile
from trailkeep.core.durable import sync_file
from trailkeep.core.errors import TrailkeepError
from trailkeep.core.failpoint import failpoint

SEGMENT_BYTES = 16 << 20
SEGMENT_SECONDS = 1.0


class SpoolFull(TrailkeepError):
    """There is no room for more: the sender must come again later."""


@dataclass(frozen=True)
class Origin:
    """Where records come from: the protocol they came by, and who sent them; `marks` say what is odd about them."""

    protocol: str
    sender: str
    marks: tuple[str, ...] = ()


@dataclass
class _Batch:
    lines: list[bytes]
    id: str | None
    stored: "Future[bool]"


class Spool:
    """The spool of one receiver. Threads append; one thread writes; another hands closed segments to the commit."""

    def __init__(
        self, context: Context, segment_bytes: int = SEGMENT_BYTES, segment_seconds: float = SEGMENT_SECONDS
    ) -> None:
        self._context = context
        self._folder = context.spool
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._known = context.kept.received(context.name)
        self._batches: deque[_Batch] = deque()
        self._closed: deque[tuple[LogFile, tuple[str, ...], float]] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._bytes = 0  # of everything that is not committed
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._folder.iterdir()):
            self._recover(path)
        self._threads = [
            threading.Thread(target=target, name=f"{context.name}-{target.__name__}", daemon=True)
            for target in (self._write, self._hand_over)
        ]
        for thread in self._threads:
            thread.start()

    def append(self, records: Sequence[bytes], origin: Origin, batch: str | None = None) -> "Future[bool]":
        """Keep `records` (JSON values, each without line breaks) together; the future ends when they are on disk.

        Its result is False where a batch of this id, `batch`, was kept before. Raises SpoolFull, as the future does.
        """
        if self._bytes >= self._context.spool_limit:
            raise SpoolFull(f"{self._bytes:,} bytes wait to be committed; come again later")
        said: dict[str, Any] = {
            "protocol": origin.protocol,
            "received": _now(),
            "sender": origin.sender,
            "batch": batch or uuid4().hex,
        }
        if origin.marks:
            said["marks"] = origin.marks
        first = msgspec.json.encode(said | {"parts": len(records)})
        other = msgspec.json.encode(said)
        lines = [
            b'{"trailkeep":' + (other if number else first) + b',"record":' + record + b"}\n"
            for number, record in enumerate(records)
        ]
        waiting = _Batch(lines, batch, Future())
        with self._changed:
            if self._ended:
                raise SpoolFull("the receiver stops; come again later")
            self._batches.append(waiting)
            self._bytes += sum(map(len, lines))
            self._changed.notify_all()
        return waiting.stored

    def close(self) -> None:
        """Write what waits, close the segment and hand it over where the commit still takes it."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def full(self) -> bool:
        """Whether there is no room: a receiver that can make its senders wait should."""
        return self._bytes >= self._context.spool_limit

    def _write(self) -> None:
        segment: _Segment | None = None
        while True:
            with self._changed:
                due = segment.opened + self._segment_seconds - time.monotonic() if segment else None
                self._changed.wait_for(lambda: self._batches or self._ended, timeout=due)
                batches, ended = list(self._batches), self._ended
                self._batches.clear()
            try:
                if batches:
                    segment = segment or _Segment(self._folder)
                    self._put(segment, batches)
                if segment and (ended or segment.is_due(self._segment_bytes, self._segment_seconds)):
                    closing, segment = segment, None
                    self._close(closing)
            except OSError as error:
                self._refuse(batches, f"the disk: {error.strerror}")
            if ended and not batches:
                break
        with self._changed:
            self._closed.append(_END)
            self._changed.notify_all()

    def _put(self, segment: "_Segment", batches: list[_Batch]) -> None:
        """Write batches that are new, with one fsync, and tell those who wait."""
        fresh, again = [], []
        for batch in batches:
            if batch.id is not None and batch.id in self._known:
                again.append(batch)
            else:
                fresh.append(batch)
                if batch.id is not None:
                    self._known.add(batch.id)
        try:
            failpoint("spool.write.before")
            segment.append([line for batch in fresh for line in batch.lines])
            failpoint("spool.write.after")
        except OSError as error:
            self._known.difference_update(batch.id for batch in fresh if batch.id is not None)
            segment.cut()
            self._refuse(batches, f"the disk: {error.strerror}")
            return
        for batch in again:  # now the first of them is on disk, too
            with self._changed:
                self._bytes -= sum(map(len, batch.lines))
            batch.stored.set_result(False)
        segment.ids += [batch.id for batch in fresh if batch.id is not None]
        for batch in fresh:
            batch.stored.set_result(True)

    def _refuse(self, batches: list[_Batch], reason: str) -> None:
        self._context.health.waiting(reason)
        for batch in batches:
            if not batch.stored.done():
                with self._changed:
                    self._bytes -= sum(map(len, batch.lines))
                batch.stored.set_exception(SpoolFull(f"{reason}; come again later"))

    def _close(self, segment: "_Segment") -> None:
        path = segment.close()
        if path is not None:
            with self._changed:
                self._closed.append((self._file(path), tuple(segment.ids), segment.since))
                self._changed.notify_all()

    def _hand_over(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed)
                file, ids, since = self._closed.popleft()
            if file is None:
                return

            def settled(fate: Fate, file: LogFile = file) -> None:
                if fate != "failed":
                    file.path.unlink(missing_ok=True)
                    with self._changed:
                        self._bytes -= file.size

            # Where the service ends first, the segment stays on disk for the next start.
            self._context.deliver(Delivery(self._context.name, file, settled, received=ids, since=since))

    def _recover(self, path: Path) -> None:
        """A segment that a process left behind: without the batch that a crash cut."""
        ids, whole = _whole_batches(path)
        if whole < path.stat().st_size:
            os.truncate(path, whole)
        if not whole:
            path.unlink()
            return
        closed = path.with_suffix(".jsonl")
        path.replace(closed)
        sync_file(closed)
        self._known.update(ids)
        self._bytes += whole
        self._closed.append((self._file(closed), tuple(ids), closed.stat().st_mtime))

    def _file(self, path: Path) -> LogFile:
        return LogFile(path, f"spool://{self._context.name}/{path.name}", path.stat().st_size)


_END: tuple[LogFile, tuple[str, ...], float] = (None, (), 0.0)  # type: ignore[assignment]


class _Segment:
    """A file that is being written."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{time.time_ns():020d}-{uuid4().hex[:8]}.open"
        self._file = self._path.open("xb", buffering=0)
        self._size = 0
        self.ids: list[str] = []
        self.opened = time.monotonic()
        self.since = time.time()
        sync_file(self._path)

    def append(self, lines: list[bytes]) -> None:
        """Put lines at the end, on disk. Raises OSError; `cut` then takes away what was written of them."""
        data = b"".join(lines)
        written = 0
        while written < len(data):
            written += self._file.write(memoryview(data)[written:]) or 0
        os.fdatasync(self._file.fileno())
        self._size += len(data)

    def cut(self) -> None:
        """Take away what an append that failed has written."""
        with suppress(OSError):
            self._file.truncate(self._size)
            self._file.seek(self._size)

    def is_due(self, size: int, seconds: float) -> bool:
        """Whether it is large or old enough to be closed."""
        return self._size >= size or time.monotonic() - self.opened >= seconds

    def close(self) -> Path | None:
        """The closed file, or None where nothing is in it."""
        self._file.close()
        if not self._size:
            self._path.unlink()
            return None
        closed = self._path.with_suffix(".jsonl")
        self._path.replace(closed)
        sync_file(closed)
        return closed


class _Said(msgspec.Struct):
    batch: str
    parts: int | None = None


class _Line(msgspec.Struct):
    trailkeep: _Said


_LINE = msgspec.json.Decoder(_Line)


def _whole_batches(path: Path) -> tuple[list[str], int]:
    """Ids of the batches in a segment that are whole, and the size of these batches together."""
    ids: list[str] = []
    size = place = left = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            place += len(line)
            try:
                said = _LINE.decode(line).trailkeep
            except msgspec.DecodeError:
                break  # power was lost while this was written
            if said.parts is not None:
                ids.append(said.batch)
                left = said.parts
            left -= 1
            if left == 0:
                size = place
    return (ids if left == 0 else ids[:-1]), size


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
