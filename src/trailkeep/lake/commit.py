"""The shards of a batch in, one Iceberg snapshot and its ledger rows out: the only commit point.

Order of the durable steps: intent (state) -> Parquet files -> ledger file -> snapshot -> ledger rows (state).
A crash before the snapshot leaves files that nobody references; a crash after it is finished from the ledger
file by reconcile.py. Nothing is ever both finished and redone.
"""

import base64
import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.expressions import EqualTo

from trailkeep.core.durable import write_file as write_durably
from trailkeep.core.failpoint import failpoint
from trailkeep.lake.data_files import data_files
from trailkeep.lake.entries import ObjectEntry, QuarantineEntry
from trailkeep.lake.home import Home
from trailkeep.lake.ledger import (
    open_intent,
    record_batch,
    stored_contents,
    unfinished,
)
from trailkeep.lake.progress import Progress
from trailkeep.lake.seal import merkle_root
from trailkeep.lake.shard import Shard, WrittenFile, write_file
from trailkeep.lake.tables import events_arrow_schema, events_table

BATCH_ID = "trailkeep.batch-id"
LEDGER_DIGEST = "trailkeep.ledger-sha256"
SEAL_ROOT = "trailkeep.seal-root"

Parsed = tuple[list[ObjectEntry], list[QuarantineEntry], list[tuple[str, int]]]


@dataclass(frozen=True)
class Batch:
    """A committed batch: its final entries, and its signals for the alerts."""

    batch_id: str
    entries: list[ObjectEntry]
    pieces: list[QuarantineEntry]
    signals: list[pa.Table]


def intend(home: Home, batch_id: str, writer: str, keys: list[str], progress: Progress | None = None) -> None:
    """Write the intent of a batch before anything else of it; `progress` of collectors commits with it."""
    failpoint("intent.before")
    open_intent(home.state, batch_id, writer, keys, progress)
    failpoint("intent.after")


def commit(home: Home, batch_id: str, shards: list[Shard]) -> Batch:
    """Commit the shards as one snapshot; contents that another writer stored meanwhile become duplicates."""
    with home.commit_lock():
        _settle_interrupted(home, batch_id)
        shards = _without_duplicates(home, shards)
        ledger = _ledger(shards)
        write_ledger(home, batch_id, ledger)
        failpoint("snapshot.before")
        _append(home, batch_id, ledger, [file for shard in shards for file in shard.files])
        failpoint("snapshot.after")
        settle(home, batch_id, ledger)
    signals = [table for shard in shards for table in shard.signals]
    entries, pieces, _ = parse_ledger(ledger)
    return Batch(batch_id, entries, pieces, signals)


def settle(home: Home, batch_id: str, ledger: dict[str, Any]) -> None:
    """Bring the ledger rows of a committed batch into the state; harmless to repeat."""
    entries, pieces, resolved = parse_ledger(ledger)
    failpoint("ledger.before")
    record_batch(home.state, batch_id, entries, pieces, resolved)
    failpoint("ledger.after")


def landed(home: Home, batch_id: str, ledger: dict[str, Any]) -> bool:
    """Whether a batch is committed: its snapshot is in the table, or its rows where the snapshot expired."""
    if not ledger["files"]:
        return True  # nothing but duplicates, digests and quarantine: the ledger file is the commit
    table = events_table(home)
    if any(s.summary is not None and s.summary[BATCH_ID] == batch_id for s in table.snapshots()):
        return True
    rows = table.scan(row_filter=EqualTo(term="batch_id", value=batch_id), selected_fields=("batch_id",), limit=1)
    return len(rows.to_arrow()) > 0


def ledger_path(home: Home, batch_id: str) -> Path:
    """Where the ledger file of a batch lies."""
    return home.ledgers / f"{batch_id}.json"


def write_ledger(home: Home, batch_id: str, ledger: dict[str, Any]) -> None:
    """Put the ledger file of a batch on disk."""
    failpoint("ledger_file.before")
    write_durably(ledger_path(home, batch_id), _encode(ledger))
    failpoint("ledger_file.after")


def read_ledger(home: Home, batch_id: str) -> dict[str, Any] | None:
    """The ledger file of a batch, if it was written."""
    path = ledger_path(home, batch_id)
    return json.loads(path.read_bytes()) if path.exists() else None


