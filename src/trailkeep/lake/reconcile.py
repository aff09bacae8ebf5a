"""Batches that killed writers left behind in, each finished or forgotten out; never both."""

import pyarrow as pa
from pyiceberg.expressions import And, EqualTo

from trailkeep.core.columns import SIGNAL_SOURCE
from trailkeep.lake.commit import landed, read_ledger, settle
from trailkeep.lake.home import Home
from trailkeep.lake.ledger import forget_intent, unfinished
from trailkeep.lake.tables import events_table


def reconcile(home: Home) -> list[str]:
    """Finish or forget the batches of dead writers; returns those whose alerts are still to be derived.

    What is forgotten leaves no trace: the next ingest stores its objects as if they had never been seen.
    """
    waiting = []
    with home.commit_lock():
        for batch_id, state, writer in unfinished(home.state):
            if not home.is_alive(writer) and (state == "stored" or _finish(home, batch_id)):
                waiting.append(batch_id)
    return waiting


def abandon(home: Home, batch_id: str) -> bool:
    """End a batch of this process that failed on its way; True if it had landed all the same, and is settled now."""
    with home.commit_lock():
        return _finish(home, batch_id)


def signals_of(home: Home, batch_id: str) -> pa.Table:
    """The signals that a committed batch stored."""
    wanted = And(EqualTo(term="source", value=SIGNAL_SOURCE), EqualTo(term="batch_id", value=batch_id))
    return events_table(home).scan(row_filter=wanted).to_arrow()


def _finish(home: Home, batch_id: str) -> bool:
    """Settle an open batch if it is committed, else remove every trace of it."""
    ledger = read_ledger(home, batch_id)
    if ledger is not None and landed(home, batch_id, ledger):
        settle(home, batch_id, ledger)
        return True
    for path in home.events_data.glob(f"source=*/day=*/{batch_id}-*"):
        path.unlink()
    for path in home.quarantine.glob(f"{batch_id}-*"):
        path.unlink()
    for path in home.ledgers.glob(f"{batch_id}.*"):  # or the draft of it
        path.unlink()
    forget_intent(home.state, batch_id)  # last: a crash before it only means that this is done again
    return False
