"""What happened to each object of a batch: the entries that commit together, and their rows in the state."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Column, Connection, Engine, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from trailkeep.store.database import reading
from trailkeep.store.tables import batches, objects, quarantine


@dataclass(frozen=True)
class ObjectEntry:
    """One object as the ledger keeps it; records = stored + duplicate + quarantined + dropped."""

    key: str
    sha256: str
    object_id: str
    stored_sha256: str
    stored_size: int
    size: int
    kind: str = "events"
    source: str | None = None
    version: str | None = None
    user_metadata: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    records: int = 0
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    dropped: int = 0
    reason: str | None = None

    def as_duplicate(self) -> "ObjectEntry":
        """This entry when the same content is stored already: nothing of it is kept twice."""
        return replace(
            self,
            stored=0,
            duplicate=self.records,
            quarantined=0,
            dropped=0,
            reason="already stored",
            content=None,
        )


@dataclass(frozen=True)
class QuarantineEntry:
    """A piece that could not be stored: its bytes lie in `file` of the quarantine folder."""

    object_id: str
    sha256: str
    key: str
    source: str | None
    position: int
    record_no: int | None
    raw_format: str | None
    reason: str
    file: str
    offset: int
    size: int

    @property
    def id(self) -> str:
        """The same piece always has the same id, so that a redone batch adds no second row."""
        return sha256(f"{self.sha256}:{self.position}:{self.record_no}:{self.size}".encode()).hexdigest()[:32]


def open_intent(state: Engine, batch_id: str, writer: str, keys: list[str]) -> None:
    """Say durably that `writer` is about to store `keys` as `batch_id`."""
    row = {
        "batch_id": batch_id,
        "state": "open",
        "writer": writer,
        "created": datetime.now(UTC),
        "keys": keys,
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


def stored_files(state: Engine, digests: Iterable[str]) -> dict[str, ObjectEntry]:
    """sha256 as fetched -> the entry of a file with these very bytes, where the ledger has one."""
    return _lookup(state, objects.c.stored_sha256, digests)


def _lookup(state: Engine, column: Column[Any], digests: Iterable[str]) -> dict[str, ObjectEntry]:
    wanted = list(dict.fromkeys(digests))
    found: dict[str, ObjectEntry] = {}
    with reading(state) as connection:
        for start in range(0, len(wanted), 500):
            query = select(*_ENTRY_COLUMNS).where(column.in_(wanted[start : start + 500]))
            for row in connection.execute(query):
                found[row._mapping[column.name]] = ObjectEntry(**row._mapping)
    return found


_ENTRY_COLUMNS = tuple(objects.c[name] for name in ObjectEntry.__dataclass_fields__)


def record_batch(
    state: Engine,
    batch_id: str,
    entries: list[ObjectEntry],
    pieces: list[QuarantineEntry],
    resolved: list[str],
) -> None:
    """Write the ledger and quarantine rows of a committed batch, once however often it is called."""
    now = datetime.now(UTC)
    entry_rows = [asdict(entry) | {"batch_id": batch_id, "added": now} for entry in entries]
    piece_rows = [asdict(piece) | {"id": piece.id, "state": "open", "added": now} for piece in pieces]
    upsert = sqlite_insert if state.dialect.name == "sqlite" else postgresql_insert
    with state.begin() as connection:
        if entry_rows:
            connection.execute(upsert(objects).on_conflict_do_nothing(), entry_rows)
        if piece_rows:
            connection.execute(upsert(quarantine).on_conflict_do_nothing(), piece_rows)
        _resolve(connection, resolved)
        connection.execute(update(batches).where(batches.c.batch_id == batch_id).values(state="stored"))


def _resolve(connection: Connection, ids: list[str]) -> None:
    """Count quarantined pieces that a retry has stored as stored; a piece counts once."""
    for piece in ids:
        closed = connection.execute(
            update(quarantine)
            .where(quarantine.c.id == piece, quarantine.c.state == "open")
            .values(state="stored")
        )
        if closed.rowcount:
            owner = select(quarantine.c.sha256, quarantine.c.key).where(quarantine.c.id == piece)
            digest, key = connection.execute(owner).one()
            connection.execute(
                update(objects)
                .where(objects.c.sha256 == digest, objects.c.key == key)
                .values(stored=objects.c.stored + 1, quarantined=objects.c.quarantined - 1)
            )


def totals(state: Engine) -> dict[str, int]:
    """Sums over the ledger: objects, records, stored, duplicate, quarantined, dropped."""
    names = ("records", "stored", "duplicate", "quarantined", "dropped")
    query = select(func.count(), *(func.coalesce(func.sum(objects.c[name]), 0) for name in names))
    with reading(state) as connection:
        row = connection.execute(query).one()
    return dict(zip(("objects", *names), map(int, row), strict=True))
