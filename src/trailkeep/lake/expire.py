"""A moment in; snapshots, and files that nothing names, from before it out of the lake."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pyiceberg.table import Table
from sqlalchemy import select

from trailkeep.core.failpoint import failpoint
from trailkeep.lake.commit import BATCH_ID, landed, read_ledger
from trailkeep.lake.home import Home
from trailkeep.lake.ledger import unfinished
from trailkeep.lake.tables import events_table, sightings_table
from trailkeep.store.database import reading
from trailkeep.store.tables import batches


def expire_snapshots(home: Home, before: datetime) -> int:
    """Expire snapshots from before `before`, save the last and unfinished batches'; returns how many."""
    failpoint("compact.expire.before")
    with home.commit_lock():
        busy = {batch_id for batch_id, _, _ in unfinished(home.state)}
        expired = sum(_expire(table, before, busy) for table in (events_table(home), sightings_table(home)))
    failpoint("compact.expire.after")
    return expired


def remove_orphans(home: Home, before: datetime) -> int:
    """Remove files that no snapshot and no batch names and that were last written before `before`."""
    failpoint("compact.orphans.before")
    with home.commit_lock():  # or a commit's own files, not named yet, would count as left over
        # This order matters: a batch that finishes in between is in both, never in neither.
        busy = tuple(batch_id for batch_id, _, _ in unfinished(home.state))
        named = _named(events_table(home)) | _named(sightings_table(home))
    removed = 0
    for path in _old_files(home.warehouse, before):
        if str(path) not in named and not (busy and path.name.startswith(busy)):
            path.unlink()
            removed += 1
    removed += _remove_left_by_batches(home, before)
    failpoint("compact.orphans.after")
    return removed


def _expire(table: Table, before: datetime, busy: set[str]) -> int:
    current = table.current_snapshot()
    old = [
        snapshot.snapshot_id
        for snapshot in table.snapshots()
        if snapshot.timestamp_ms < before.timestamp() * 1000
        and not (current is not None and snapshot.snapshot_id == current.snapshot_id)
        and not (snapshot.summary is not None and snapshot.summary[BATCH_ID] in busy)
    ]
    if old:
        table.maintenance.expire_snapshots().by_ids(old).commit()
    return len(old)


def _named(table: Table) -> set[str]:
    """Every file that the table's metadata names, directly or through its snapshots."""
    metadata = table.metadata
    found = {table.metadata_location, *(entry.metadata_file for entry in metadata.metadata_log)}
    found.update(statistics.statistics_path for statistics in metadata.statistics)
    manifests = {}
    for snapshot in metadata.snapshots:
        found.add(snapshot.manifest_list)
        manifests.update({m.manifest_path: m for m in snapshot.manifests(table.io)})
    found.update(manifests)
    for manifest in manifests.values():
        found.update(e.data_file.file_path for e in manifest.fetch_manifest_entry(table.io))
    return {location.removeprefix("file://") for location in found}


def _old_files(folder: Path, before: datetime) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_mtime < before.timestamp():
            yield path


def _remove_left_by_batches(home: Home, before: datetime) -> int:
    """Remove ledger and quarantine files of batches that were forgotten while a worker still wrote.

    A ledger file whose batch landed is kept even if the state does not know it: the state is rebuilt from it.
    """
    with reading(home.state) as connection:
        known = set(connection.execute(select(batches.c.batch_id)).scalars())
    removed = 0
    for path in _old_files(home.ledgers, before):
        batch_id = path.name.partition(".")[0]
        if batch_id not in known:
            ledger = read_ledger(home, batch_id)
            if ledger is None or not landed(home, batch_id, ledger):
                path.unlink()
                removed += 1
    for path in _old_files(home.quarantine, before):
        batch_id = path.name.partition("-")[0]
        if batch_id not in known and read_ledger(home, batch_id) is None:
            path.unlink()
            removed += 1
    return removed
