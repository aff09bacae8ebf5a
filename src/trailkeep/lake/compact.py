"""A lake of many small files in, the same rows in few large sorted files out, with sightings; safe to kill.

Order of the durable steps, for a few groups of files at a time: merged files -> their sightings -> the
snapshot that swaps them in -> sightings of files that are gone removed. So the sightings of a current file
are there before it is and go after it has gone: a reader that finds a file in them may trust them. Whatever a
crash leaves is a file that no snapshot names, or sightings of no current file; the next run removes both.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from trailkeep.core.durable import sync_file
from trailkeep.core.errors import LakeError
from trailkeep.core.failpoint import failpoint
from trailkeep.lake.expire import expire_snapshots, remove_orphans
from trailkeep.lake.home import Home
from trailkeep.lake.merge import LEVEL, merge
from trailkeep.lake.reconcile import reconcile
from trailkeep.lake.shard import cast
from trailkeep.lake.tables import events_arrow_schema, events_table, sightings_table

PREFIX = "compact-"
TARGET_BYTES = 128 << 20  # of a compressed file
# What bounds the memory of one merge: what is read ahead in all its files, and rows whose keys are compared.
_MAX_AHEAD = 192 << 20
_MAX_ROWS = 2 << 20
_GROUPS_A_COMMIT = 16
# Sightings are sorted by entity and read for one: small row groups let a reader skip nearly all of them.
_SIGHTINGS_ROW_GROUP = 4096


@dataclass
class CompactReport:
    """What a compaction did."""

    merged: int = 0  # files that were replaced
    written: int = 0  # files that replaced them
    rows: int = 0  # rows in these
    expired: int = 0  # snapshots
    removed: int = 0  # files that nothing named any longer


@dataclass(frozen=True)
class _Merged:
    """A file that is to replace others of its partition."""

    path: Path
    sightings: Path
    replaced: list[DataFile]

    @property
    def rows(self) -> int:
        return sum(file.record_count for file in self.replaced)


def compact(
    home: Home,
    clock: Callable[[], datetime],
    *,
    grace: timedelta = timedelta(hours=1),
    target_bytes: int = TARGET_BYTES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CompactReport:
    """Merge small files, expire snapshots and remove files that nothing names, beside running ingests.

    `grace`: how long replaced files and their snapshots stay for those who still read them. `progress` is
    told how many of how many files are merged. Raises LakeError rather than commit a merge that lost a row.
    """
    report = CompactReport()
    with home.only_one("compact"):
        reconcile(home)  # its batches still need their alerts: they stay for the next ingest to derive
        fresh = True
        while groups := list(_groups(current_files(events_table(home)), target_bytes, fresh)):
            total, done = sum(map(len, groups)), 0
            waiting = iter(groups)
            while some := list(islice(waiting, _GROUPS_A_COMMIT)):
                _replace(home, [_merge(home, group) for group in some], report)
                done += sum(map(len, some))
                progress(done, total)
            fresh = False  # what was ingested meanwhile waits for the next run, or this one might never end
        _forget_sightings(home)
        report.expired = expire_snapshots(home, clock() - grace)
        report.removed = remove_orphans(home, clock() - grace)
    return report


def current_files(table: Table) -> list[DataFile]:
    """The data files of the current snapshot, those with deleted rows left out."""
    return [task.file for task in table.scan().plan_files() if not task.delete_files]


def _groups(files: Iterable[DataFile], target: int, fresh: bool) -> Iterator[list[DataFile]]:
    """Files to merge into one: of one partition each, about `target` bytes together.

    Each file that was not compacted yet is in one if `fresh`; of small ones that were, at least two are.
    """
    partitions = defaultdict(list)
    for file in files:
        compacted = Path(file.file_path).name.startswith(PREFIX)
        small = file.file_size_in_bytes < target / 2 and file.record_count < _MAX_ROWS / 2
        if small if compacted else fresh:
            partitions[file.spec_id, str(file.partition)].append(file)
    for _, members in sorted(partitions.items()):
        for group in _packed(sorted(members, key=lambda f: (f.file_size_in_bytes, f.file_path)), target):
            if len(group) > 1 or not Path(group[0].file_path).name.startswith(PREFIX):
                yield sorted(group, key=lambda f: f.file_path)


def _packed(files: list[DataFile], target: int) -> Iterator[list[DataFile]]:
    group: list[DataFile] = []
    limits = (target, _MAX_ROWS, _MAX_AHEAD)
    sums = (0, 0, 0)
    for file in files:
        costs = (file.file_size_in_bytes, file.record_count, _read_ahead(file))
        if group and any(total + cost > limit for total, cost, limit in zip(sums, costs, limits, strict=True)):
            yield group
            group, sums = [], (0, 0, 0)
        group.append(file)
        sums = (sums[0] + costs[0], sums[1] + costs[1], sums[2] + costs[2])
    if group:
        yield group


def _read_ahead(file: DataFile) -> int:
    """Bytes that a file takes in memory while it is merged: its rows of about 2 KB, at most a few pages."""
    return min(file.record_count << 11, 8 << 20)


def _merge(home: Home, group: list[DataFile]) -> _Merged:
    """Write the file that is to replace `group`, and its sightings."""
    first = Path(group[0].file_path)
    name = f"{PREFIX}{uuid4().hex}.parquet"
    merged = _Merged(
        path=first.with_name(name),
        sightings=home.sightings_data / first.parent.relative_to(home.events_data) / name,
        replaced=group,
    )
    failpoint("compact.file.before")
    seen = merge([file.file_path for file in group], merged.path, events_arrow_schema(events_table(home)))
    written = pq.read_metadata(merged.path).num_rows
    if written != merged.rows:
        merged.path.unlink()
        raise LakeError(f"{first.parent}: merging {merged.rows} rows yielded {written}; nothing was changed")
    failpoint("compact.file.after")
    _write_sightings(merged, first.parts[-3].removeprefix("source="), seen, sightings_table(home))
    return merged


def _write_sightings(merged: _Merged, source: str, seen: pa.Table, table: Table) -> None:
    schema = events_arrow_schema(table)
    columns = {
        "source": pa.repeat(pa.scalar(source, schema.field("source").type), len(seen)),
        "file": pa.repeat(pa.scalar(str(merged.path), schema.field("file").type), len(seen)),
    } | {name: seen[name] for name in seen.column_names}
    rows = pa.Table.from_arrays([cast(columns[f.name], f.type) for f in schema], schema=schema)
    merged.sightings.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        rows, merged.sightings, compression="zstd", compression_level=LEVEL, row_group_size=_SIGHTINGS_ROW_GROUP
    )
    sync_file(merged.sightings)


def _replace(home: Home, merged: list[_Merged], report: CompactReport) -> None:
    """Commit merged files in place of what they replace."""
    with home.commit_lock():
        events = events_table(home)
        current = {file.file_path for file in current_files(events)}
        # Retention may have removed a file meanwhile: its group is left for the next run.
        valid = [m for m in merged if all(file.file_path in current for file in m.replaced)]
        if not valid:
            return
        failpoint("compact.sightings.before")
        sightings_table(home).add_files([str(m.sightings) for m in valid], check_duplicate_files=False)
        failpoint("compact.sightings.after")
        failpoint("compact.snapshot.before")
        with events.transaction() as change, change.update_snapshot().overwrite() as swap:
            for m in valid:
                for file in m.replaced:
                    swap.delete_data_file(file)
                swap.append_data_file(parquet_file_to_data_file(events.io, events.metadata, str(m.path)))
        failpoint("compact.snapshot.after")
    report.merged += sum(len(m.replaced) for m in valid)
    report.written += len(valid)
    report.rows += sum(m.rows for m in valid)


def _forget_sightings(home: Home) -> None:
    """Remove the sightings of files that are not current."""
    with home.commit_lock():
        current = {Path(file.file_path).name for file in current_files(events_table(home))}
        table = sightings_table(home)
        stale = [file for file in current_files(table) if Path(file.file_path).name not in current]
        if stale:
            failpoint("compact.forget.before")
            with table.transaction() as change, change.update_snapshot().overwrite() as swap:
                for file in stale:
                    swap.delete_data_file(file)
            failpoint("compact.forget.after")
