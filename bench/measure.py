"""A command in, what its whole process tree cost out: CPU seconds, wall seconds, peak memory.

The command runs under a supervisor of its own (`python -m bench.measure RESULT COMMAND...`), which takes in
orphans (PR_SET_CHILD_SUBREAPER) and waits for every descendant. The kernel adds a process's CPU time to its
parent's when that parent waits for it, so the supervisor's RUSAGE_CHILDREN holds user + system of the tree,
workers killed at exit and grandchildren included, and nothing of the supervisor itself.

Peak memory is the largest sum, over all processes alive at one moment, of their proportional set size (PSS:
shared pages are divided among those who share them), looked at every 50 ms. Reading it costs the kernel
a walk, so it is read only when the cheap sum of resident sizes, which bounds it, exceeds the peak so far.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import psutil

SAMPLE_SECONDS = 0.05
GRACE_SECONDS = 10.0  # how long descendants may outlive the command
_PR_SET_CHILD_SUBREAPER = 36


class BenchError(Exception):
    """A comparison could not be made: a command failed, or the data are not what they should be."""


@dataclass(frozen=True)
class Usage:
    """What a command cost. `left_behind`: descendants that had to be killed after it ended."""

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int
    exit_code: int
    left_behind: int = 0


def measure(command: Sequence[str], stdout: Path | None = None, accept: Sequence[int] = (0,)) -> Usage:
    """Run `command` to its end; its output goes to `stdout`. Raises BenchError unless it ends as accepted."""
    with tempfile.TemporaryDirectory() as folder:
        result, errors = Path(folder) / "usage.json", Path(folder) / "stderr"
        supervisor = [sys.executable, "-m", "bench.measure", str(result), *command]
        with (stdout or Path(os.devnull)).open("wb") as output, errors.open("wb") as error_output:
            done = subprocess.run(supervisor, stdin=subprocess.DEVNULL, stdout=output, stderr=error_output, check=False)
        said = errors.read_text(errors="replace").strip()[-2000:]
        if done.returncode or not result.exists():
            raise BenchError(f"the supervisor of `{' '.join(command)}` failed:\n{said}")
        usage = Usage(**json.loads(result.read_text()))
    if usage.exit_code not in accept:
        raise BenchError(f"`{' '.join(command)}` ended with exit code {usage.exit_code}:\n{said}")
    if usage.left_behind:
        raise BenchError(f"`{' '.join(command)}` left {usage.left_behind} processes running when it ended")
    return usage


def measure_together(commands: Sequence[Sequence[str]]) -> float:
    """Wall seconds from the common start of several commands to the end of the last. Raises BenchError."""
    with ThreadPoolExecutor(len(commands)) as pool:
        return max(usage.wall_seconds for usage in pool.map(measure, commands))


class _MemorySampler(threading.Thread):
    """Looks at all descendants of this process until it is stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._ended = threading.Event()

    def run(self) -> None:
        this = psutil.Process()
        pause = 0.0
        while not self._ended.wait(pause):
            begun = time.monotonic()
            tree = this.children(recursive=True)
            if sum(map(_resident, tree)) > self.peak_bytes:
                self.peak_bytes = max(self.peak_bytes, sum(map(_proportional, tree)))
            # A sampler that takes a tenth of a core or more would slow what it measures.
            pause = max(SAMPLE_SECONDS, 10 * (time.monotonic() - begun))

    def stop(self) -> int:
        self._ended.set()
        self.join()
        return self.peak_bytes


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has just ended
        return 0


def _proportional(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.AccessDenied:
        return _resident(process)
    except (psutil.Error, ProcessLookupError):
        return 0


def _supervise(command: list[str]) -> Usage:
    """Run `command`, wait for it and for all its descendants."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot become the reaper of orphaned processes")
    sampler = _MemorySampler()
    sampler.start()
    begun = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    status = -1
    while status < 0:
        ended, code = os.wait()
        if ended == pid:
            status = code
    wall = time.monotonic() - begun
    left_behind = _reap(time.monotonic() + GRACE_SECONDS)
    peak = sampler.stop()
    used = getrusage(RUSAGE_CHILDREN)
    exit_code = os.waitstatus_to_exitcode(status)
    return Usage(used.ru_utime + used.ru_stime, wall, peak, exit_code, left_behind)


def _reap(deadline: float) -> int:
    """Wait for the descendants that are left; returns how many had to be killed at `deadline`."""
    killed = 0
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return killed
        if ended == 0:
            if time.monotonic() > deadline:
                for process in psutil.Process().children():
                    os.kill(process.pid, signal.SIGKILL)
                    killed += 1
            time.sleep(0.01)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(asdict(_supervise(sys.argv[2:]))))
