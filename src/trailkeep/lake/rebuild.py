"""Ledger files and the events table in, the ledger rows of a lost state database out.

The batches come back as stored but not done, so that the next ingest derives their alerts anew from the
signals in the lake. What people said about alerts lived in the state only and does not come back.
"""

from pyiceberg.table import Table
from sqlalchemy import select

from trailkeep.lake.commit import BATCH_ID, read_ledger, settle
from trailkeep.lake.home import Home
from trailkeep.lake.ledger import open_intent
from trailkeep.lake.tables import events_table
from trailkeep.store.database import reading
from trailkeep.store.tables import batches


def rebuild_ledger(home: Home) -> int:
    """Write the rows of every committed batch that the state does not know; returns how many batches."""
    with home.commit_lock():
        with reading(home.state) as connection:
            known = set(connection.execute(select(batches.c.batch_id)).scalars())
        committed = _committed(events_table(home))
        rebuilt = 0
        # In the order of the commits: a duplicate after what it duplicates, a retry after its quarantine.
        for path in sorted(home.ledgers.glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
            ledger = read_ledger(home, path.stem)
            if ledger is None or path.stem in known:
                continue
            if path.stem in committed or not ledger["files"]:
                open_intent(home.state, path.stem, writer="", keys=[])
                settle(home, path.stem, ledger)
                rebuilt += 1
    return rebuilt


def _committed(table: Table) -> set[str]:
    """The batches that snapshots name or that rows belong to."""
    found = {str(s.summary[BATCH_ID]) for s in table.snapshots() if s.summary is not None}
    for rows in table.scan(selected_fields=("batch_id",)).to_arrow_batch_reader():
        found.update(rows["batch_id"].unique().to_pylist())
    return found
