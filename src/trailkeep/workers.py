"""Jobs in, their results out: done in this process, or spread over several."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Protocol

from trailkeep.core.errors import TrailkeepError


class Runner(Protocol):
    """Does one kind of job; each process has its own."""

    def run(self, *args: Any) -> Any:
        """Do one job."""
        ...


Submit = Callable[..., "Future[Any]"]


@contextmanager
def open_pool(make: Callable[[], Runner], workers: int) -> Iterator[Submit]:
    """A function that has a job's arguments passed to `Runner.run` in one of `workers` processes.

    With one worker that is this process. Raises TrailkeepError when a worker dies.
    """
    if workers == 1:
        runner = make()
        yield lambda *args: _done(runner.run(*args))
        return
    executor = ProcessPoolExecutor(workers, get_context("spawn"), _start, (make, os.getpid()))
    try:
        yield lambda *args: executor.submit(_run, *args)
    except BrokenProcessPool as error:
        raise TrailkeepError(
            "a worker process died (killed, or out of memory); what is committed is safe: run this again"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _done(result: Any) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_result(result)
    return future


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
