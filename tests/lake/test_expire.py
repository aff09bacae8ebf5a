"""Expiry: what somebody may still need stays, everything else goes after the grace period."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.lake.lakes import contents, expected, files_under, ingest, make_shard, store
from trailkeep.lake.commit import BATCH_ID, intend, write_ledger
from trailkeep.lake.compact import compact
from trailkeep.lake.expire import expire_snapshots, remove_orphans
from trailkeep.lake.home import Home, create_home
from trailkeep.lake.tables import events_table

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=2)
LONG_AGO = (NOW - timedelta(days=1)).timestamp()


def batches_of_snapshots(home: Home) -> list[str]:
    return [str(s.summary[BATCH_ID]) for s in events_table(home).snapshots() if s.summary is not None]


def old_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{}")
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def test_only_the_last_snapshot_stays(tmp_path: Path) -> None:
    ingest(tmp_path / "lake", [["a"], ["b"], ["c"]])
    home = create_home(tmp_path / "lake")
    last = batches_of_snapshots(home)[-1]
    assert expire_snapshots(home, NOW - timedelta(hours=1)) == 0
    assert expire_snapshots(home, LATER) == 2
    assert batches_of_snapshots(home) == [last]
    assert contents(home) == expected("abc")


def test_snapshot_of_an_unfinished_batch_stays(tmp_path: Path) -> None:
    home = create_home(tmp_path / "lake")
    ingest(tmp_path / "lake", [["a"]])
    with home.writer() as writer:
        batch = store(home, writer, ["b"])
        ingest(tmp_path / "lake", [["c"], ["d"]])
        expire_snapshots(home, LATER)
        assert batches_of_snapshots(home)[0] == batch.batch_id
        assert len(batches_of_snapshots(home)) == 2


def test_replaced_files_stay_for_the_grace_period(tmp_path: Path) -> None:
    ingest(tmp_path / "lake", [["a", "b"], ["c", "d"]])
    home = create_home(tmp_path / "lake")
    before = files_under(home.events_data)
    compact(home, lambda: datetime.now(UTC))
    assert before < files_under(home.events_data)
    report = compact(home, lambda: LATER)
    named = {Path(task.file.file_path) for task in events_table(home).scan().plan_files()}
    assert files_under(home.events_data) == named
    assert (report.expired, report.removed > len(before)) == (2, True)
    assert contents(home) == expected("abcd")
    ingest(tmp_path / "lake", [["e"]])  # the catalog still finds all that it needs
    assert contents(home) == expected("abcde")


def test_orphans_of_every_kind_go_and_young_ones_stay(tmp_path: Path) -> None:
    ingest(tmp_path / "lake", [["a", "b"]])
    home = create_home(tmp_path / "lake")
    kept = files_under(home.path)
    folder = home.events_data / "source=cloud" / "day=2024-03-01"
    old = [
        old_file(folder / "0000-000.parquet"),
        old_file(folder / "compact-0000.parquet"),
        old_file(home.sightings_data / "source=cloud" / "day=2024-03-01" / "compact-0000.parquet"),
        old_file(Path(events_table(home).location()) / "metadata" / "0000-m0.avro"),
        old_file(home.quarantine / "0000-000.bin"),
    ]
    young = folder / "1111-000.parquet"
    young.write_bytes(b"")
    assert remove_orphans(home, NOW - timedelta(hours=1)) == len(old)
    assert not any(path.exists() for path in old)
    assert {path for path in kept | {young} if not path.exists()} == set()


def test_files_of_an_unfinished_batch_stay_however_old(tmp_path: Path) -> None:
    home = create_home(tmp_path / "lake")
    intend(home, "slow", "w", ["a"])
    make_shard(home, "0", "slow", ["a"])
    files = files_under(home.events_data) | files_under(home.quarantine)
    for path in files:
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert remove_orphans(home, NOW) == 0
    assert all(path.exists() for path in files)


def test_ledger_files(tmp_path: Path) -> None:
    """Those of done batches stay, those of forgotten ones go, and what the state lost sight of stays."""
    ingest(tmp_path / "lake", [["a"]])
    home = create_home(tmp_path / "lake")
    (done,) = home.ledgers.iterdir()
    os.utime(done, (LONG_AGO, LONG_AGO))
    write_ledger(home, "0000", {"files": ["gone.parquet"]})
    forgotten = old_file(home.ledgers / "1111.json")
    forgotten.write_bytes((home.ledgers / "0000.json").read_bytes())
    os.utime(forgotten, (LONG_AGO, LONG_AGO))
    assert remove_orphans(home, NOW - timedelta(hours=1)) == 1
    assert {path.name for path in home.ledgers.iterdir()} == {done.name, "0000.json"}
    for path in home.path.glob("state.db*"):
        path.unlink()
    remove_orphans(Home(home.path), NOW - timedelta(hours=1))
    assert done.exists()
