"""SQL from people: what the guard passes, what it refuses, and what the locked engine alone would stop."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from trailkeep.core.errors import UsageError
from trailkeep.engine.duckdb import Connection
from trailkeep.engine.guard import check_select
from trailkeep.engine.reading import connect_lake

TABLES = ("events", "signals", "api_activity")

FINE = [
    "SELECT 1",
    "SELECT count(*) FROM events WHERE event_name = 'GetObject' AND raw_data LIKE '%read_text(%'",
    "FROM events SELECT event_name, count(*) AS n GROUP BY ALL ORDER BY n DESC LIMIT 5",
    "FROM events",
    "WITH big AS (SELECT * FROM events WHERE bytes > 1) SELECT b.* FROM big AS b JOIN signals USING (time)",
    "SELECT * FROM events UNION ALL SELECT * FROM signals",
    "SELECT e.entity FROM events, unnest(entities) AS e(entity)",
    "SELECT unnest(entities) FROM events",
    "SELECT * FROM range(3) AS t(i), generate_series(1, 2)",
    "SELECT json_extract_string(raw_data, '$.eventName'), raw_data->>'$.a', time::DATE FROM events;",
    "SELECT list_filter(entities, lambda e: starts_with(e, 'arn:')) FROM events",
    "SELECT date_trunc('hour', time), approx_count_distinct(src_ip) FROM events GROUP BY 1",
    "SELECT any_value(region) FILTER (WHERE bytes > 1) FROM events",
    "SELECT * EXCLUDE (bytes) FROM events QUALIFY row_number() OVER (PARTITION BY src_ip ORDER BY time) = 1",
    "SELECT case when try_cast(error_code AS INTEGER) IS NULL THEN 1 ELSE 2 END FROM events -- SET x = 1",
    "SELECT starts_with(src_ip, '10.'), actor.\"user\".uid FROM api_activity",
    "SELECT * FROM events WHERE time > now() - INTERVAL 7 DAY AND src_ip IN (SELECT src_ip FROM signals)",
    "SELECT table_name FROM information_schema.tables",
    'SELECT "event_name" FROM "events"',
    "(SELECT 1)",
    "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE i < 5) SELECT * FROM t",
]

# attack -> whether the locked engine refuses it too; where it says False only the guard protects.
ATTACKS = {
    "SELECT * FROM read_text('/etc/passwd')": True,
    "SELECT * FROM read_text ('/etc/passwd')": True,
    "SELECT * FROM read_text/**/('/etc/passwd')": True,
    "SELECT * FROM \"read_text\"('/etc/passwd')": True,
    "SELECT * FROM main.read_text('/etc/passwd')": True,
    "SELECT * FROM system.main.read_text('/etc/passwd')": True,
    "SELECT * FROM system.main.glob('/etc/*')": True,
    "SELECT * FROM READ_BLOB('/etc/passwd')": True,
    "SELECT * FROM read_csv('/etc/passwd')": True,
    "SELECT * FROM read_csv_auto('/etc/passwd')": True,
    "SELECT * FROM read_json('/etc/passwd')": True,
    "SELECT * FROM read_ndjson_objects('/etc/passwd')": True,
    "SELECT * FROM read_parquet(['/etc/passwd'])": True,
    "SELECT * FROM parquet_scan('/etc/passwd')": True,
    "SELECT * FROM parquet_metadata('/etc/passwd')": True,
    "SELECT * FROM read_avro('/etc/passwd')": True,
    "SELECT * FROM sniff_csv('/etc/passwd')": True,
    "SELECT * FROM iceberg_scan('/etc')": True,
    "SELECT * FROM iceberg_metadata('/etc')": True,
    "SELECT * FROM glob('/etc/*')": True,
    "SELECT * FROM '/etc/passwd'": True,
    "SELECT * FROM '/etc/x.csv'": True,
    'SELECT * FROM "/etc/x.parquet"': True,
    'SELECT * FROM "s3://bucket/x.parquet"': True,
    "SELECT * FROM 'https://example.com/x.parquet'": True,
    "FROM '/etc/x.json'": True,
    "SELECT (SELECT content FROM read_text('/etc/passwd'))": True,
    "SELECT * FROM events WHERE EXISTS (SELECT * FROM read_text('/etc/passwd'))": True,
    "SELECT * FROM events, LATERAL read_text('/etc/passwd')": True,
    "SELECT * FROM events, LATERAL (SELECT * FROM read_text('/etc/passwd'))": True,
    "WITH events AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM events": True,
    'WITH "/etc/x.csv" AS (SELECT 1) SELECT * FROM "/etc/x.csv"': False,
    'SELECT * FROM "/etc/x.csv", (WITH "/etc/x.csv" AS (SELECT 1) SELECT * FROM "/etc/x.csv") AS t': True,
    "SELECT * FROM pg_views, (WITH pg_views AS (SELECT 1) SELECT * FROM pg_views) AS t": False,
    "SELECT 1 UNION SELECT content FROM read_text('/etc/passwd')": True,
    "SELECT * FROM (FROM read_text('/etc/passwd'))": True,
    "SELECT * FROM ｒead_text('/etc/passwd')": True,
    "SELECT * FROM query('SELECT 1')": False,
    "SELECT * FROM query_table('events')": True,
    "SELECT * FROM duckdb_secrets()": True,
    "SELECT * FROM duckdb_settings()": False,
    "SELECT * FROM duckdb_views": False,
    "SELECT * FROM pragma_database_list": False,
    "SELECT * FROM sqlite_master": False,
    "SELECT * FROM pg_catalog.pg_class": False,
    "SELECT * FROM information_schema.schemata": False,
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))": False,
    "SELECT * FROM python_map_function()": True,
    "SELECT * FROM arrow_scan(1, 2, 3)": True,
    "SELECT current_setting('memory_limit')": False,
    "SELECT getenv('HOME')": True,
    "SELECT getvariable('x')": False,
    "SELECT write_log('x')": False,
    "SELECT sleep_ms(1)": False,
    "SELECT repeat('x', 9)": False,
    "SELECT lpad('x', 9, 'y')": False,
    "SELECT current_setting ( 'memory_limit' )": False,
    "SELECT main.current_setting('memory_limit')": False,
    "SELECT system.main.current_setting('memory_limit')": False,
    "SELECT 'memory_limit'.current_setting()": True,
    "SELECT \"current_setting\"('memory_limit')": False,
    "SELECT list_transform(['memory_limit'], lambda x: current_setting(x))": True,
    "SELECT 1 ORDER BY current_setting('memory_limit')": False,
    "SELECT max(1) FILTER (WHERE current_setting('memory_limit') = '')": False,
    "COPY (SELECT 1) TO '{warehouse}/evil.parquet'": False,
    "COPY (SELECT 1) TO '/tmp/evil.parquet'": True,
    "COPY t FROM '/etc/passwd'": True,
    "ATTACH '/tmp/evil.db'": True,
    "ATTACH '{warehouse}/evil.db' AS evil": False,
    "DETACH memory": True,
    "USE memory": False,
    "EXPORT DATABASE '/tmp/evil'": True,
    "IMPORT DATABASE '/tmp/evil'": True,
    "INSTALL httpfs": True,
    "LOAD httpfs": True,
    "FORCE INSTALL httpfs": True,
    "SET memory_limit = '100GB'": True,
    "SET enable_external_access = true": True,
    "RESET lock_configuration": True,
    "PRAGMA database_list": False,
    "PRAGMA threads = 64": True,
    "CALL pragma_version()": False,
    "CREATE TABLE t AS SELECT 1": False,
    "CREATE MACRO m() AS TABLE SELECT * FROM read_text('/etc/passwd')": True,
    "CREATE SECRET (TYPE s3)": True,
    "CREATE VIEW v AS SELECT 1": False,
    "DROP VIEW nothing": True,
    "ALTER TABLE nothing ADD COLUMN x INT": True,
    "INSERT INTO nothing VALUES (1)": True,
    "DELETE FROM nothing": True,
    "UPDATE nothing SET x = 1": True,
    "MERGE INTO nothing USING events ON true WHEN MATCHED THEN DELETE": True,
    "TRUNCATE nothing": True,
    "WITH x AS (DELETE FROM nothing RETURNING *) SELECT * FROM x": True,
    "CHECKPOINT": False,
    "BEGIN": False,
    "EXPLAIN ANALYZE SELECT 1": False,
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{warehouse}/evil.parquet'": False,
    "DESCRIBE SELECT 1": False,
    "SHOW TABLES": False,
    "SUMMARIZE SELECT 1": False,
    "PREPARE p AS SELECT 1": False,
    "EXECUTE p": True,
    "SELECT 1; SELECT 2": False,
    "SELECT 1; COPY (SELECT 1) TO '{warehouse}/evil.parquet'": False,
    "SELECT 1 /* ; */; DROP TABLE nothing": True,
    "SELECT 1 INTO t": True,
    "SELECT $1": True,
    "SELECT ?": True,
    "SELECT * FROM nothing": True,
    "SELECT * FROM memory.main.events": True,
    "SELECT * FROM other.events": True,
    "SELECT * FROM attacker": True,
    "": True,
    "-- nothing": True,
    "SELECT FROM WHERE": True,
    "SELECT 'open": True,
    "SELECT \x00": True,
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("warehouse")


@pytest.fixture(scope="module")
def engine(warehouse: Path) -> Iterator[Connection]:
    with connect_lake(warehouse, locked=True) as connection:
        yield connection


@pytest.fixture
def locked(engine: Connection) -> Iterator[Connection]:
    with engine.cursor() as connection:  # what one attack leaves behind (a transaction, a schema) ends with it
        yield connection


@pytest.mark.parametrize("sql", FINE)
def test_a_select_over_the_lake_passes(sql: str, locked: Connection) -> None:
    texts = ", ".join(f"{n} VARCHAR" for n in ("region", "event_uid", "event_name", "src_ip", "error_code", "raw_data"))
    columns = f"time TIMESTAMPTZ, bytes BIGINT, entities VARCHAR[], {texts}"
    locked.execute(f"CREATE TEMP TABLE events ({columns})")
    locked.execute(f"CREATE TEMP TABLE signals ({columns})")
    locked.execute('CREATE TEMP TABLE api_activity (src_ip VARCHAR, actor STRUCT("user" STRUCT(uid VARCHAR)))')
    tree = check_select(sql, TABLES)
    locked.execute(tree.sql(dialect="duckdb")).fetchall()


@pytest.mark.parametrize("sql", ATTACKS)
def test_an_attack_is_refused_by_the_guard(sql: str, warehouse: Path) -> None:
    with pytest.raises(UsageError, match="exactly one SELECT"):
        check_select(sql.replace("{warehouse}", str(warehouse)), TABLES)


@pytest.mark.parametrize(("sql", "stopped"), ATTACKS.items())
def test_what_the_locked_engine_alone_would_stop(sql: str, stopped: bool, locked: Connection, warehouse: Path) -> None:
    attacker = [1]  # a Python variable: DuckDB must not take it for a table
    try:
        refused = locked.execute(sql.replace("{warehouse}", str(warehouse))) is None
    except duckdb.Error:
        refused = True
    assert refused == stopped, attacker


def test_a_query_that_is_too_long_or_too_deep() -> None:
    for sql in ("SELECT " + "1" * 200_000, "SELECT " + "(" * 5_000 + "1" + ")" * 5_000):
        with pytest.raises(UsageError):
            check_select(sql, TABLES)


def test_the_message_names_the_fault() -> None:
    with pytest.raises(UsageError, match=r"the table function read_text is not allowed"):
        check_select("SELECT * FROM read_text('/etc/passwd')", TABLES)
    with pytest.raises(UsageError, match=r"there is no table nothing; there are api_activity, events, signals"):
        check_select("SELECT * FROM nothing", TABLES)
