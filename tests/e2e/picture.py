"""A lake in, everything that two runs over the same files must agree on out."""

import re
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select

from trailkeep.lake.compact import current_files
from trailkeep.lake.home import Home, open_home
from trailkeep.lake.ledger import totals, unfinished
from trailkeep.lake.quarantine import open_pieces, read_piece
from trailkeep.lake.tables import events_table, sightings_table
from trailkeep.store.database import reading
from trailkeep.store.tables import alert_events, alerts, batches, objects

SIGNAL = "trailkeep_signal"


@dataclass(frozen=True)
class Picture:
    """What a lake holds, without what differs from run to run: ids of batches and alerts, times of storing."""

    events: Counter[tuple[str, bytes]]
    signals: Counter[tuple[str, str, str]]
    totals: dict[str, int]
    objects: Counter[tuple[Any, ...]]
    alerts: Counter[tuple[Any, ...]]
    quarantine: Counter[tuple[Any, ...]]


def picture(path: Path) -> Picture:
    """The picture of the lake at `path`, in which nothing may be unfinished."""
    home = open_home(path)
    assert unfinished(home.state) == []
    names = ("source", "event_uid", "raw_sha256", "rule_uid", "related_event", "raw_data")
    rows = events_table(home).scan(selected_fields=names).to_arrow().to_pylist()
    for row in rows:
        assert row["raw_sha256"] == sha256(row["raw_data"].encode()).digest()
    return Picture(
        events=Counter((row["event_uid"], row["raw_sha256"]) for row in rows if row["source"] != SIGNAL),
        signals=Counter(
            (row["event_uid"], row["rule_uid"], row["related_event"]) for row in rows if row["source"] == SIGNAL
        ),
        totals=totals(home.state),
        objects=Counter(_rows(home, select(*(objects.c[name] for name in _OBJECT)))),
        alerts=Counter(_alerts(home)),
        quarantine=Counter(
            (p.key, p.position, p.record_no, p.reason, p.whole, read_piece(home, p)) for p in open_pieces(home.state)
        ),
    )


_OBJECT = ("key", "sha256", "kind", "source", "content", "records", "stored", "duplicate", "quarantined", "dropped")


def sightings(path: Path) -> Counter[tuple[Any, ...]]:
    """The sightings of a lake, without the names of the files."""
    names = ("entity", "source", "first_time", "last_time", "count")
    table = sightings_table(open_home(path)).scan(selected_fields=names).to_arrow()
    return Counter(tuple(row.values()) for row in table.select(names).to_pylist())


def stray_files(path: Path) -> set[Path]:
    """Files of the lake that belong to nothing in it."""
    home = open_home(path)
    tables = (events_table(home), sightings_table(home))
    named = {Path(file.file_path) for table in tables for file in current_files(table)}
    data = {file for folder in (home.events_data, home.sightings_data) for file in folder.rglob("*.parquet")}
    known = {batch_id for (batch_id,) in _rows(home, select(batches.c.batch_id))}
    kept = [*home.ledgers.iterdir(), *home.quarantine.iterdir()]
    return data - named | {file for file in kept if re.split("[-.]", file.name)[0] not in known}


def _alerts(home: Home) -> list[tuple[Any, ...]]:
    events: dict[int, set[str]] = {}
    for alert_id, uid in _rows(home, select(alert_events.c.alert_id, alert_events.c.event_uid)):
        events.setdefault(alert_id, set()).add(uid)
    names = ("title", "level", "rule_uid", "subject", "subject_kind", "status", "first_time", "last_time")
    found = _rows(home, select(alerts.c.id, *(alerts.c[name] for name in names)).where(alerts.c.status != "merged"))
    assert {alert_id for alert_id, *_ in found} == set(events)
    return [(*row, frozenset(events[alert_id])) for alert_id, *row in found]


def _rows(home: Home, query: Select[Any]) -> list[tuple[Any, ...]]:
    with reading(home.state) as connection:
        return [tuple(row) for row in connection.execute(query)]
