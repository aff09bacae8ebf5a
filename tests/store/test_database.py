"""The state database: made, reopened, refused when newer, and its migrations equal to its tables."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text

from trailkeep.core.errors import LakeError
from trailkeep.store.database import HEAD, MIGRATIONS, open_database, reading, sqlite_url
from trailkeep.store.tables import metadata


def test_fresh_database_has_every_table(tmp_path: Path) -> None:
    engine = open_database(sqlite_url(tmp_path / "state.db"))
    with reading(engine) as connection:
        assert set(metadata.tables) <= set(inspect(connection).get_table_names())
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD


def test_migrations_yield_the_tables_that_the_code_declares(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    migrated = create_engine(sqlite_url(tmp_path / "migrated.db"))
    with migrated.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    made = open_database(sqlite_url(tmp_path / "made.db"))
    assert everything(made) == everything(migrated)


def everything(engine: Engine) -> dict[str, object]:
    """Columns, keys and indexes of every table, and the version."""
    with engine.connect() as connection:
        found = inspect(connection)
        tables = {
            name: (
                [str(column) for column in found.get_columns(name)],
                found.get_pk_constraint(name),
                sorted(map(str, found.get_foreign_keys(name))),
                sorted(map(str, found.get_unique_constraints(name))),
                sorted(map(str, found.get_indexes(name))),
            )
            for name in found.get_table_names()
        }
        return {**tables, "version": connection.execute(text("SELECT version_num FROM alembic_version")).scalar()}


def test_reopened_database_keeps_its_rows(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "state.db")
    with open_database(url).begin() as connection:
        columns = "batch_id, state, writer, created, keys"
        connection.execute(text(f"INSERT INTO batches ({columns}) VALUES ('b', 'open', 'w', '2024-01-01', '[]')"))
    with reading(open_database(url)) as connection:
        assert connection.execute(text("SELECT batch_id FROM batches")).scalar() == "b"


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "state.db")
    with open_database(url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LakeError, match="made by a newer Trailkeep"):
        open_database(url)


def test_a_commit_is_on_disk_and_writers_wait(tmp_path: Path) -> None:
    engine = open_database(sqlite_url(tmp_path / "state.db"))
    with reading(engine) as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 60000}


def test_a_folder_in_the_way_is_reported(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    with pytest.raises(LakeError, match="cannot open the state database"):
        open_database(sqlite_url(tmp_path / "state.db"))


def test_alerts_from_before_the_outbox_count_as_told(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    url = sqlite_url(tmp_path / "state.db")
    with create_engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        columns = "id, rule_uid, title, level, subject, subject_kind, first_time, last_time, status, created, updated"
        times = "'2026-11-18 12:00:00'"
        values = f"7, 'r', 't', 'high', 's', 'principal', {times}, {times}, 'open', {times}, {times}"
        connection.execute(text(f"INSERT INTO alerts ({columns}) VALUES ({values})"))
    with reading(open_database(url)) as connection:
        row = connection.execute(text("SELECT routed, group_id, severity FROM alerts")).one()
    assert tuple(row) == ("2026-11-18 12:00:00", 7, "high")
