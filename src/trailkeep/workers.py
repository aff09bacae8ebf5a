"""Shards to make in, outcomes out: in this process, or spread over several."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Protocol

from trailkeep.collect.files import LogFile
from trailkeep.core.errors import TrailkeepError
from trailkeep.pipeline import Outcome, Settings, Worker


class Pool(Protocol):
    """Where shards are made."""

    def submit(self, batch_id: str, number: int, files: list[LogFile]) -> "Future[Outcome]":
        """Ask for a shard; the future yields it."""
        ...


class _Here:
    def __init__(self, settings: Settings) -> None:
        self._worker = Worker(settings)

    def submit(self, batch_id: str, number: int, files: list[LogFile]) -> "Future[Outcome]":
        future: Future[Outcome] = Future()
        future.set_result(self._worker.run(batch_id, number, files))
        return future


class _Spread:
    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def submit(self, batch_id: str, number: int, files: list[LogFile]) -> "Future[Outcome]":
        return self._executor.submit(_run, batch_id, number, files)


@contextmanager
def open_pool(settings: Settings, workers: int) -> Iterator[Pool]:
    """`workers` processes, or this one where one is enough. Raises TrailkeepError when a worker dies."""
    if workers == 1:
        yield _Here(settings)
        return
    executor = ProcessPoolExecutor(workers, get_context("spawn"), _start, (settings, os.getpid()))
    try:
        yield _Spread(executor)
    except BrokenProcessPool as error:
        raise TrailkeepError(
            "a worker process died (killed, or out of memory); what is committed is safe: run the command again"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


_worker: Worker | None = None


def _start(settings: Settings, parent: int) -> None:
    global _worker
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    _worker = Worker(settings)


def _die_with(parent: int) -> None:
    """A worker whose ingest was killed must not go on writing files that nobody will commit."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def _run(batch_id: str, number: int, files: list[LogFile]) -> Outcome:
    assert _worker is not None
    return _worker.run(batch_id, number, files)
