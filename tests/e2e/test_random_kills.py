"""One ingest, killed with all its processes at fifty random moments, ends as if it had never been disturbed."""

import random
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from bench.generator import generate
from tests.e2e.picture import picture, stray_files
from tests.e2e.program import kill_group, start, succeed

KILLS = 50
AFTER_THE_FIRST_BATCH = 40
SEED = 20_261_118
EVENTS, FILES = 3000, 600
BATCH_MB = "0.09"  # three files, about fifteen events: two hundred batches
START_UP, BATCH = 1.5, 0.3  # seconds, about


@pytest.fixture(scope="module")
def many_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    generate(folder, EVENTS, files=FILES, seed=3, days=4)
    return folder / "AWSLogs"


def batches(lake: Path) -> dict[str, str]:
    """Batch -> open, stored or done, as the state database has it at this moment."""
    try:
        with closing(sqlite3.connect(f"file:{lake}/state.db?mode=ro", uri=True)) as state:
            return dict(state.execute("SELECT batch_id, state FROM batches"))
    except sqlite3.OperationalError:  # it is being made
        return {}


def committed(found: dict[str, str]) -> set[str]:
    return {batch_id for batch_id, state in found.items() if state != "open"}


def let_it_work(process: "subprocess.Popen[str]", lake: Path, rng: random.Random) -> None:
    """Wait for a random moment: in the start-up, or while any of the next few batches is made."""
    if rng.random() < 0.1:
        time.sleep(rng.uniform(0, START_UP))
        return
    before = set(batches(lake))
    wanted = rng.choice((0, 0, 1, 2))
    while process.poll() is None:
        found = batches(lake)
        fresh = found.keys() - before
        if fresh and len(committed(found) & fresh) >= wanted:
            time.sleep(rng.uniform(0, BATCH))
            return
        time.sleep(0.005)


def test_fifty_kills(many_files: Path, tmp_path: Path) -> None:
    undisturbed, lake = tmp_path / "undisturbed", tmp_path / "lake"
    succeed("ingest", many_files, "--home", undisturbed, "--workers", "1")
    rng = random.Random(SEED)
    after_the_first = 0
    for number in range(KILLS):
        workers = rng.choice("12")
        process = start("ingest", many_files, "--home", lake, "--workers", workers, "--batch-mb", BATCH_MB)
        let_it_work(process, lake, rng)
        assert process.poll() is None, f"ended before kill {number}: {process.communicate()}: more data is needed"
        kill_group(process)
        after_the_first += bool(committed(batches(lake)))
    assert after_the_first >= AFTER_THE_FIRST_BATCH
    done = succeed("ingest", many_files, "--home", lake, "--workers", "2", "--batch-mb", BATCH_MB)
    assert f"{FILES} files, {EVENTS:,} records: " in done.stdout
    assert picture(lake) == picture(undisturbed)
    assert stray_files(lake) == set()
