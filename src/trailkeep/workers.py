"""Jobs in, their results out: done in this process and, beside it, in others.

This process works too: while it waits for a result it does a job that no other has begun. So two workers cost
one more process, not two, and one worker none.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Protocol

from trailkeep.core.errors import TrailkeepError


class Runner(Protocol):
    """Does one kind of job; each process has its own."""

    def run(self, *args: Any) -> Any:
        """Do one job."""
        ...


@dataclass(eq=False)
class Job:
    """A job and its result, once somebody has done it."""

    arguments: tuple[Any, ...]
    pool: "_Pool"
    elsewhere: Future[Any] | None = None

    @property
    def done(self) -> bool:
        """Whether another process has done it."""
        return self.elsewhere is not None and self.elsewhere.done()

    def result(self) -> Any:
        """The result: waited for, or, where nobody has begun the job, made here."""
        if self.pool.take(self):
            return self.pool.here.run(*self.arguments)
        assert self.elsewhere is not None
        return self.elsewhere.result()


class _Pool:
    """Jobs that nobody has begun; each process gets one when it has done its last.

    The executor could queue them all, but it cannot end cleanly when a process dies after jobs were cancelled.
    """

    def __init__(self, here: Runner, executor: ProcessPoolExecutor | None, idle: int) -> None:
        self.here = here
        self._executor = executor
        self._idle = idle
        self._waiting: deque[Job] = deque()
        self._lock = threading.RLock()  # a callback may come at once, in the thread that adds it

    def submit(self, *arguments: Any) -> Job:
        """A job for whoever is free first."""
        job = Job(arguments, self)
        with self._lock:
            self._waiting.append(job)
            self._hand_out()
        return job

    def take(self, job: Job) -> bool:
        """Whether nobody has begun `job`; nobody else will then."""
        with self._lock:
            if job not in self._waiting:
                return False
            self._waiting.remove(job)
            return True

    def close(self) -> None:
        """Forget what nobody has begun, and wait for the rest."""
        with self._lock:
            self._waiting.clear()
        if self._executor:
            self._executor.shutdown()

    def _hand_out(self) -> None:
        while self._executor and self._idle and self._waiting:
            job = self._waiting.popleft()
            self._idle -= 1
            job.elsewhere = self._executor.submit(_run, *job.arguments)
            job.elsewhere.add_done_callback(self._done)

    def _done(self, future: Future[Any]) -> None:
        if isinstance(future.exception(), BrokenProcessPool):
            return
        with self._lock:
            self._idle += 1
            self._hand_out()


@contextmanager
def open_pool(make: Callable[[], Runner], workers: int) -> Iterator[Callable[..., Job]]:
    """A function that takes a job's arguments for `Runner.run` and gives back the job.

    The other processes begin jobs in their order; call `result` from the last to the first to share the work.
    Raises TrailkeepError when a worker dies.
    """
    executor = None
    if workers > 1:
        executor = ProcessPoolExecutor(workers - 1, get_context("spawn"), _start, (make, os.getpid()))
    pool = _Pool(make(), executor, workers - 1)
    try:
        yield pool.submit
    except BrokenProcessPool as error:
        raise TrailkeepError(
            "a worker process died (killed, or out of memory); what is committed is safe: run this again"
        ) from error
    finally:
        pool.close()


_runner: Runner | None = None


def _start(make: Callable[[], Runner], parent: int) -> None:
    global _runner
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    _runner = make()


def _die_with(parent: int) -> None:
    """A worker whose parent was killed must not go on writing files that nobody will commit."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def _run(*args: Any) -> Any:
    assert _runner is not None
    return _runner.run(*args)
