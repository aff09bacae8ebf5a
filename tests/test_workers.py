"""Jobs over several processes: shared, in order, and a dead worker is said so at once."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from trailkeep.core.errors import InputError, TrailkeepError
from trailkeep.workers import open_pool


class Echo:
    """Does what the job says, and tells which process did it."""

    def run(self, number: int, wait: float = 0.0, fate: str = "") -> tuple[int, int]:
        time.sleep(wait)
        if fate == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if fate == "bad":
            raise InputError("cannot be read")
        return number, os.getpid()


class NeverStarts:
    def __init__(self, parent: int) -> None:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    def run(self, number: int) -> int:
        return number


def test_one_worker_is_this_process() -> None:
    with open_pool(Echo, 1) as submit:
        jobs = [submit(number) for number in range(3)]
        assert [job.result() for job in jobs] == [(number, os.getpid()) for number in range(3)]


@pytest.mark.parametrize("workers", [2, 3])
def test_each_job_is_done_once_and_the_work_is_shared(workers: int) -> None:
    with open_pool(Echo, workers) as submit:
        jobs = [submit(number, 0.2) for number in range(20)]
        done = [job.result() for job in reversed(jobs)]
    assert [number for number, _ in done] == list(reversed(range(20)))
    assert len({process for _, process in done}) == workers


def test_an_error_in_a_worker_arrives_here() -> None:
    with pytest.raises(InputError, match="cannot be read"), open_pool(Echo, 2) as submit:
        submit(0, 0.0, "bad").result()


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_a_dead_worker_is_a_clear_error(workers: int, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        pytest.raises(TrailkeepError, match=r"a worker process died.*run this again"),
        open_pool(Echo, workers) as submit,
    ):
        # The first job goes to another process; this one does the last ones meanwhile.
        jobs = [submit(0, 0.0, "killed"), *(submit(number, 0.1) for number in range(1, 12))]
        for job in reversed(jobs):
            job.result()
    assert "Traceback" not in capfd.readouterr().err


def test_a_worker_that_cannot_start_is_a_clear_error() -> None:
    with (
        pytest.raises(TrailkeepError, match="a worker process died"),
        open_pool(partial(NeverStarts, os.getpid()), 2) as submit,
    ):
        submit(0).result()


class Marks:
    """Leaves a file for each job that it begins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, number: int, wait: float = 0.0) -> None:
        (self._folder / str(number)).touch()
        time.sleep(wait)
        if number == 0:
            raise InputError("cannot be read")


def test_what_nobody_has_begun_is_forgotten_when_something_fails(tmp_path: Path) -> None:
    with pytest.raises(InputError), open_pool(partial(Marks, tmp_path), 2) as submit:
        jobs = [submit(number, 1.0 if number else 0.0) for number in range(20)]
        jobs[0].result()
    begun = {int(path.name) for path in tmp_path.iterdir()}
    assert 0 in begun and len(begun) < 20
