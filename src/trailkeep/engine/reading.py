"""A warehouse folder in, a DuckDB connection that reads Iceberg tables there and reaches nothing else out."""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from trailkeep.core.errors import LakeError, UsageError
from trailkeep.engine.duckdb import Connection, connect

# avro before iceberg: the second needs the first.
_EXTENSIONS = ("avro", "iceberg", "inet")

# CIDR tests and tests of lists, by names that every engine can be given.
_MACROS = r"""
CREATE OR REPLACE TEMP MACRO cidr_contains(network, address) AS
    coalesce(TRY_CAST(address AS INET) <<= TRY_CAST(network AS INET), false);
CREATE OR REPLACE TEMP MACRO any_equal(texts, wanted) AS
    list_contains(list_transform(texts, lambda t: lower(t)), lower(wanted));
CREATE OR REPLACE TEMP MACRO any_like(texts, pattern) AS
    len(list_filter(texts, lambda t: lower(t) LIKE lower(pattern) ESCAPE '\')) > 0;
CREATE OR REPLACE TEMP MACRO any_in_network(texts, network) AS
    len(list_filter(texts, lambda t: cidr_contains(network, t))) > 0;
CREATE OR REPLACE TEMP MACRO any_between(texts, low, high, low_included, high_included) AS
    len(list_filter(list_transform(texts, lambda t: TRY_CAST(t AS DOUBLE)), lambda n: n IS NOT NULL
        AND (low IS NULL OR n > low OR (low_included AND n = low))
        AND (high IS NULL OR n < high OR (high_included AND n = high)))) > 0;

-- The texts of all of `docs`, and of the members of those that are arrays.
CREATE OR REPLACE TEMP MACRO all_texts(docs) AS
    flatten(list_transform(docs, lambda doc: json_texts(CAST(doc AS VARCHAR))));

-- A field of delimited text by its name in the header; of JSON, where there is no header.
CREATE OR REPLACE TEMP MACRO delimited_text(line, header, field) AS
    CASE WHEN header IS NULL THEN json_extract_string(line, '$."' || field || '"')
    ELSE nullif(list_extract(string_split(trim(line), ' '),
        list_position(string_split(replace(trim(header), '-', '_'), ' '), field)), '-') END;
"""


def connect_lake(warehouse: Path, *, threads: int = 2, memory: str = "1GB", locked: bool = False) -> Connection:
    """A connection that reads below `warehouse` and writes nothing outside it.

    Locked, its settings cannot be changed any more: for SQL from people, after engine/guard.py has passed it.
    It can still write inside the warehouse (COPY ... TO): only the guard prevents that.
    """
    connection = connect(threads)
    for setting in ("autoinstall_known_extensions", "autoload_known_extensions"):
        connection.execute(f"SET {setting} = false")
    for name in _EXTENSIONS:
        connection.execute(f"LOAD '{_quoted(_extension(name))}'")
    connection.execute(_MACROS)
    for setting in ("python_enable_replacements", "python_scan_all_frames", "enable_progress_bar"):
        connection.execute(f"SET {setting} = false")
    connection.execute(f"SET memory_limit = '{_quoted(memory)}'")
    connection.execute("SET temp_directory = ''")
    # As joins, IN lists would keep columns alive that nobody asked for: views would read raw_data.
    connection.execute("SET disabled_optimizers = 'in_clause'")
    connection.execute(f"SET allowed_directories = ['{_quoted(warehouse)}/']")
    connection.execute("SET enable_external_access = false")
    if locked:
        connection.execute("SET lock_configuration = true")
    return connection


def iceberg_table(location: str) -> exp.Table:
    """The Iceberg table whose metadata file is `location`, for a FROM clause."""
    return exp.Table(this=exp.func("iceberg_scan", exp.Literal.string(location)))


def fetch(con: Connection, query: exp.Expr) -> pa.Table:
    """The rows of a query."""
    return con.execute(query.sql(dialect="duckdb")).to_arrow_table()


def fetch_checked(con: Connection, query: exp.Expr) -> pa.Table:
    """The rows of a query that engine/guard.py has passed. Raises UsageError with the engine's reason."""
    try:
        return fetch(con, query)
    except duckdb.Error as error:
        raise UsageError(f"the query cannot be run: {error}") from error


def _extension(name: str) -> Path:
    """The file of an extension that was installed as a Python package: nothing is downloaded."""
    spec = find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        raise LakeError(f"duckdb-extension-{name} is not installed; install Trailkeep with all its packages")
    path = Path(spec.origin).parent / "extensions" / f"v{version('duckdb')}" / f"{name}.duckdb_extension"
    if not path.exists():
        raise LakeError(f"duckdb-extension-{name} is not of DuckDB's version; install the pinned packages")
    return path


def _quoted(value: str | Path) -> str:
    return str(value).replace("'", "''")
