"""A database URL in, an open SQLAlchemy engine out, its schema brought up to this version."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from trailkeep.core.errors import LakeError
from trailkeep.store.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0007"
_VERSION_TABLE = """
    CREATE TABLE alembic_version (
        version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
    )
"""


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite state file."""
    return f"sqlite:///{quote(str(path))}"


def open_database(url: str) -> Engine:
    """An engine on the state at `url`, created or migrated where needed. Raises LakeError if it is newer."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_settings)
        event.listen(engine, "begin", _begin)
    try:
        version = _version(engine)
        if version is None:
            _create(engine)
        elif version != HEAD:
            _migrate(engine, version)
    except OperationalError as error:
        raise LakeError(f"{url}: cannot open the state database: {error.orig}") from error
    return engine


def _sqlite_settings(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # Writers queue for up to a minute; a commit is on disk before it returns; SQLAlchemy begins transactions.
    connection.isolation_level = None
    for pragma in ("busy_timeout=60000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # IMMEDIATE: a transaction that reads and then writes must not find the file changed in between.
    readonly = connection.get_execution_options().get("readonly", False)
    connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")


def reading(engine: Engine) -> Connection:
    """A connection that only reads, and so never waits for a writer; use it in a `with`."""
    return engine.connect().execution_options(readonly=True)


def _version(engine: Engine) -> str | None:
    with reading(engine) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _create(engine: Engine) -> None:
    """All tables as they are now. To run every migration instead takes as long as storing 5,000 events."""
    with engine.begin() as connection:
        if inspect(connection).has_table("alembic_version"):
            return  # another process was faster
        metadata.create_all(connection)
        connection.execute(text(_VERSION_TABLE))
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _migrate(engine: Engine, version: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version not in known:
        raise LakeError(f"{engine.url}: made by a newer Trailkeep (state schema {version}); update Trailkeep")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def utc(moment: datetime) -> datetime:
    """`moment` with its zone: SQLite hands back naive UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
