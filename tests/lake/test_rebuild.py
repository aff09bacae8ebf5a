"""A lost state database comes back from the ledger files and the table."""

from pathlib import Path
from typing import Any

from sqlalchemy import select

from tests.lake.lakes import contents, expected, finish, ingest, killed_at
from trailkeep.lake.home import Home, create_home
from trailkeep.lake.ledger import totals
from trailkeep.lake.rebuild import rebuild_ledger
from trailkeep.lake.reconcile import reconcile
from trailkeep.store.database import reading
from trailkeep.store.tables import objects


def object_rows(home: Home) -> list[dict[str, Any]]:
    query = select(objects).order_by(objects.c.sha256, objects.c.key)
    with reading(home.state) as connection:
        return [{**row._mapping, "added": None} for row in connection.execute(query)]


def lose_state(path: Path) -> Home:
    for file in path.glob("state.db*"):
        file.unlink()
    return Home(path)


def test_rebuilt_ledger_equals_the_lost_one(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    ingest(lake, [["a", "b"], ["c"], ["a", "d"]])
    before = create_home(lake)
    rows, sums = object_rows(before), totals(before.state)
    home = lose_state(lake)
    assert rebuild_ledger(home) == 3
    assert (object_rows(home), totals(home.state)) == (rows, sums)
    assert rebuild_ledger(home) == 0
    waiting = reconcile(home)
    assert len(waiting) == 3  # their alerts are derived anew
    for batch_id in waiting:
        finish(home, batch_id)
    ingest(lake, [["a", "b", "c", "d"]])
    assert contents(home) == expected("abcd")


def test_batch_that_was_never_committed_is_not_rebuilt(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    ingest(lake, [["a"]])
    killed_at("snapshot.before", ingest, lake, [["b", "c"]])
    home = lose_state(lake)
    assert rebuild_ledger(home) == 1
    ingest(lake, [["b", "c"]])
    assert contents(home) == expected("abc")
