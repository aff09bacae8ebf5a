"""Views over a small lake of the shipped samples: what they hold, and what conditions on them read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.investigate.search.lakes import make_lake
from trailkeep.core.columns import EVENTS
from trailkeep.core.errors import UsageError
from trailkeep.core.ocsf import CLASSES
from trailkeep.core.source import Source, load_sources
from trailkeep.engine.duckdb import Connection
from trailkeep.engine.reading import connect_lake
from trailkeep.lake.home import Home, create_home
from trailkeep.lake.views import register_views, select, view_names

SOURCES = load_sources()
Opened = tuple[Home, Connection]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    home = make_lake(tmp_path_factory.mktemp("lake") / "home", SOURCES)
    with connect_lake(home.warehouse, locked=True) as con:
        yield home, con


def rows(lake: Opened, sql: str) -> list[dict[str, object]]:
    home, con = lake
    return select(con, home, SOURCES, sql).to_pylist()


def test_the_views_that_there_are() -> None:
    classes = [ocsf_class.name for ocsf_class in CLASSES.values()]
    assert view_names(SOURCES) == ["events", "signals", *classes, *SOURCES]


def test_each_event_is_in_the_view_of_its_class_and_of_its_source(lake: Opened) -> None:
    total = rows(lake, "SELECT class_uid, source, count(*) AS n FROM events GROUP BY ALL")
    for uid, ocsf_class in CLASSES.items():
        [found] = rows(lake, f"SELECT count(*) AS n FROM {ocsf_class.name}")
        here = {row["source"]: row["n"] for row in total if row["class_uid"] == uid}
        assert found["n"] == sum(here.values()), (ocsf_class.name, here)
    for name in SOURCES:
        [found] = rows(lake, f"SELECT count(*) AS n FROM {name}")
        assert found["n"] == sum(row["n"] for row in total if row["source"] == name) > 0


def test_a_class_view_has_the_attributes_of_its_class_and_the_stored_columns(lake: Opened) -> None:
    for ocsf_class in CLASSES.values():
        home, con = lake
        names = select(con, home, SOURCES, f"SELECT * FROM {ocsf_class.name} LIMIT 0").column_names
        assert not {c.name for c in EVENTS} - set(names), ocsf_class.name
        assert {"metadata", "cloud", "raw_data", "time_dt", "type_uid"} < ocsf_class.attributes & set(names)


def test_nested_values_are_those_stored_and_those_in_the_record(lake: Opened) -> None:
    found = rows(
        lake,
        'SELECT api.operation AS operation, event_name, actor."user".uid AS uid, user_uid, metadata.uid AS event, '
        'event_uid, api.request.data AS request, raw_data, "time" AS ms, epoch_ms(time_dt) AS dt FROM api_activity '
        "WHERE source = 'aws_cloudtrail'",
    )
    assert len(found) > 5
    for row in found:
        assert (row["operation"], row["uid"], row["event"]) == (row["event_name"], row["user_uid"], row["event_uid"])
        assert row["ms"] == row["dt"]
        assert json.loads(row["request"] or "null") == json.loads(row["raw_data"]).get("requestParameters")


def test_a_source_view_has_native_names(lake: Opened) -> None:
    found = rows(
        lake,
        'SELECT eventName, userIdentity."type" AS kind, requestParameters AS request, raw_data FROM aws_cloudtrail',
    )
    for row in found:
        record = json.loads(row["raw_data"])
        assert row["eventName"] == record.get("eventName")
        if isinstance(record.get("userIdentity"), dict):
            assert row["kind"] == record["userIdentity"].get("type")
        assert json.loads(row["request"] or "null") == record.get("requestParameters")
    flows = rows(lake, "SELECT srcaddr, dstport, raw_data FROM aws_vpc_flow WHERE srcaddr = '198.51.100.9'")
    assert flows and all(row["srcaddr"] in row["raw_data"].split() for row in flows)


@pytest.mark.parametrize(
    "sql",
    [
        *(
            f"SELECT count(*) FROM {c.name} WHERE event_name = 'x' AND src_ip = 'y' AND time_dt > now()"
            for c in CLASSES.values()
        ),
        "SELECT count(*) FROM aws_cloudtrail WHERE eventName = 'x' AND sourceIPAddress = 'y' AND event_uid = 'z'",
        "SELECT count(*) FROM aws_vpc_flow WHERE dst_ip = 'x' AND \"time\" > now()",
    ],
)
def test_conditions_on_stored_columns_read_no_record(sql: str, lake: Opened) -> None:
    home, con = lake
    register_views(con, home, SOURCES, re.findall(r"FROM (\w+)", sql))
    [(_, plan)] = con.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()
    scans = [node for node in operators(json.loads(plan)) if node["name"].strip() == "ICEBERG_SCAN"]
    assert scans and "raw_data" not in json.dumps(scans)


def operators(nodes: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    for node in nodes:
        yield node
        yield from operators(node["children"])


def test_an_empty_lake(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home")
    with connect_lake(home.warehouse, locked=True) as con:
        for name in view_names(SOURCES):
            assert select(con, home, SOURCES, f"SELECT count(*) AS n FROM {name}").to_pylist() == [{"n": 0}]


def test_what_cannot_be_run(lake: Opened) -> None:
    for sql, why in (
        ("SELECT nothing FROM events", "nothing"),
        ("SELECT CAST('x' AS INTEGER)", "Could not convert"),
        ("SELECT * FROM read_text('/etc/passwd')", "not allowed"),
        ("SELECT repeat('x', 4000000000)", "not on the list"),
        ("SELECT len(list(i)) FROM range(10000000000) AS t(i)", "memory"),
    ):
        with pytest.raises(UsageError, match=why):
            rows(lake, sql)


def test_two_sources_may_make_one_class(lake: Opened) -> None:
    home, con = lake
    twice: dict[str, Source] = SOURCES | {"other": SOURCES["aws_vpc_flow"].model_copy(update={"name": "other"})}
    [found] = select(con, home, twice, "SELECT count(*) AS n FROM network_activity").to_pylist()
    assert [found] == rows(lake, "SELECT count(*) AS n FROM network_activity")