def parse_ledger(ledger: dict[str, Any]) -> Parsed:
    """The entries, quarantined pieces and resolved pieces that a ledger file holds."""
    entries = [
        ObjectEntry(**{**row, "content": base64.b64decode(row["content"]) if row["content"] else None})
        for row in ledger["objects"]
    ]
    pieces = [QuarantineEntry(**row) for row in ledger["quarantine"]]
    return entries, pieces, [(piece, records) for piece, records in ledger["resolved"]]


def _ledger(shards: list[Shard]) -> dict[str, Any]:
    entries = [asdict(entry) for shard in shards for entry in shard.entries]
    for row in entries:
        row["content"] = base64.b64encode(row["content"]).decode() if row["content"] else None
    roots = {object_id: root for shard in shards for object_id, root in shard.roots.items()}
    return {
        "files": [file.path for shard in shards for file in shard.files],
        "seal_root": merkle_root(roots[object_id] for object_id in sorted(roots)).hex(),
        "objects": entries,
        "quarantine": [asdict(piece) for shard in shards for piece in shard.pieces],
        "resolved": [piece for shard in shards for piece in shard.resolved],
    }


def _encode(ledger: dict[str, Any]) -> bytes:
    return json.dumps(ledger, sort_keys=True, separators=(",", ":")).encode()


def _append(home: Home, batch_id: str, ledger: dict[str, Any], files: list[WrittenFile]) -> None:
    if not files:
        return
    summary = {
        BATCH_ID: batch_id,
        LEDGER_DIGEST: sha256(_encode(ledger)).hexdigest(),
        SEAL_ROOT: ledger["seal_root"],
    }
    table = events_table(home)
    with table.transaction() as change, change.update_snapshot(summary).fast_append() as snapshot:
        for file in data_files(table, files):
            snapshot.append_data_file(file)


def _settle_interrupted(home: Home, batch_id: str) -> None:
    """Settle batches whose committer died after its snapshot: their contents must count as stored.

    Under the commit lock nobody else is between ledger file and ledger rows, so an open batch that has a
    ledger file was left behind; reconcile.py deals with those that have not landed.
    """
    for other, state, _ in unfinished(home.state):
        if state == "open" and other != batch_id:
            ledger = read_ledger(home, other)
            if ledger is not None and landed(home, other, ledger):
                settle(home, other, ledger)


def _without_duplicates(home: Home, shards: list[Shard]) -> list[Shard]:
    """Drop what the ledger has by now, and what two shards of this batch hold both."""
    fresh = [entry for shard in shards for entry in shard.entries if not entry.duplicate]
    seen = set(stored_contents(home.state, (entry.sha256 for entry in fresh)))
    kept = []
    for shard in shards:
        again = {entry.sha256 for entry in shard.entries if not entry.duplicate and entry.sha256 in seen}
        kept.append(_drop(home, shard, again) if again else shard)
        seen.update(entry.sha256 for entry in shard.entries)
    return kept


def _drop(home: Home, shard: Shard, again: set[str]) -> Shard:
    """The shard without the contents in `again`, its files written anew."""
    ids = {entry.object_id for entry in shard.entries if entry.sha256 in again}
    schema = events_arrow_schema(events_table(home))
    files = []
    for file in shard.files:
        path = Path(file.path)
        rest = _rows_without(pq.read_table(path), ids)
        if len(rest):
            files.append(write_file(path.with_suffix(".rest.parquet"), rest, schema, level=3))
        path.unlink()
    return Shard(
        files=files,
        entries=[entry.as_duplicate() if entry.sha256 in again else entry for entry in shard.entries],
        pieces=[piece for piece in shard.pieces if piece.sha256 not in again],
        signals=[_rows_without(table, ids) for table in shard.signals],
        roots={object_id: root for object_id, root in shard.roots.items() if object_id not in ids},
        resolved=shard.resolved,
    )


def _rows_without(table: pa.Table, object_ids: set[str]) -> pa.Table:
    return table.filter(pc.invert(pc.is_in(table["object_id"], pa.array(sorted(object_ids)))))
