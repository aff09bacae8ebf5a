"""Files in, a lake with their events and alerts out, each object exactly once: batches, commits, recovery."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from math import ceil
from uuid import uuid4

import pyarrow as pa

from trailkeep.collect.files import LogFile, shares, split
from trailkeep.core.failpoint import failpoint
from trailkeep.detect.match import Matcher
from trailkeep.judge import judge
from trailkeep.lake.commit import Batch, commit, intend
from trailkeep.lake.entries import ObjectEntry
from trailkeep.lake.home import Home
from trailkeep.lake.ledger import mark_done
from trailkeep.lake.reconcile import reconcile, signals_of
from trailkeep.pipeline import Outcome, Settings, Worker
from trailkeep.workers import Job, open_pool

BATCH_BYTES = 256 << 20
SHARD_BYTES = 64 << 20


@dataclass
class Report:
    """What an ingest did, object by object where it matters."""

    entries: list[ObjectEntry] = field(default_factory=list)
    unrecognised: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    signals: int = 0
    recovered: int = 0

    def total(self, name: str) -> int:
        """Sum of a count (`records`, `stored`, `duplicate`, `quarantined`, `dropped`) over all objects."""
        return sum(getattr(entry, name) for entry in self.entries)

    @property
    def clean(self) -> bool:
        """Whether everything was read and stored, now or before."""
        return not (self.unrecognised or self.failed or self.total("quarantined"))


@dataclass
class _Pending:
    batch_id: str
    shards: list[Job]


def ingest(
    settings: Settings,
    files: list[LogFile],
    workers: int,
    *,
    batch_bytes: int = BATCH_BYTES,
    progress: Callable[[int], None] = lambda files: None,
) -> Report:
    """Store `files`. `progress` is told how many files were dealt with, batch by batch."""
    home, report = settings.home, Report()
    report.recovered = recover(home, settings.matcher)
    with home.writer() as writer, open_pool(partial(Worker, settings), workers) as submit:
        pending: deque[tuple[_Pending, int]] = deque()
        for group in split(files, batch_bytes):
            # As many parts for each worker: also in the last batch, which is small.
            size = sum(file.raw_size for file in group)
            parts = workers * max(1, ceil(size / workers / min(SHARD_BYTES, batch_bytes / 2)))
            pending.append((_begin(home, submit, writer, group, parts), len(group)))
            # The next batch is made while this one commits; more would only cost memory.
            if len(pending) > 1 or workers == 1:
                _finish(settings, report, pending, progress)
        while pending:
            _finish(settings, report, pending, progress)
    return report


def recover(home: Home, matcher: Matcher) -> int:
    """Finish or forget what killed writers left behind; returns how many batches were finished."""
    unalerted = reconcile(home)
    for batch_id in unalerted:
        _alert(home, batch_id, [signals_of(home, batch_id)], matcher)
    return len(unalerted)


def _begin(home: Home, submit: Callable[..., Job], writer: str, files: list[LogFile], parts: int) -> _Pending:
    batch_id = uuid4().hex
    intend(home, batch_id, writer, [file.key for file in files])
    return _Pending(batch_id, [submit(batch_id, number, some) for number, some in enumerate(shares(files, parts))])


def _finish(
    settings: Settings,
    report: Report,
    pending: deque[tuple[_Pending, int]],
    progress: Callable[[int], None],
) -> None:
    waiting, files = pending.popleft()
    # From the last on: the other workers begin with the first.
    outcomes: list[Outcome] = [shard.result() for shard in reversed(waiting.shards)]
    batch = store(settings, waiting.batch_id, outcomes)
    report.signals += sum(map(len, batch.signals))
    report.entries += batch.entries
    for outcome in outcomes:
        report.unrecognised += outcome.unrecognised
        report.failed += outcome.failed
    progress(files)


def store(settings: Settings, batch_id: str, outcomes: list[Outcome]) -> Batch:
    """Commit the shards of a batch and derive its alerts."""
    batch = commit(settings.home, batch_id, [outcome.shard for outcome in outcomes])
    _alert(settings.home, batch_id, batch.signals, settings.matcher)
    return batch


def _alert(home: Home, batch_id: str, signals: list[pa.Table], matcher: Matcher) -> None:
    """Derive the alerts of a committed batch and mark it done, in one transaction."""
    failpoint("alerts.before")
    with home.state.begin() as connection:
        judge(connection, signals, matcher, datetime.now(UTC))
        mark_done(connection, batch_id)
    failpoint("alerts.after")
