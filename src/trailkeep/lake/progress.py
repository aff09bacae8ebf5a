"""What collectors keep in the state: positions, ids of pushed batches, health, objects they gave up.

Positions and ids are written down with the intent of a batch and come into force with its ledger rows, in the same
transaction: a crash in between moves both or neither.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import DBAPIError

from trailkeep.core.errors import LakeError
from trailkeep.store.database import reading, utc
from trailkeep.store.tables import collectors, given_up, objects, positions, received

KEPT = timedelta(days=7)
"""How long the ids of pushed batches are kept: senders try again for hours, not for weeks."""


@dataclass(frozen=True)
class Position:
    """How far a collector is in one of the things it reads (`scope`); `value` is JSON."""

    collector: str
    scope: str
    value: Any


@dataclass(frozen=True)
class Progress:
    """What collectors have done once a batch is committed: positions, and (collector, id) of pushed batches."""

    positions: tuple[Position, ...] = ()
    received: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.positions or self.received)

    def as_json(self) -> dict[str, Any]:
        """As a value of the column `progress`."""
        return {"positions": [asdict(each) for each in self.positions], "received": list(map(list, self.received))}


def of_json(value: Mapping[str, Any] | None) -> Progress:
    """What `as_json` made."""
    if not value:
        return Progress()
    return Progress(
        tuple(Position(**each) for each in value["positions"]), tuple((name, key) for name, key in value["received"])
    )


def record_progress(state: Engine, progress: Progress) -> None:
    """Keep what collectors have done where no batch came of it."""
    with state.begin() as connection:
        apply(connection, progress)


def apply(connection: Connection, progress: Progress) -> None:
    """Bring `progress` into force; harmless to repeat."""
    now = datetime.now(UTC)
    last = {(each.collector, each.scope): each for each in progress.positions}
    _upsert(connection, positions, [asdict(each) | {"updated": now} for each in last.values()])
    ids = dict.fromkeys(progress.received)
    _upsert(connection, received, [{"collector": name, "id": key, "time": now} for name, key in ids])
    if ids:
        connection.execute(delete(received).where(received.c.time < now - KEPT))


def _upsert(connection: Connection, table: SqlTable, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


class KeptProgress:
    """What is kept, as collectors ask for it from their threads."""

    def __init__(self, state: Engine) -> None:
        self._state = state

    def position(self, collector: str, scope: str) -> Any:
        """The value that was committed last for this scope, or None."""
        query = select(positions.c.value).where(positions.c.collector == collector, positions.c.scope == scope)
        with reading(self._state) as connection:
            return connection.execute(query).scalar()

    def positions(self, collector: str) -> Mapping[str, Any]:
        """All scopes and their values."""
        query = select(positions.c.scope, positions.c.value).where(positions.c.collector == collector)
        with reading(self._state) as connection:
            return {row.scope: row.value for row in connection.execute(query)}

    def stored(self, keys: list[str]) -> Mapping[str, set[str | None]]:
        """Key -> versions, of those objects that the ledger has."""
        found: dict[str, set[str | None]] = {}
        with reading(self._state) as connection:
            for start in range(0, len(keys), 500):
                query = select(objects.c.key, objects.c.version).where(objects.c.key.in_(keys[start : start + 500]))
                for row in connection.execute(query):
                    found.setdefault(row.key, set()).add(row.version)
        return found

    def received(self, collector: str) -> set[str]:
        """Ids of pushed batches that were committed lately."""
        with reading(self._state) as connection:
            return set(connection.execute(select(received.c.id).where(received.c.collector == collector)).scalars())

    def give_up(self, collector: str, key: str, reason: str, request: Any) -> None:
        """Keep durably that an object could not be fetched; `request` (JSON) is what to ask for, another time.

        Raises LakeError if the database is locked for too long.
        """
        row = {"collector": collector, "key": key, "reason": reason, "request": request, "state": "open"}
        with self._writing() as connection:
            _upsert(connection, given_up, [row | {"added": datetime.now(UTC)}])

    def given_up(self, collector: str) -> list[tuple[str, Any]]:
        """(key, request) of what is to be tried again now, because somebody asked for it."""
        query = select(given_up.c.key, given_up.c.request)
        query = query.where(given_up.c.collector == collector, given_up.c.state == "again")
        with reading(self._state) as connection:
            return [(row.key, row.request) for row in connection.execute(query)]

    def all_given_up(self, collector: str) -> set[str]:
        """Keys of all that was given up and not fetched since."""
        query = select(given_up.c.key).where(given_up.c.collector == collector, given_up.c.state != "fetched")
        with reading(self._state) as connection:
            return set(connection.execute(query).scalars())

    def settle(self, collector: str, key: str) -> None:
        """An object that was given up has been fetched. Raises LakeError if the database is locked for too long."""
        which = (given_up.c.collector == collector, given_up.c.key == key)
        with self._writing() as connection:
            connection.execute(update(given_up).where(*which).values(state="fetched"))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._state.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise LakeError(f"the state database cannot be written to: {error.orig}") from error


def record_health(state: Engine, rows: Iterable[dict[str, Any]]) -> None:
    """Keep how collectors are, for `status`."""
    with state.begin() as connection:
        for row in rows:
            _upsert(connection, collectors, [row])


def collector_rows(state: Engine) -> list[dict[str, Any]]:
    """How collectors were when they said so last, by name."""
    with reading(state) as connection:
        rows = [dict(row._mapping) for row in connection.execute(select(collectors).order_by(collectors.c.name))]
    for row in rows:
        for name in ("last_arrival", "updated"):
            row[name] = row[name] and utc(row[name])
    return rows


def given_up_rows(state: Engine) -> list[dict[str, Any]]:
    """What collectors could not fetch and nobody has fetched since, oldest first."""
    names = ("collector", "key", "reason", "state", "added")
    query = select(*(given_up.c[name] for name in names)).where(given_up.c.state != "fetched")
    with reading(state) as connection:
        rows = connection.execute(query.order_by(given_up.c.added, given_up.c.key))
        return [{**row._mapping, "added": utc(row.added)} for row in rows]


def redrive(state: Engine) -> int:
    """Ask for everything that was given up to be tried again; returns how many objects that are."""
    with state.begin() as connection:
        return connection.execute(update(given_up).where(given_up.c.state == "open").values(state="again")).rowcount
