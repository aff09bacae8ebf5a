"""Searches over a small lake of the shipped samples, against filters in plain Python over all its events."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.investigate.search.lakes import NOW, make_lake
from trailkeep.core.columns import EVENTS
from trailkeep.core.errors import UsageError
from trailkeep.core.source import Source, load_sources
from trailkeep.engine.duckdb import Connection
from trailkeep.engine.reading import connect_lake
from trailkeep.investigate.search.conditions import Meaning
from trailkeep.investigate.search.query import parse
from trailkeep.investigate.search.reach import MAX_SPANS, few, merged, overlap, reach
from trailkeep.investigate.search.run import SearchResult, search
from trailkeep.lake.home import Home
from trailkeep.lake.snapshot import DataFile, Span, current_snapshot

ALL = [column.name for column in EVENTS]
Row = dict[str, Any]


class Lake:
    def __init__(self, home: Home, con: Connection, sources: dict[str, Source], rows: list[Row]) -> None:
        self.home, self.con, self.sources, self.rows = home, con, sources, rows

    def search(self, text: str, **options: Any) -> SearchResult:
        options = {"now": NOW, "limit": 10_000, "columns": ALL} | options
        return search(self.con, self.home, self.sources, text, **options)

    def naive(self, test: Callable[[Row], bool]) -> list[tuple[str, str, int]]:
        """The keys of the rows that pass, newest first, each event_uid once."""
        rows = sorted(filter(test, self.rows), key=lambda r: (r["event_uid"], r["object_id"], r["record_no"]))
        rows.sort(key=lambda r: r["time"], reverse=True)
        return list({row["event_uid"]: key(row) for row in reversed(rows)}.values())[::-1]


def key(row: Row) -> tuple[str, str, int]:
    return row["event_uid"], row["object_id"], row["record_no"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    sources = load_sources()
    home = make_lake(tmp_path_factory.mktemp("lake") / "home", sources)
    with connect_lake(home.warehouse) as con:
        location = current_snapshot(home).events
        rows = con.execute(f"SELECT * FROM iceberg_scan('{location}')").to_arrow_table().to_pylist()
        yield Lake(home, con, sources, rows)


def native(row: Row, *path: str) -> list[str]:
    """The texts at a path of a JSON record, any member of an array."""
    found = [json.loads(row["raw_data"])] if row["source"] == "aws_cloudtrail" else []
    for name in path:
        members = [m for value in found for m in (value if isinstance(value, list) else [value])]
        found = [m[name] for m in members if isinstance(m, dict) and m.get(name) is not None]
    leaves = [m for value in found for m in (value if isinstance(value, list) else [value])]
    return [v if isinstance(v, str) else json.dumps(v, separators=(",", ":")) for v in leaves]


def inside(network: str, address: str | None) -> bool:
    try:
        return address is not None and ip_address(address) in ip_network(network)
    except ValueError:
        return False


def has(entity: str, row: Row) -> bool:
    return entity.lower() in [e.lower() for e in row["entities"]]


def lower(row: Row, name: str) -> str:
    return (row[name] or "").lower()


CASES: dict[str, Callable[[Row], bool]] = {
    "": lambda r: True,
    "*": lambda r: True,
    "eventName:createuser": lambda r: lower(r, "event_name") == "createuser",
    "event_name:Create*": lambda r: lower(r, "event_name").startswith("create"),
    "event_name:*user": lambda r: lower(r, "event_name").endswith("user"),
    "event_name:Create?ser": lambda r: lower(r, "event_name") == "createuser",
    "api.operation:CreateUser": lambda r: r["event_name"] == "CreateUser",
    "not event_name:Create*": lambda r: not lower(r, "event_name").startswith("create"),
    "error_code:*": lambda r: r["error_code"] is not None,
    "-error_code:*": lambda r: r["error_code"] is None,
    "source:AWS_VPC_FLOW": lambda r: r["source"] == "aws_vpc_flow",
    "class_uid:3001": lambda r: r["class_uid"] == 3001,
    "class_uid:300?": lambda r: str(r["class_uid"]).startswith("300"),
    "bytes:>4000": lambda r: (r["bytes"] or 0) > 4000,
    "bytes:[1000 TO 4249]": lambda r: r["bytes"] is not None and 1000 <= r["bytes"] <= 4249,
    "dst_port:<=1024 or dst_port:3389": lambda r: (r["dst_port"] or 9999) <= 1024 or r["dst_port"] in (0, 3389),
    "src_ip:203.0.113.0/24": lambda r: inside("203.0.113.0/24", r["src_ip"]),
    "src_ip:203.0.113.40": lambda r: r["src_ip"] == "203.0.113.40",
    "src_ip:2001:db8::/32": lambda r: inside("2001:db8::/32", r["src_ip"]),
    "203.0.113.0/24": lambda r: any(inside("203.0.113.0/24", e) for e in r["entities"]),
    "entity:10.0.0.0/8": lambda r: any(inside("10.0.0.0/8", e) for e in r["entities"]),
    "203.0.113.40": lambda r: "203.0.113.40" in r["entities"],
    "entity:111122223333 or 444455556666": lambda r: {"111122223333", "444455556666"} & set(r["entities"]) != set(),
    "entity:arn:aws:iam::*": lambda r: any(e.lower().startswith("arn:aws:iam::") for e in r["entities"]),
    "userIdentity.type:iamuser": lambda r: "iamuser" in [v.lower() for v in native(r, "userIdentity", "type")],
    "userIdentity.sessionContext.attributes.mfaAuthenticated:FALSE": lambda r: (
        "false" in native(r, "userIdentity", "sessionContext", "attributes", "mfaAuthenticated")
    ),
    "requestParameters.userName:*": lambda r: native(r, "requestParameters", "userName") != [],
    "not requestParameters.userName:*": lambda r: native(r, "requestParameters", "userName") == [],
    "resources.ARN:arn:aws:s3*": lambda r: any(v.startswith("arn:aws:s3") for v in native(r, "resources", "ARN")),
    "resources:*S3*": lambda r: any("s3" in (v or "").lower() for v in r["resources"] or ()),
    "requestParameters:*user*": lambda r: any("user" in v.lower() for v in native(r, "requestParameters")),
    "action:reject": lambda r: r["source"] == "aws_vpc_flow" and r["action_id"] == 2,
    "srcaddr:198.51.100.9": lambda r: r["source"] == "aws_vpc_flow" and "198.51.100.9" in r["raw_data"].split(),
    "log-status:NODATA": lambda r: (
        r["source"] in ("aws_vpc_flow", "aws_tgw_flow") and "NODATA" in r["raw_data"].split()
    ),
    '"Create"': lambda r: "create" in r["raw_data"].lower(),
    '"\\"eventName\\""': lambda r: '"eventName"' in r["raw_data"],
    '"203.0.113"': lambda r: "203.0.113" in r["raw_data"],
    "accesskey*": lambda r: "accesskey" in r["raw_data"].lower(),
    "session_mfa:false": lambda r: r["session_mfa"] is False,
    "time:2026-03-02": lambda r: r["time"].date().isoformat() == "2026-03-02",
    "time:>2026-03-02T08:12": lambda r: r["time"] >= datetime(2026, 3, 2, 8, 13, tzinfo=UTC),
    "time:[2026-03-01 TO 2026-03-02]": lambda r: "2026-03-01" <= r["time"].isoformat() < "2026-03-03",
    "(source:aws_cloudtrail not (class_uid:6003 or class_uid:3001)) or dst_port:443": lambda r: (
        (r["source"] == "aws_cloudtrail" and r["class_uid"] not in (6003, 3001)) or r["dst_port"] == 443
    ),
    "entity:203.0.113.40 and not action_id:1": lambda r: "203.0.113.40" in r["entities"] and r["action_id"] != 1,
}


@pytest.mark.parametrize("text", CASES)
def test_a_search_finds_what_a_naive_filter_finds(text: str, lake: Lake) -> None:
    result = lake.search(text)
    assert [key(row) for row in result.rows.to_pylist()] == lake.naive(CASES[text])
    assert not result.more
    assert result.rows.column_names == ALL


def test_the_cases_are_about_something(lake: Lake) -> None:
    empty = [text for text, test in CASES.items() if not any(map(test, lake.rows))]
    assert empty == []
    uids = [row["event_uid"] for row in lake.rows]
    assert len(set(uids)) < len(uids)


@pytest.mark.parametrize("part", range(8))  # minutes in all: parts run side by side
def test_each_entity_is_found_with_and_without_sightings(part: int, lake: Lake) -> None:
    for entity in sorted({e for row in lake.rows for e in row["entities"]})[part::8]:
        written = entity.replace("\\", r"\\")
        found = lake.search(f'entity:"{written}"', columns=["event_uid", "object_id", "record_no"]).rows.to_pylist()
        assert [key(row) for row in found] == lake.naive(partial(has, entity)), entity


def test_limit_newest_first_and_whole_rows(lake: Lake) -> None:
    whole = lake.search("").rows.to_pylist()
    for limit in (1, 3, len(whole)):
        result = lake.search("", limit=limit)
        assert result.rows.to_pylist() == whole[:limit]
        assert result.more == (limit < len(whole))
    by_key = {key(row): row for row in lake.rows}
    assert whole == [by_key[key(row)] for row in whole]
    assert lake.search("", limit=3, columns=["event_name", "time"]).rows.to_pylist() == [
        {"event_name": row["event_name"], "time": row["time"]} for row in whole[:3]
    ]


def test_since_and_until(lake: Lake) -> None:
    since, until = datetime(2026, 3, 2, 8, 12, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
    result = lake.search("", since="2026-03-02T08:12", until="2026-03-03")
    assert [key(row) for row in result.rows.to_pylist()] == lake.naive(lambda r: since <= r["time"] < until)
    days = (NOW - since).days
    relative = lake.search("", since=f"{days}d", until="now").rows.to_pylist()
    assert [key(r) for r in relative] == lake.naive(lambda r: NOW - timedelta(days=days) <= r["time"] < NOW)
    with pytest.raises(UsageError, match="nothing can lie between"):
        lake.search("", since="1d", until="2d")


def test_explain_counts_files_and_bytes(lake: Lake) -> None:
    plain = lake.search("").explain
    assert plain is None
    everything = lake.search("", explain=True).explain
    nothing = lake.search("time:1999-01-01", explain=True).explain
    assert everything and nothing
    assert everything.files == len(current_snapshot(lake.home).files) == everything.files_read
    assert (nothing.files_read, nothing.bytes_read) == (0, 0)
    assert nothing.files_pruned == everything.files
    assert everything.bytes_read > 0 and nothing.metadata_bytes_read > 0
    narrow = lake.search("", explain=True, columns=["time"]).explain
    assert narrow and narrow.bytes_read < everything.bytes_read
    assert lake.search("", explain=True).explain == everything, "its counts do not depend on a cache"


def test_sightings_narrow_a_search(lake: Lake) -> None:
    snapshot = current_snapshot(lake.home)
    node, meaning = parse("entity:203.0.113.40 time:>2000-01-01"), Meaning("", lake.sources, NOW)
    spans = reach(lake.con, snapshot, node, meaning)
    assert spans is not None
    times = [(row["source"], row["time"]) for row in lake.rows if "203.0.113.40" in row["entities"]]
    assert all(any(s.source == source and s.first <= time <= s.last for s in spans) for source, time in times)
    for text in ("not entity:203.0.113.40", "entity:203.0.113.40 or event_name:x", "entity:*", "src_ip:203.0.113.40"):
        assert reach(lake.con, snapshot, parse(text), meaning) is None, text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("evntName:x", "did you mean eventName"),
        ("bytes:many", "bytes is a number"),
        ("time:yesterday", "is not a time"),
        ("session_mfa:maybe", "is true or false"),
        ("src_ip:>x", "is a number here"),
        ("raw_sha256:>1", "has no order"),
        ("a..b:1", "there is no field"),
    ],
)
def test_a_condition_that_cannot_be(text: str, why: str, lake: Lake) -> None:
    with pytest.raises(UsageError, match=why) as error:
        lake.search(text)
    assert "at character" in str(error.value)


def test_bad_options(lake: Lake) -> None:
    with pytest.raises(UsageError, match="there is no column nothing"):
        lake.search("", columns=["nothing"])
    with pytest.raises(UsageError, match="at least 1"):
        lake.search("", limit=0)


def test_a_lake_without_events(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = make_lake(tmp_path_factory.mktemp("empty") / "home", {})
    with connect_lake(home.warehouse) as con:
        for text in ("", "203.0.113.40", "eventName:x"):
            assert len(search(con, home, load_sources(), text, now=NOW, explain=True).rows) == 0


FIELDS = st.sampled_from(["event_name", "bytes", "time", "entities", "src_ip", "session_mfa", "raw_sha256", "readOnly"])
VALUES = st.sampled_from(
    ["*", "1", "x", "2001:db8::/32", '"a b"', "[1 TO 2]", ">1e400", "<-5", "true", "2026-03-02", "\\"]
)
TERMS = st.builds("{}:{}".format, FIELDS, VALUES) | st.text(min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(st.lists(TERMS | st.sampled_from(["or", "not", "(", ")"]), max_size=5).map(" ".join))
def test_any_query_answers_or_is_a_usage_error(lake: Lake, text: str) -> None:
    try:
        lake.search(text, limit=2)
    except UsageError as error:
        assert str(error)


def test_spans() -> None:
    def span(first: int, last: int, source: str = "a") -> Span:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        return Span(source, start + timedelta(hours=first), start + timedelta(hours=last))

    assert merged([span(5, 6), span(0, 2), span(2, 3), span(1, 1, "b")]) == [span(0, 3), span(5, 6), span(1, 1, "b")]
    assert overlap([span(0, 4), span(6, 9)], [span(3, 7), span(0, 9, "b")]) == [span(3, 4), span(6, 7)]
    assert few([span(0, 1), span(2, 3), span(9, 9)], [DataFile("f", 1, span(0, 4), sighted=True)]) == [
        span(0, 3),
        span(9, 9),
    ]
    many = [span(10 * n + n % 3, 10 * n + 3) for n in range(40)]
    less = few(many, [])
    assert len(less) == MAX_SPANS
    assert all(any(w.first <= s.first and s.last <= w.last for w in less) for s in many)
