"""The state in, the drills that were played and what came of each step out."""

from datetime import timedelta

import pyarrow as pa
from sqlalchemy import Engine, select

from trailkeep.core.errors import UsageError
from trailkeep.drill.steps import STEPS
from trailkeep.store.database import reading, utc
from trailkeep.store.tables import drills

DRILLS = pa.schema(
    [
        ("id", pa.string()),
        ("state", pa.string()),
        ("began", pa.timestamp("us", "UTC")),
        ("seconds", pa.float64()),
        ("steps", pa.int64()),
        ("missing", pa.int64()),
        ("who", pa.string()),
        ("target", pa.string()),
        ("note", pa.string()),
    ]
)


def list_drills(state: Engine, most: int = 100) -> pa.Table:
    """Drills, the latest first."""
    with reading(state) as connection:
        found = connection.execute(select(drills).order_by(drills.c.began.desc()).limit(most)).mappings().all()
    rows = [
        {
            **{name: row[name] for name in ("id", "state", "who", "target", "note")},
            "began": utc(row["began"]),
            "seconds": (utc(row["ended"]) - utc(row["began"])) / timedelta(seconds=1) if row["ended"] else None,
            "steps": len(row["steps"]),
            "missing": sum(not step["ok"] for step in row["steps"]),
        }
        for row in found
    ]
    return pa.Table.from_pylist(rows, schema=DRILLS)


def steps_of(state: Engine, drill: str) -> pa.Table:
    """The steps of a drill. Raises UsageError if there is none of that name."""
    with reading(state) as connection:
        steps = connection.execute(select(drills.c.steps).where(drills.c.id == drill)).scalar()
    if steps is None:
        raise UsageError(f"no drill {drill}; `trailkeep drill --list` shows those there were")
    return pa.Table.from_pylist(steps, schema=STEPS)
