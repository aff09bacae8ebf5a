"""Killed before and after every durable step, then run again: the lake is as if nothing had happened."""

import re
import shutil
import signal
from pathlib import Path

import pytest

import trailkeep
from tests.e2e.picture import Picture, picture, sightings, stray_files
from tests.e2e.program import PROGRAM, WORKERS_ONLY, run, succeed
from tests.e2e.records import document, event_uid, good, packed, record

CALL = re.compile(r'\bfailpoint\("([^"]+)"\)')
# Read from the source, so that a new failpoint is tested without being named here.
NAMES = sorted(
    {name for path in Path(trailkeep.__file__).parent.rglob("*.py") for name in CALL.findall(path.read_text())}
)
COMPACTION = [name for name in NAMES if name.startswith("compact.")]
# Those of the collectors are passed by test_collect_faults.py and tests/collect/test_spool.py, those of the delivery by
# tests/alert/test_deliver_faults.py.
INGEST = [name for name in NAMES if name not in COMPACTION and not name.startswith(("collect.", "spool.", "send."))]
BATCHES = ("--batch-mb", "0.6")


def test_every_durable_step_is_between_two_failpoints() -> None:
    steps = {name.rpartition(".")[0] for name in NAMES}
    assert set(NAMES) == {f"{step}.{side}" for step in steps for side in ("before", "after")}
    assert {"intent", "file", "ledger_file", "snapshot", "ledger", "alerts"} <= steps


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("name", INGEST)
def test_killed_ingest(logs: Path, undisturbed: Picture, tmp_path: Path, name: str, workers: str) -> None:
    lake = tmp_path / "lake"
    command = ("ingest", logs, "--home", lake, "--workers", workers, *BATCHES)
    in_worker = workers == "2" and name.startswith("file.")
    # The third passage: some of the ingest is committed, some under way, some not begun.
    killed = run(*command, failpoint=f"{name}:3", program=WORKERS_ONLY if in_worker else PROGRAM)
    if in_worker:
        assert killed.returncode == 1
        assert "a worker process died" in killed.stderr
    else:
        assert killed.returncode == -signal.SIGKILL
    again = run(*command)
    assert again.returncode == 1, again.stderr  # there is something in quarantine
    assert picture(lake) == undisturbed
    assert stray_files(lake) == set()


COMPACT = ("compact", "--grace-minutes", "0", "--home")


class Fragmented:
    """A lake of many files, part of them compacted before, that can be put back. Its path must stay the same."""

    def __init__(self, logs: Path, folder: Path) -> None:
        self.lake, self._copy = folder / "lake", folder / "copy"
        files = sorted(logs.rglob("*.json.gz"))
        run("ingest", *files[: len(files) // 2], "--home", self.lake, *BATCHES)
        succeed(*COMPACT, self.lake)
        run("ingest", logs, "--home", self.lake, *BATCHES)
        shutil.copytree(self.lake, self._copy)
        self.before = picture(self.lake)
        succeed(*COMPACT, self.lake)
        self.sightings = sightings(self.lake)

    def put_back(self) -> Path:
        shutil.rmtree(self.lake)
        shutil.copytree(self._copy, self.lake)
        return self.lake


@pytest.fixture(scope="session")
def fragmented(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Fragmented:
    return Fragmented(logs, tmp_path_factory.mktemp("fragmented"))


@pytest.mark.parametrize("name", COMPACTION)
def test_killed_compaction(fragmented: Fragmented, undisturbed: Picture, name: str) -> None:
    assert fragmented.before == undisturbed
    assert len(fragmented.sightings) > 100
    lake = fragmented.put_back()
    assert run(*COMPACT, lake, failpoint=name).returncode == -signal.SIGKILL
    assert picture(lake) == undisturbed
    succeed(*COMPACT, lake)
    assert picture(lake) == undisturbed
    assert sightings(lake) == fragmented.sightings
    assert stray_files(lake) == set()


@pytest.mark.parametrize("name", ["file.after", "snapshot.before", "snapshot.after", "ledger.after", "alerts.after"])
def test_killed_retry(tmp_path: Path, name: str) -> None:
    lake, bomb = tmp_path / "lake", tmp_path / "bomb.json.gz"
    bomb.write_bytes(packed(document(*good(3), record(3, userAgent="A" * (2 << 20)))))
    assert run("ingest", bomb, "--home", lake, "--limit-mb", "1").returncode == 1
    assert run("quarantine", "retry", "--home", lake, failpoint=name).returncode == -signal.SIGKILL
    succeed("quarantine", "retry", "--home", lake)
    found = picture(lake)
    assert {uid: count for (uid, _), count in found.events.items()} == {event_uid(n): 1 for n in range(4)}
    assert found.totals == {"objects": 1, "records": 4, "stored": 4, "duplicate": 0, "quarantined": 0, "dropped": 0}
    assert not found.quarantine
    assert stray_files(lake) == set()
