"""Recovery: a kill at any durable step of an ingest, and the next one ends as if nothing had happened."""

from pathlib import Path

import pytest

from tests.lake.lakes import contents, expected, files_under, finish, ingest, killed_at, make_shard, store
from trailkeep.lake.commit import commit, intend, ledger_path
from trailkeep.lake.home import create_home
from trailkeep.lake.ledger import totals, unfinished
from trailkeep.lake.reconcile import reconcile, signals_of
from trailkeep.lake.tables import events_table

STEPS = ("intent", "file", "ledger_file", "snapshot", "ledger")
BATCHES = [["a", "b", "c"], ["d", "e"]]


@pytest.mark.parametrize("place", [f"{step}.{side}" for step in STEPS for side in ("before", "after")])
def test_killed_and_redone_equals_undisturbed(tmp_path: Path, place: str) -> None:
    lake = tmp_path / "lake"
    ingest(lake, [["z"]])
    # The second passage: the first batch is done, the second is cut off.
    killed_at(f"{place}:{8 if step_of(place) == 'file' else 2}", ingest, lake, BATCHES)
    ingest(lake, BATCHES)
    home = create_home(lake)
    assert contents(home) == expected("zabcde")
    assert totals(home.state)["stored"] == sum(expected("zabcde").values())
    assert unfinished(home.state) == []
    named = {Path(task.file.file_path) for task in events_table(home).scan().plan_files()}
    assert files_under(home.events_data) == named


def step_of(place: str) -> str:
    return place.partition(".")[0]


def test_batch_without_snapshot_is_forgotten_wholly(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    ingest(lake, [["z"]])
    home = create_home(lake)
    before = files_under(home.events_data) | files_under(home.quarantine) | files_under(home.ledgers)
    killed_at("snapshot.before", ingest, lake, [["a", "b"]])
    assert len(unfinished(home.state)) == 1
    assert reconcile(home) == []
    after = files_under(home.events_data) | files_under(home.quarantine) | files_under(home.ledgers)
    assert after == before
    assert unfinished(home.state) == []


def test_batch_with_snapshot_is_finished_and_needs_its_alerts(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    killed_at("snapshot.after", ingest, lake, [["a", "b"]])
    home = create_home(lake)
    (batch_id,) = reconcile(home)
    assert reconcile(home) == [batch_id]  # until somebody has derived its alerts
    assert totals(home.state)["objects"] == 2
    signals = signals_of(home, batch_id)
    assert sorted(signals["event_uid"].to_pylist()) == ["a-11", "b-11"]
    finish(home, batch_id)
    assert reconcile(home) == []


def test_landed_batch_is_known_by_its_rows_when_its_snapshot_has_expired(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    killed_at("snapshot.after", ingest, lake, [["a", "b"]])
    ingest_beside(lake, ["c"])
    home = create_home(lake)
    table = events_table(home)
    table.maintenance.expire_snapshots().by_id(table.snapshots()[0].snapshot_id).commit()
    assert len(reconcile(home)) == 1
    assert contents(home) == expected("abc")


def ingest_beside(lake: Path, names: list[str]) -> None:
    """A commit that leaves other batches as they are."""
    events = events_table(create_home(lake))
    shard = make_shard(create_home(lake), "0", "beside", names)
    events.add_files([file.path for file in shard.files])


def test_batch_without_data_files_is_settled_without_a_snapshot(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    ingest(lake, [["a"]])
    killed_at("ledger.before:1", ingest, lake, [["a"]])
    home = create_home(lake)
    assert len(reconcile(home)) == 1
    assert contents(home) == expected("a")


def test_batch_of_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    home = create_home(tmp_path / "lake")
    with home.writer() as writer:
        intend(home, "x", writer, ["a"])
        shard = make_shard(home, "0", "x", ["a"])
        assert reconcile(home) == []
        assert all(Path(file.path).exists() for file in shard.files)
        commit(home, "x", [shard])
        assert ledger_path(home, "x").exists()
        assert reconcile(home) == []
    assert reconcile(home) == ["x"]


def test_stored_batch_of_a_dead_writer_needs_its_alerts(tmp_path: Path) -> None:
    home = create_home(tmp_path / "lake")
    batch = store(home, "nobody", ["a"])
    assert reconcile(home) == [batch.batch_id]
