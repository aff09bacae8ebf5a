"""Collectors of a configuration in, a lake that follows them out: batches, commits, care, until somebody says stop.

Collectors run in threads and hand over files; this thread alone commits. What cannot go on waits and says why; nothing
is acknowledged before its commit.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any, ClassVar
from uuid import uuid4

from sqlalchemy.exc import DBAPIError

from trailkeep.alert.deliver import Deliverer
from trailkeep.audit import Watch
from trailkeep.aws import Aws
from trailkeep.baselines import idle, look
from trailkeep.collect.collector import CollectorConfig, Context
from trailkeep.collect.config import CollectConfig
from trailkeep.collect.feed import Delivery, Fate, Feed
from trailkeep.collect.health import Health
from trailkeep.collect.spool import Spool
from trailkeep.core.failpoint import failpoint
from trailkeep.core.periodic import Periodic
from trailkeep.geo.places import Places
from trailkeep.ingest import recover, store
from trailkeep.lake.commit import Batch, intend
from trailkeep.lake.compact import compact
from trailkeep.lake.expire import expire_snapshots
from trailkeep.lake.home import Home
from trailkeep.lake.progress import KeptProgress, Progress, collector_rows, record_health, record_progress
from trailkeep.lake.reconcile import abandon
from trailkeep.pipeline import Settings, Worker

_HEALTH_EVERY = 5.0
_STOP_SECONDS = 20.0  # collectors have as long to hand over what they acknowledged; the rest waits for the next start
_COMMITS_UNTIL_EXPIRY = 20
_GRACE = timedelta(hours=1)  # readers may still use what compaction replaced


@dataclass
class Collected:
    """What a run of `collect` did: sums over all objects, and the collectors that failed."""

    counts: Counter[str] = field(default_factory=Counter)
    """records, stored, duplicate, quarantined, dropped; signals; commits; recovered batches"""
    failed_collectors: list[str] = field(default_factory=list)


class Collection:
    """One run of the configured collectors into one lake."""

    def __init__(
        self,
        settings: Settings,
        config: CollectConfig,
        *,
        once: bool = False,
        only: list[str] | None = None,
        confirmed: bool = False,
        say: Callable[[str], None] = lambda text: None,
        delay: float = 1.0,
        deliverer: Deliverer | None = None,
        places: Places | None = None,
    ) -> None:
        """`only`: names of collectors to run; `delay`: seconds before the first new try of what failed.

        `deliverer`: tells people of the alerts meanwhile, in threads of its own. `places`: says where addresses are,
        to detectors that ask.
        """
        self.stop = threading.Event()
        self.report = Collected()
        self._settings = settings
        self._home = settings.home
        self._config = config
        self._say = say
        self._delay = delay
        self._feed = Feed(limit=int(config.commit.megabytes * 2 * 2**20))
        self._once, self._confirmed = once, confirmed
        self._deliverer = deliverer
        before = {row["name"]: row for row in collector_rows(self._home.state)}
        self._contexts = {
            name: self._context(name, each, before.get(name, {}))
            for name, each in config.collect.items()
            if each.enabled and (only is None or name in only)
        }
        self._watch = Watch(self._home, self._feed, config.silence, self._home.spool / "own", say)
        self._places = places
        self._detectors = Periodic("detectors of what is unusual", config.baselines.every_seconds, self._detect, say)
        self._care: BaseProcess | None = None
        self._since_care = 0

    def _context(self, name: str, collector: CollectorConfig, before: Mapping[str, Any]) -> Context:
        folder = self._home.spool / ("received" if collector.receives else "fetched") / name
        return Context(
            name=name,
            feed=self._feed,
            health=Health(name, collector.type, **_counts(before)),
            aws=Aws(self._config.accounts, self._config.aws_endpoint),
            kept=KeptProgress(self._home.state),
            spool=folder,
            stop=self.stop,
            once=self._once,
            say=self._say,
            spool_limit=self._config.spool_mb << 20,
            confirmed=self._confirmed,
            delay=self._delay,
        )

    def _orphans(self) -> list[Context]:
        """Receivers that run no longer, or under another name, and left what was acknowledged."""
        folders = sorted((self._home.spool / "received").glob("*/*.jsonl"))
        names = dict.fromkeys(path.parent.name for path in folders)
        return [self._context(name, _Gone(type="gone"), {}) for name in names if name not in self._contexts]

    def run(self) -> Collected:
        """Collect until `stop` is set, or until every collector has come to its end."""
        self.report.counts["recovered"] = recover(self._home, self._settings.matcher)
        if why := idle(self._settings.matcher.baselines, self._places):
            self._say(why)
        threads = [
            threading.Thread(target=self._collect, args=(name,), name=name, daemon=True) for name in self._contexts
        ]
        for orphan in self._orphans():
            self._say(f"{orphan.name}: is no receiver that runs now; what it acknowledged is stored first")
            threads.append(threading.Thread(target=_hand_over, args=(orphan,), name=orphan.name, daemon=True))
        if self._deliverer:
            telling = threading.Thread(target=self._deliverer.run, args=(self.stop,), name="alerts", daemon=True)
            telling.start()
        with self._home.writer() as writer:
            worker = Worker(self._settings)
            for thread in threads:
                thread.start()
            told, until = 0.0, float("inf")
            try:
                while True:
                    over = not any(thread.is_alive() for thread in threads)
                    commit = self._config.commit
                    taken = self._feed.take(int(commit.megabytes * 2**20), commit.seconds, 0.2)
                    if taken:
                        self._store(worker, writer, taken)
                        self._feed.done(taken)
                        self._look_after()
                    elif over or time.monotonic() > until:
                        break
                    if self.stop.is_set():
                        until = min(until, time.monotonic() + _STOP_SECONDS)
                    self._watch.look()
                    self._detectors.look()
                    if time.monotonic() - told > _HEALTH_EVERY:
                        self._tell_health()
                        told = time.monotonic()
                if self._once:
                    self._detectors.now()
            finally:
                self.stop.set()
                self._feed.close()
                for thread in threads:
                    thread.join(timeout=30)
                self._tell_health()
                if self._care is not None:
                    self._care.join()
                if self._deliverer:
                    telling.join(timeout=30)
        health = [context.health for context in self._contexts.values()]
        self.report.failed_collectors = [each.name for each in health if each.condition == "failed"]
        return self.report

    def _collect(self, name: str) -> None:
        """Run a collector; one that a fault ended begins again, unless everything is to end anyway."""
        context = self._contexts[name]
        while True:
            try:
                context.health.running()
                self._config.collect[name].run(context)
                return
            except Exception as error:  # noqa: BLE001 one collector's fault must not end the others; it is told
                fault = f"failed: {type(error).__name__}: {error}"
            self._say(f"{name}: {fault}")
            if self._once or not context.wait(fault):
                context.health.failed(fault)
                return

    def _detect(self) -> None:
        late = timedelta(minutes=self._config.baselines.late_minutes)
        again = timedelta(hours=self._config.baselines.again_hours)
        look(self._home, self._settings.matcher.baselines, datetime.now(UTC) - late, self._places, again)

    def _store(self, worker: Worker, writer: str, deliveries: list[Delivery]) -> None:
        """Commit deliveries, however long that takes, and tell each its fate."""
        delay = self._delay
        while True:
            try:
                fates = self._commit(worker, writer, deliveries)
                break
            except (OSError, DBAPIError) as error:
                # The disk is full, a database is locked: nothing is lost, nothing is acknowledged, it is tried again.
                reason = f"the commit waits: {error}"
            except Exception as error:  # noqa: BLE001 a record that nobody thought of must not stop all others
                reason = f"{type(error).__name__}: {error}"
                if len(deliveries) > 1:
                    self._say(f"a batch of {len(deliveries)} objects fails, each is tried alone: {reason}")
                    for each in deliveries:
                        self._store(worker, writer, [each])
                    return
                if delay > 4 * self._delay:
                    fates = self._commit(worker, writer, deliveries, refuse=f"cannot be stored: {reason}")
                    break
            self._say(reason)
            if self.stop.is_set():  # whoever fetched it will do so again, and what was pushed stays in its spool
                fates = {each.file.key: "failed" for each in deliveries if each.file}
                break
            for name in self._contexts.keys() & {each.collector for each in deliveries}:
                self._contexts[name].health.waiting(reason)
            self.stop.wait(delay)
            delay = min(2 * delay, 60 * self._delay)
        failpoint("collect.settle.before")
        for delivery in deliveries:
            delivery.settled(fates.get(delivery.file.key, "stored") if delivery.file else "stored")
        failpoint("collect.settle.after")

    def _commit(
        self, worker: Worker, writer: str, deliveries: list[Delivery], refuse: str | None = None
    ) -> dict[str, Fate]:
        """One batch of all that has data; the fates of those files that are not stored, by key.

        `refuse`: why the files go to the quarantine unread.
        """
        progress = Progress(
            tuple(position for each in deliveries for position in each.positions),
            tuple((each.collector, key) for each in deliveries for key in each.received),
        )
        files = [each.file for each in deliveries if each.file]
        if not files:
            record_progress(self._home.state, progress)
            return {}
        batch_id = uuid4().hex
        try:
            intend(self._home, batch_id, writer, [file.key for file in files], progress)
            outcome = worker.refuse(batch_id, files, refuse) if refuse else worker.run(batch_id, 0, files)
            if outcome.failed:
                raise _UnreadError(dict(outcome.failed))
            batch = store(self._settings, batch_id, [outcome])
        except _UnreadError as error:  # their positions must not move, so they leave the batch
            abandon(self._home, batch_id)
            for key, reason in error.reasons.items():
                self._say(f"{key}: {reason}")
            rest = [each for each in deliveries if not (each.file and each.file.key in error.reasons)]
            fates = self._commit(worker, writer, rest, refuse) if rest else {}
            return fates | dict.fromkeys(error.reasons, "failed")
        except BaseException:
            with suppress(OSError, DBAPIError):  # or the next start does it
                abandon(self._home, batch_id)
            raise
        for entry in batch.entries:
            for name in ("records", "stored", "duplicate", "quarantined", "dropped"):
                self.report.counts[name] += getattr(entry, name)
        self.report.counts["signals"] += sum(map(len, batch.signals))
        self.report.counts["commits"] += 1
        self._since_care += 1
        self._count(batch, deliveries)
        return {}

    def _count(self, batch: Batch, deliveries: list[Delivery]) -> None:
        files = {each.file.key for each in deliveries if each.file}
        records = Counter[str]()
        for entry in batch.entries:
            # An object that is a part of a file, by source or as a member of an archive, has the file's key and more.
            names = (entry.key, entry.key.rpartition("#")[0], entry.key.partition("!")[0])
            records[next((name for name in names if name in files), entry.key)] += entry.records
        for each in deliveries:
            if each.file and each.collector in self._contexts:
                health = self._contexts[each.collector].health
                health.arrived(each.file.key, each.file.size, records[each.file.key], each.since)

    def _tell_health(self) -> None:
        with suppress(DBAPIError):  # a locked database must not end the service; the next time comes soon
            record_health(self._home.state, [context.health.row() for context in self._contexts.values()])

    def _look_after(self) -> None:
        """Expire snapshots now and then, merge small files beside the commits, once there are enough of them.

        Each commit copies the table's metadata many times over, so its snapshots must stay few. The files of those
        that are expired stay for an hour, for readers that still use them.
        """
        if self.report.counts["commits"] % _COMMITS_UNTIL_EXPIRY == 0:
            try:
                expire_snapshots(self._home, datetime.now(UTC))
            except (OSError, DBAPIError) as error:
                self._say(f"snapshots cannot be expired now: {error}")
        if self._care and self._care.exitcode:
            self._say("the care for the lake failed; run `trailkeep compact` to see why")
            self._care = None
        if self._since_care < self._config.commit.maintenance_every or (self._care and self._care.is_alive()):
            return
        self._since_care = 0
        self._care = get_context("spawn").Process(target=_compact, args=(self._home,), daemon=True)
        self._care.start()


class _Gone(CollectorConfig):
    """A receiver of which nobody says any more of what type it is."""

    receives: ClassVar[bool] = True


class _UnreadError(Exception):
    """Files that could not be read from this machine, with the reasons."""

    def __init__(self, reasons: dict[str, str]) -> None:
        self.reasons = reasons
        super().__init__(f"{len(reasons)} files cannot be read")


def _hand_over(context: Context) -> None:
    Spool(context).close()


def _counts(row: Mapping[str, Any]) -> dict[str, Any]:
    """What goes on to be counted from where an earlier run ended."""
    names = ("objects", "bytes", "records", "errors", "refused", "last_object", "last_error")
    return {name: row[name] for name in names if name in row}


def _compact(home: Home) -> None:
    compact(home, lambda: datetime.now(UTC), grace=_GRACE)
