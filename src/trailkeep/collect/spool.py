"""Records that senders push in, files on disk that wait for the commit out; what is acknowledged survives power loss.

A segment is JSON lines, one a record: `{"trailkeep": {"protocol": ..., "received": ..., "sender": ..., "batch": ...},
"record": ...}`. The first line of a batch says in `parts` of how many lines it is, and with `again` that its sender may
repeat it under this id: one that a crash cut is dropped whole, for nobody was told that it had come. Many batches share
one fsync.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
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
KNOWN_IDS = 1_000_000
"""Ids of batches that are remembered, besides for how long: about 150 MB of memory."""


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
        self._known = dict.fromkeys(context.kept.received(context.name))
        self._batches: deque[_Batch] = deque()
        self._closed: deque[_Closed | None] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._refusing = False
        self._bytes = 0  # of everything that is not committed
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._folder.glob("*.jsonl")):
            self._recover(path)
        self._threads = [
            threading.Thread(target=target, name=f"{context.name}-{target.__name__}", daemon=True)
            for target in (self._write, self._hand_over)
        ]
        for thread in self._threads:
            thread.start()

    def append(self, records: Sequence[bytes], origin: Origin, batch: str | None = None) -> "Future[bool]":
        """Keep `records` (JSON values, each without line breaks) together; the future ends when they are on disk.

        Its result is False where a batch of this id, `batch`, was kept before. Raises SpoolFull, as the future does;
        the future cannot be cancelled.
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
        first = msgspec.json.encode(said | {"parts": len(records)} | ({} if batch is None else {"again": True}))
        other = msgspec.json.encode(said)
        lines = [
            b'{"trailkeep":' + (other if number else first) + b',"record":' + record + b"}\n"
            for number, record in enumerate(records)
        ]
        waiting = _Batch(lines, batch, Future())
        waiting.stored.set_running_or_notify_cancel()
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
            if batches:
                try:
                    if segment is None and not all(batch.id in self._known for batch in batches):
                        segment = _Segment(self._folder)
                    self._put(segment, batches)
                    self._written()
                except OSError as error:
                    self._refuse(batches, f"the spool cannot be written: {error.strerror}")
            if segment and (ended or segment.broken or segment.is_due(self._segment_bytes, self._segment_seconds)):
                self._close(segment)
                segment = None
            if ended and not batches:
                break
        with self._changed:
            self._closed.append(None)
            self._changed.notify_all()

    def _put(self, segment: "_Segment | None", batches: list[_Batch]) -> None:
        """Write batches that are new, with one fsync, and tell those who wait. Raises OSError: nothing is written.

        There is a segment if any is new.
        """
        fresh, again = [], []
        for batch in batches:
            if batch.id is not None and batch.id in self._known:
                again.append(batch)
            else:
                fresh.append(batch)
                if batch.id is not None:
                    self._known[batch.id] = None
        ids = [batch.id for batch in fresh if batch.id is not None]
        try:
            failpoint("spool.write.before")
            if segment and fresh:
                segment.append([line for batch in fresh for line in batch.lines])
            failpoint("spool.write.after")
        except OSError:
            for each in ids:
                del self._known[each]
            raise
        if segment:
            segment.ids += ids
        while len(self._known) > KNOWN_IDS:
            del self._known[next(iter(self._known))]
        with self._changed:
            self._bytes -= sum(len(line) for batch in again for line in batch.lines)
        for batch in fresh:
            batch.stored.set_result(True)
        for batch in again:  # the first of them is on disk, too
            batch.stored.set_result(False)

    def _written(self) -> None:
        if self._refusing:
            self._refusing = False
            self._context.health.running()

    def _refuse(self, batches: list[_Batch], reason: str) -> None:
        self._refusing = True
        self._context.health.waiting(reason)
        with self._changed:
            self._bytes -= sum(len(line) for batch in batches for line in batch.lines)
        for batch in batches:
            batch.stored.set_exception(SpoolFull(f"{reason}; come again later"))

    def _close(self, segment: "_Segment") -> None:
        try:
            path = segment.close()
        except OSError as error:  # what is good of it is handed over at the next start
            self._context.health.waiting(f"the spool cannot be written: {error.strerror}")
            return
        if path is not None:
            with self._changed:
                self._closed.append(_Closed(self._file(path), tuple(segment.ids), segment.since))
                self._changed.notify_all()

    def _hand_over(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed)
                closed = self._closed.popleft()
            if closed is None:
                return
            if closed.failed:
                self._context.stop.wait(self._context.delay)
            # Where the service ends first, the segment stays on disk for the next start.
            settled = partial(self._settled, closed)
            self._context.deliver(
                Delivery(self._context.name, closed.file, settled, received=closed.ids, since=closed.since)
            )

    def _settled(self, closed: "_Closed", fate: Fate) -> None:
        if fate == "failed":  # it could not be read
            self._context.health.error(f"{closed.file.key}: cannot be read; tried again")
            with self._changed:
                self._closed.appendleft(replace(closed, failed=True))
                self._changed.notify_all()
            return
        try:
            closed.file.path.unlink(missing_ok=True)
        except OSError as error:  # it comes again at the next start, and is found to be stored
            self._context.health.error(f"{closed.file.path}: {error.strerror}")
        with self._changed:
            self._bytes -= closed.file.size

    def _recover(self, path: Path) -> None:
        """A segment that a process left behind: without the batch that a crash cut."""
        ids, whole = _whole_batches(path)
        if whole < path.stat().st_size:
            os.truncate(path, whole)
            sync_file(path)
        if not whole:
            path.unlink()
            return
        self._known.update(dict.fromkeys(ids))
        self._bytes += whole
        self._closed.append(_Closed(self._file(path), tuple(ids), path.stat().st_mtime))

    def _file(self, path: Path) -> LogFile:
        return LogFile(path, f"spool://{self._context.name}/{path.name}", path.stat().st_size)


