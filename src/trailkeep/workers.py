"""Jobs in, their results out: done in this process and, beside it, in others.

This process works too: while it waits for a result it does a job that no other has begun. So two workers cost
one more process, not two, and one worker none.
"""

import os
import threading
import time
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


@dataclass
class Job:
    """A job and its result, once somebody has done it."""

    arguments: tuple[Any, ...]
    elsewhere: Future[Any] | None
    here: Callable[..., Any]

    def result(self) -> Any:
        """The result: waited for, or, where nobody has begun the job, made here."""
        if self.elsewhere is None or self.elsewhere.cancel():
            return self.here(*self.arguments)
        return self.elsewhere.result()


@contextmanager
def open_pool(make: Callable[[], Runner], workers: int) -> Iterator[Callable[..., Job]]:
    """A function that takes a job's arguments for `Runner.run` and gives back the job.

    The other processes begin jobs in their order; call `result` from the last to the first to share the work.
    Raises TrailkeepError when a worker dies.
    """
    here = make()
    if workers == 1:
        yield lambda *arguments: Job(arguments, None, here.run)
        return
    executor = ProcessPoolExecutor(workers - 1, get_context("spawn"), _start, (make, os.getpid()))
    try:
        yield lambda *arguments: Job(arguments, executor.submit(_run, *arguments), here.run)
    except BrokenProcessPool as error:
        raise TrailkeepError(
            "a worker process died (killed, or out of memory); what is committed is safe: run this again"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


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
