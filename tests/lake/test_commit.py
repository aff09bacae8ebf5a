"""Commits: each content once, entries that add up, whoever else commits at the same time."""

from hashlib import sha256
from pathlib import Path

from tests.lake.lakes import (
    RECORDS,
    completes,
    contents,
    digest,
    expected,
    finish,
    ingest,
    killed_at,
    make_shard,
    start,
    store,
)
from trailkeep.lake.commit import BATCH_ID, LEDGER_DIGEST, SEAL_ROOT, commit, intend, ledger_path, read_ledger
from trailkeep.lake.home import create_home
from trailkeep.lake.ledger import totals, unfinished
from trailkeep.lake.tables import events_table


def test_entries_and_totals_add_up(tmp_path: Path) -> None:
    home = create_home(tmp_path / "lake")
    batch = store(home, "w", ["a", "b", "c"])
    assert [(entry.key, entry.stored) for entry in batch.entries] == [(key, RECORDS) for key in "abc"]
    assert totals(home.state) == {
        "objects": 3,
        "records": 3 * RECORDS,
        "stored": 3 * RECORDS,
        "duplicate": 0,
        "quarantined": 0,
        "dropped": 0,
    }
    assert contents(home) == expected("abc")
    assert sum(len(table) for table in batch.signals) == 3


def test_snapshot_names_batch_ledger_and_seal(tmp_path: Path) -> None:
    home = create_home(tmp_path / "lake")
    batch = store(home, "w", ["a", "b"])
    snapshot = events_table(home).current_snapshot()
    assert snapshot is not None and snapshot.summary is not None
    ledger = read_ledger(home, batch.batch_id)
    assert ledger is not None
    assert snapshot.summary[BATCH_ID] == batch.batch_id
    written = ledger_path(home, batch.batch_id).read_bytes()
    assert snapshot.summary[LEDGER_DIGEST] == sha256(written).hexdigest()
    assert snapshot.summary[SEAL_ROOT] == ledger["seal_root"]


def test_state_of_a_batch(tmp_path: Path) -> None:
    home = create_home(tmp_path / "lake")
    intend(home, "x", "w", ["a"])
    assert unfinished(home.state) == [("x", "open", "w")]
    commit(home, "x", [make_shard(home, "0", "x", ["a"])])
    assert unfinished(home.state) == [("x", "stored", "w")]
    finish(home, "x")
    assert unfinished(home.state) == []


def test_the_same_content_in_two_shards_is_stored_once(tmp_path: Path) -> None:
    home = create_home(tmp_path / "lake")
    intend(home, "x", "w", [])
    shards = [make_shard(home, str(n), "x", names) for n, names in enumerate((["a", "b"], ["b", "c"], ["c"]))]
    batch = commit(home, "x", shards)
    assert contents(home) == expected("abc")
    assert [entry.duplicate for entry in batch.entries] == [0, 0, RECORDS, 0, RECORDS]
    assert sum(len(table) for table in batch.signals) == 3
    ledger = read_ledger(home, "x")
    assert ledger is not None
    assert {Path(file) for file in ledger["files"]} == set(home.events_data.rglob("*.parquet"))


def test_content_that_another_writer_stored_meanwhile(tmp_path: Path) -> None:
    home = create_home(tmp_path / "lake")
    intend(home, "x", "w", [])
    slow = make_shard(home, "0", "x", ["a", "b"])
    store(home, "other", ["b", "c"])
    batch = commit(home, "x", [slow])
    assert {entry.key: entry.duplicate for entry in batch.entries} == {"a": 0, "b": RECORDS}
    assert contents(home) == expected("abc")


def test_batch_of_duplicates_only_makes_no_snapshot(tmp_path: Path) -> None:
    home = create_home(tmp_path / "lake")
    store(home, "w", ["a", "b"])
    before = events_table(home).current_snapshot()
    batch = store(home, "w", ["a", "b"])
    assert events_table(home).current_snapshot() == before
    assert sum(entry.duplicate for entry in batch.entries) == 2 * RECORDS


def test_content_of_a_committer_that_died_after_its_snapshot(tmp_path: Path) -> None:
    """A writer that runs since before the crash never reconciles, and still must not store it again."""
    home = create_home(tmp_path / "lake")
    with home.writer() as writer:
        intend(home, "mine", writer, [])
        shard = make_shard(home, "0", "mine", ["a", "b"])
        killed_at("snapshot.after", ingest, tmp_path / "lake", [["b", "c"]])
        commit(home, "mine", [shard])
    assert contents(home) == expected("abc")
    ingest(tmp_path / "lake", [["a", "b", "c"]])
    assert contents(home) == expected("abc")


def test_two_processes_at_once_store_each_object_once(tmp_path: Path) -> None:
    names = [f"o{n}" for n in range(12)]
    forwards = [names[n : n + 3] for n in range(0, 12, 3)]
    backwards = [names[n : n + 4] for n in range(8, -1, -4)]
    processes = [start(ingest, tmp_path / "lake", batches) for batches in (forwards, backwards)]
    for process in processes:
        completes(process)
    home = create_home(tmp_path / "lake")
    assert contents(home) == expected(names)
    sums = totals(home.state)
    assert (sums["objects"], sums["stored"]) == (12, 12 * RECORDS)


def test_lake_in_a_folder_with_odd_characters(tmp_path: Path) -> None:
    path = tmp_path / "my lake %20 #1"
    ingest(path, [["a", "b"]])
    assert contents(create_home(path)) == expected("ab")
    assert [folder.name for folder in tmp_path.iterdir()] == [path.name]
    assert digest("a") in (path / "ledger").glob("*.json").__next__().read_text()