@dataclass(frozen=True)
class _Closed:
    """A segment for the commit, the ids of batches in it, and when its first came; `failed`: it was tried before."""

    file: LogFile
    ids: tuple[str, ...]
    since: float
    failed: bool = False


class _Segment:
    """A file that is being written. After an error of the disk it is `broken`: nothing more is put into it."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        self._path = folder / f"{time.time_ns():020d}-{uuid4().hex[:8]}.jsonl"
        self._file = self._path.open("xb", buffering=0)
        self._size = 0
        self.ids: list[str] = []
        self.broken = False
        self.opened = time.monotonic()
        self.since = time.time()
        try:
            sync_file(self._path)
        except OSError:
            self._file.close()
            raise

    def append(self, lines: list[bytes]) -> None:
        """Put lines at the end, on disk. Raises OSError: then nothing of them is there once it is closed."""
        data = b"".join(lines)
        try:
            written = 0
            while written < len(data):
                written += self._file.write(memoryview(data)[written:]) or 0
            os.fdatasync(self._file.fileno())
        except OSError:
            self.broken = True
            raise
        self._size += len(data)

    def is_due(self, size: int, seconds: float) -> bool:
        """Whether it is large or old enough to be closed."""
        return self._size >= size or time.monotonic() - self.opened >= seconds

    def close(self) -> Path | None:
        """The closed file, or None where nothing is in it. Raises OSError where what failed cannot be cut off."""
        try:
            if self.broken:
                os.ftruncate(self._file.fileno(), self._size)
                os.fsync(self._file.fileno())
        finally:
            self._file.close()
        if not self._size:
            self._path.unlink()
            return None
        return self._path


class _Said(msgspec.Struct):
    batch: str
    parts: int | None = None
    again: bool = False


_SAID = msgspec.json.Decoder(_Said)
_HEAD = b'{"trailkeep":'
_RECORD = b',"record":'


def _whole_batches(path: Path) -> tuple[list[str], int]:
    """Ids under which batches may come again, of those in a segment that are whole, and the size of all whole ones."""
    ids: list[str] = []
    open_ids: list[str] = []
    size = place = left = 0
    with path.open("rb") as file:
        for line in file:
            said = _said(line)
            if said is None or (said.parts is None) == (left == 0):
                break  # power was lost while this was written
            place += len(line)
            if said.parts is not None:
                left, open_ids = said.parts, [said.batch] if said.again else []
            left -= 1
            if left == 0:
                size = place
                ids += open_ids
    return ids, size


def _said(line: bytes) -> _Said | None:
    """The head of a line that is whole. What a record holds does not matter: JSON has no NUL, which lost pages hold."""
    head, between, _ = line.removeprefix(_HEAD).partition(_RECORD)
    if not (line.startswith(_HEAD) and between and line.endswith(b"}\n")) or b"\0" in line:
        return None
    try:
        return _SAID.decode(head)
    except msgspec.DecodeError:
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
