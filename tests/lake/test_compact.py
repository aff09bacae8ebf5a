"""Compaction: the same rows in fewer files, true sightings, beside ingests and through kills."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.utils.concurrent import ExecutorFactory

from tests.lake import lakes
from tests.lake.lakes import completes, contents, expected, ingest, killed_at, start
from trailkeep.core.errors import LakeError
from trailkeep.lake import compact as compacting
from trailkeep.lake.compact import CompactReport, compact, current_files
from trailkeep.lake.home import Home, create_home
from trailkeep.lake.reconcile import reconcile
from trailkeep.lake.shard import sort
from trailkeep.lake.tables import events_table, sightings_table

PARTITIONS = 3  # one day of three sources
BATCHES = [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]]


def now() -> datetime:
    return datetime.now(UTC)


def tomorrow() -> datetime:
    return now() + timedelta(days=1)


def run(path: Path) -> None:
    compact(create_home(path), now)


def data_files(home: Home) -> list[Path]:
    return sorted(Path(file.file_path) for file in current_files(events_table(home)))


def stored_sightings(home: Home) -> dict[tuple[str, str], tuple[Any, ...]]:
    rows = sightings_table(home).scan().to_arrow().to_pylist()
    found = {(r["file"], r["entity"]): (r["source"], r["first_time"], r["last_time"], r["count"]) for r in rows}
    assert len(found) == len(rows)
    return found


def true_sightings(home: Home) -> dict[tuple[str, str], tuple[Any, ...]]:
    """What the sightings of the current files must be, worked out event by event."""
    seen: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for path in data_files(home):
        for row in pq.read_table(path, partitioning=None).to_pylist():
            for entity in ["", *(row.get("entities") or [])]:
                seen[str(path), entity].append((row["source"], row["time"]))
    return {
        key: (rows[0][0], min(time for _, time in rows), max(time for _, time in rows), len(rows))
        for key, rows in seen.items()
    }


def check(home: Home, names: str) -> None:
    assert contents(home) == expected(names)
    assert len(data_files(home)) == PARTITIONS
    assert stored_sightings(home) == true_sightings(home)


def test_one_sorted_file_a_partition_with_its_sightings(tmp_path: Path) -> None:
    ingest(tmp_path / "lake", BATCHES)
    home = create_home(tmp_path / "lake")
    before = len(data_files(home))
    steps: list[tuple[int, int]] = []
    report = compact(home, now, progress=lambda done, total: steps.append((done, total)))
    check(home, "abcdefghi")
    assert (report.merged, report.written, report.rows) == (before, PARTITIONS, 9 * lakes.RECORDS)
    assert steps == [(before, before)]
    for path in data_files(home):
        rows = pq.read_table(path, partitioning=None)
        assert rows.equals(sort(rows))
        assert path.name.startswith("compact-")


def test_compacted_files_have_field_ids_and_statistics(tmp_path: Path) -> None:
    ingest(tmp_path / "lake", BATCHES)
    home = create_home(tmp_path / "lake")
    compact(home, now)
    table = events_table(home)
    ids = {field.name: field.field_id for field in table.schema().fields}
    for file in current_files(table):
        schema = pq.read_schema(file.file_path)
        assert {f.name: int(f.metadata[b"PARQUET:field_id"]) for f in schema} == {n: ids[n] for n in schema.names}
        assert ids["time"] in file.lower_bounds
        assert ids["batch_id"] in file.upper_bounds
    named = table.scan(row_filter="event_name = 'CreateUser'").to_arrow()
    assert 0 < len(named) < 9 * lakes.RECORDS


def test_one_thread_looks_at_manifests(tmp_path: Path) -> None:
    """With more, PyIceberg misses files of an overwrite now and then."""
    lakes.ingest(tmp_path, ["a"])
    events_table(create_home(tmp_path))
    assert ExecutorFactory.max_workers() == 1


def test_nothing_to_do_the_second_time(tmp_path: Path) -> None:
    ingest(tmp_path / "lake", BATCHES)
    home = create_home(tmp_path / "lake")
    compact(home, now)
    files, snapshot = data_files(home), events_table(home).current_snapshot()
    assert compact(home, now) == CompactReport()
    assert (data_files(home), events_table(home).current_snapshot()) == (files, snapshot)


def test_later_files_join_a_small_compacted_one(tmp_path: Path) -> None:
    ingest(tmp_path / "lake", BATCHES)
    home = create_home(tmp_path / "lake")
    compact(home, now)
    ingest(tmp_path / "lake", [["x", "y"]])
    compact(home, now)
    check(home, "abcdefghixy")


def test_files_near_the_target_are_compacted_once_and_left_alone(tmp_path: Path) -> None:
    ingest(tmp_path / "lake", BATCHES)
    home = create_home(tmp_path / "lake")
    before = len(data_files(home))
    report = compact(home, now, target_bytes=1)
    assert (report.merged, report.written) == (before, before)
    assert compact(home, now, target_bytes=1) == CompactReport()
    assert stored_sightings(home) == true_sightings(home)


def test_more_files_than_fit_into_memory_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "_read_ahead", lambda file: 1)
    monkeypatch.setattr(compacting, "_MAX_AHEAD", 3)
    ingest(tmp_path / "lake", [[name] for name in "abcdefgh"])
    home = create_home(tmp_path / "lake")
    compact(home, now)
    check(home, "abcdefgh")


def test_more_rows_than_a_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trailkeep.lake.merge.ROW_GROUP", 7)
    monkeypatch.setattr("trailkeep.lake.merge._BATCH", 2)
    ingest(tmp_path / "lake", BATCHES)
    home = create_home(tmp_path / "lake")
    compact(home, now)
    check(home, "abcdefghi")
    for path in data_files(home):
        rows = pq.read_table(path, partitioning=None)
        assert rows.equals(sort(rows))


def test_a_merge_that_lost_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def losing(files: list[str], path: Path, schema: pa.Schema) -> pa.Table:
        return merge(files[1:], path, schema)

    merge = compacting.merge
    ingest(tmp_path / "lake", BATCHES)
    home = create_home(tmp_path / "lake")
    before = data_files(home)
    monkeypatch.setattr(compacting, "merge", losing)
    with pytest.raises(LakeError, match=r"merging \d+ rows yielded \d+; nothing was changed"):
        compact(home, now)
    assert data_files(home) == before


def test_a_group_whose_file_vanished_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def racing(files: list[str], path: Path, schema: pa.Schema) -> pa.Table:
        if not raced:
            raced.append(path)
            events_table(home).delete("source = 'cloud'")
        return merge(files, path, schema)

    raced: list[Path] = []
    merge = compacting.merge
    ingest(tmp_path / "lake", BATCHES)
    home = create_home(tmp_path / "lake")
    monkeypatch.setattr(compacting, "merge", racing)
    compact(home, now)
    assert "cloud" not in events_table(home).scan().to_arrow()["source"].to_pylist()
    assert stored_sightings(home) == true_sightings(home)


STEPS = ("file", "sightings", "snapshot", "forget", "expire", "orphans")


@pytest.mark.parametrize("place", [f"compact.{step}.{side}" for step in STEPS for side in ("before", "after")])
def test_killed_compaction_is_finished_by_the_next(tmp_path: Path, place: str) -> None:
    lake = tmp_path / "lake"
    ingest(lake, BATCHES[:2])
    home = create_home(lake)
    if "forget" in place:  # there are stale sightings only when compacted files are merged again
        compact(home, now)
        ingest(lake, BATCHES[2:])
    killed_at(place, run, lake)
    covered = {file for file, _ in stored_sightings(home)}
    true = true_sightings(home)
    for file in covered & {str(path) for path in data_files(home)}:  # nothing is hidden in between
        ours = {key: row for key, row in stored_sightings(home).items() if key[0] == file}
        assert ours == {key: row for key, row in true.items() if key[0] == file}
    ingest(lake, BATCHES)
    compact(home, now)
    check(home, "abcdefghi")
    compact(home, tomorrow)
    check(home, "abcdefghi")
    assert lakes.files_under(home.events_data) == set(data_files(home))


def test_compaction_beside_an_ingest(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    ingest(lake, BATCHES)
    home = create_home(lake)
    names = [f"n{number}" for number in range(16)]
    appending = start(ingest, lake, [[name] for name in names])
    rounds = 0
    while appending.is_alive() or not rounds:
        compact(home, now)
        rounds += 1
    completes(appending)
    compact(home, now)
    assert contents(home) == expected([*"abcdefghi", *names])
    assert stored_sightings(home) == true_sightings(home)


def test_two_compactions_at_once(tmp_path: Path) -> None:
    ingest(tmp_path / "lake", BATCHES)
    processes = [start(run, tmp_path / "lake") for _ in range(2)]
    for process in processes:
        completes(process)
    check(create_home(tmp_path / "lake"), "abcdefghi")


def test_compaction_finishes_what_a_killed_ingest_committed(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    killed_at("snapshot.after", ingest, lake, [["a", "b"]])
    home = create_home(lake)
    compact(home, tomorrow)
    check(home, "ab")
    assert len(reconcile(home)) == 1  # its alerts are still to be derived
