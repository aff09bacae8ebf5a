"""What happened to each object of a batch: the entries that commit together, and their rows in the state."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pyarrow as pa
from sqlalchemy import Column, Connection, Engine, and_, bindparam, delete, func, insert, not_, select, update

from trailkeep.lake.entries import ObjectEntry, QuarantineEntry
from trailkeep.lake.progress import Progress, apply, of_json
from trailkeep.store.database import reading, utc
from trailkeep.store.tables import batches, objects, quarantine


def open_intent(state: Engine, batch_id: str, writer: str, keys: list[str], progress: Progress | None = None) -> None:
    """Say durably that `writer` is about to store `keys` as `batch_id`; `progress` comes into force with it."""
    row = {
        "batch_id": batch_id,
        "state": "open",
        "writer": writer,
        "created": datetime.now(UTC),
        "keys": keys,
        "progress": progress.as_json() if progress else None,
    }
    with state.begin() as connection:
        connection.execute(insert(batches), row)


def forget_intent(state: Engine, batch_id: str) -> None:
    """Drop an intent of which nothing was committed."""
    with state.begin() as connection:
        connection.execute(batches.delete().where(batches.c.batch_id == batch_id))


def mark_done(connection: Connection, batch_id: str) -> None:
    """The alerts of this batch are derived: nothing is left to do for it."""
    connection.execute(update(batches).where(batches.c.batch_id == batch_id).values(state="done", keys=[]))


def unfinished(state: Engine) -> list[tuple[str, str, str]]:
    """(batch_id, state, writer) of every batch that is not done."""
    query = select(batches.c.batch_id, batches.c.state, batches.c.writer).where(batches.c.state != "done")
    with reading(state) as connection:
        return [tuple(row) for row in connection.execute(query)]


def stored_contents(state: Engine, digests: Iterable[str]) -> set[str]:
    """Which of these sha256 of decompressed contents the ledger has."""
    return set(_lookup(state, objects.c.sha256, digests))


def stored_files(state: Engine, digests: Iterable[str]) -> dict[str, list[ObjectEntry]]:
    """sha256 as fetched -> the entries of a file with these very bytes, one an object, where the ledger has any."""
    return _lookup(state, objects.c.stored_sha256, digests)


def _lookup(state: Engine, column: Column[Any], digests: Iterable[str]) -> dict[str, list[ObjectEntry]]:
    wanted = list(dict.fromkeys(digests))
    found: dict[str, dict[str, ObjectEntry]] = {}
    with reading(state) as connection:
        for start in range(0, len(wanted), 500):
            query = select(*_ENTRY_COLUMNS).where(column.in_(wanted[start : start + 500]), not_(_HOLLOW))
            for row in connection.execute(query):
                found.setdefault(row._mapping[column.name], {})[row.object_id] = ObjectEntry(**row._mapping)
    return {digest: list(entries.values()) for digest, entries in found.items()}


# Objects of which nothing could be stored: they may come again, and then count as new.
_HOLLOW = and_(objects.c.stored == 0, objects.c.quarantined > 0)
_ENTRY_COLUMNS = tuple(objects.c[name] for name in ObjectEntry.__dataclass_fields__)


def record_batch(
    state: Engine,
    batch_id: str,
    entries: list[ObjectEntry],
    pieces: list[QuarantineEntry],
    resolved: list[tuple[str, int]],
) -> None:
    """Write the ledger and quarantine rows of a committed batch, once however often it is called."""
    now = datetime.now(UTC)
    entry_rows = [asdict(entry) | {"batch_id": batch_id, "added": now} for entry in entries]
    piece_rows = [asdict(piece) | {"id": piece.id, "state": "open", "added": now} for piece in pieces]
    upsert = _insert(state)
    with state.begin() as connection:
        _supersede(connection, entries, pieces)
        if entry_rows:
            connection.execute(upsert(objects).on_conflict_do_nothing(), entry_rows)
        if piece_rows:
            connection.execute(upsert(quarantine).on_conflict_do_nothing(), piece_rows)
        for piece, records in resolved:
            _resolve(connection, piece, records)
        this = batches.c.batch_id == batch_id
        apply(connection, of_json(connection.execute(select(batches.c.progress).where(this)).scalar()))
        connection.execute(update(batches).where(this).values(state="stored", progress=None))


def _insert(state: Engine) -> Any:
    """The INSERT of this database that can leave rows alone which are there already."""
    # Imported here: only who commits needs it, and each process pays for imports.
    return import_module(f"sqlalchemy.dialects.{state.dialect.name}").insert


def _supersede(connection: Connection, entries: list[ObjectEntry], pieces: list[QuarantineEntry]) -> None:
    """Files that could not be read before and now can: their old rows are settled, and the pieces that are not bad
    again.
    """
    readable = [entry.stored_sha256 for entry in entries if entry.stored or entry.kind == "archive"]
    for start in range(0, len(readable), 500):
        same = objects.c.stored_sha256.in_(readable[start : start + 500])
        hollow = select(objects.c.sha256).where(same, _HOLLOW)
        digests = list(connection.execute(hollow).scalars())
        if digests:
            # What of an archive is no member stays what it is, however often the archive comes.
            opened = select(objects.c.sha256).where(objects.c.sha256.in_(digests), objects.c.kind == "archive")
            settled = and_(quarantine.c.sha256.in_(digests), quarantine.c.sha256.not_in(opened))
            connection.execute(update(quarantine).where(settled).values(state="stored"))
            again = [{"which": piece.id} for piece in pieces if piece.sha256 in digests]
            if again:
                still_bad = update(quarantine).where(quarantine.c.id == bindparam("which")).values(state="open")
                connection.execute(still_bad, again)
            connection.execute(delete(objects).where(objects.c.sha256.in_(digests), _HOLLOW))


def _resolve(connection: Connection, piece: str, records: int) -> None:
    """Count the records of a quarantined piece that a retry has stored; a piece counts once."""
    still_open = (quarantine.c.id == piece, quarantine.c.state == "open")
    if not connection.execute(update(quarantine).where(*still_open).values(state="stored")).rowcount:
        return
    owner = select(quarantine.c.sha256, quarantine.c.key).where(quarantine.c.id == piece)
    digest, key = connection.execute(owner).one()
    connection.execute(
        update(objects)
        .where(objects.c.sha256 == digest, objects.c.key == key)
        .values(
            records=objects.c.records + records - 1,
            stored=objects.c.stored + records,
            quarantined=objects.c.quarantined - 1,
        )
    )


def totals(state: Engine) -> dict[str, int]:
    """Sums over the ledger: objects, records, stored, duplicate, quarantined, dropped."""
    names = ("objects", "records", "stored", "duplicate", "quarantined", "dropped")
    return {name: sum(row[name] for row in by_source(state)) for name in names}


def by_source(state: Engine) -> list[dict[str, Any]]:
    """Sums over the ledger for each source."""
    names = ("records", "stored", "duplicate", "quarantined", "dropped")
    sums = (func.coalesce(func.sum(objects.c[name]), 0).label(name) for name in names)
    latest = func.max(objects.c.added).label("latest")
    query = select(objects.c.source, func.count().label("objects"), *sums, latest)
    with reading(state) as connection:
        rows = connection.execute(query.group_by(objects.c.source).order_by(objects.c.source))
        return [{**row._mapping, "latest": utc(row.latest)} for row in rows]


BY_SOURCE = pa.schema(
    [
        ("source", pa.string()),
        *((n, pa.int64()) for n in ("objects", "records", "stored", "duplicate", "quarantined", "dropped")),
        ("latest", pa.timestamp("us", "UTC")),
    ]
)
