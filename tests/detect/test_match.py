"""Invented rules on invented records: the Matcher, each rule's SQL predicate and the naive evaluator agree."""

import json
import pickle
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.detect.engine import BASE, CLOUDTRAIL, SOURCES, full_scan, matched, matched_raw, raw_table, rule
from tests.detect.naive import rule_holds, texts
from trailkeep.detect.match import MATCHES, Matcher, explain
from trailkeep.detect.tree import fold
from trailkeep.detect.witness import witness
from trailkeep.engine.duckdb import connect
from trailkeep.normalize.mapping import Mapper

PIECES = [
    "a",
    "B",
    "ab",
    "Ba",
    "*",
    "?",
    "\\",
    "%",
    "_",
    "~",
    "'",
    '"',
    "é",
    "É",
    "ß",
    "İ",
    "K",
    "σ",
    "ς",
    "⟨v⟩",
    "1",
    ".",
    "\n",
    " ",
]
NAMES = ["CreateUser", "createuser", "DeleteUser", "Straße", "İ"]
FIELDS = ["requestParameters", "requestParameters.a", "requestParameters.a.b", "requestParameters.a.b.c",
          "requestParameters.b", "additionalEventData.a", "additionalEventData", "eventName", "userIdentity.type",
          "errorCode", "sourceIPAddress", "absent", "absent.a"]  # fmt: skip
text = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
scalar = st.one_of(text, st.none(), st.booleans(), st.integers(-3, 12), st.sampled_from([0.5, 1.5, -2.25]))
address = st.sampled_from(["10.1.2.3", "10.200.0.1", "fe80::1", "2001:db8::ff", "ab"])


def documents(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    nested = st.recursive(
        values,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
        ),
        max_leaves=6,
    )
    return nested.filter(lambda value: depth(value) <= 2)


def depth(value: Any) -> int:
    """How many arrays stand directly in one another at most; field access promises to open two."""
    if isinstance(value, dict):
        return max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        direct = max((depth(one) for one in value if isinstance(one, list)), default=0)
        return max(1 + direct, *(depth(one) for one in value), 0)
    return 0


records = st.fixed_dictionaries(
    {"eventName": st.sampled_from(NAMES), "userIdentity": st.fixed_dictionaries({"type": text.filter(bool)})},
    optional={
        "requestParameters": st.none() | st.dictionaries(st.sampled_from(["a", "b"]), documents(scalar), max_size=2),
        "additionalEventData": documents(scalar),
        "errorCode": text,
        "sourceIPAddress": address,
    },
)
string_keys = st.sampled_from(["", "|contains", "|startswith", "|endswith", "|cased", "|cased|contains", "|neq",
                               "|contains|all", "|all", "|contains|neq"])  # fmt: skip
networks = st.sampled_from(["10.0.0.0/9", "10.1.2.3/32", "fe80::/10", "2001:db8::/33", "::/0"])
expressions = st.sampled_from(["a", "^a", "b$", "a.b", "[ab]+1?", "é", "(a|1)$", "^$"])


def values(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return strategy | st.lists(strategy, min_size=1, max_size=3)


@st.composite
def entry(draw: st.DrawFn) -> tuple[str, Any]:
    name = draw(st.sampled_from(FIELDS))
    match draw(st.integers(0, 9)):
        case 0:
            return name, draw(values(st.none() | text))
        case 1:
            return name, draw(values(st.integers(-3, 12) | st.booleans() | st.sampled_from([0.5, 1.5])))
        case 2:
            return f"{name}|exists", draw(st.booleans())
        case 3:
            flags = "".join(f"|{flag}" for flag in draw(st.sets(st.sampled_from("ims"))))
            return f"{name}|re{flags}", draw(values(expressions))
        case 4:
            return f"{name}|cidr", draw(values(networks))
        case 5:
            return f"{name}|{draw(st.sampled_from(['lt', 'lte', 'gt', 'gte']))}", draw(st.integers(-3, 12))
        case 6:
            how = draw(st.sampled_from(["", "|startswith", "|endswith", "|contains", "|neq"]))
            return f"{name}|fieldref{how}", draw(st.sampled_from(FIELDS))
        case 7:
            return "eventName", draw(values(st.sampled_from(NAMES)))
    return name + draw(string_keys), draw(values(text))


keywords = st.lists(text.filter(lambda value: value.strip("*?\\")), min_size=1, max_size=2)
search = st.one_of(
    st.lists(entry(), min_size=1, max_size=3).map(dict),
    st.lists(st.lists(entry(), min_size=1, max_size=2).map(dict), min_size=1, max_size=2),
    keywords,
)
conditions = st.recursive(
    st.sampled_from(["one", "two", "three", "1 of t*", "all of them", "any of *e", "all of t*"]),
    lambda inner: st.one_of(
        inner.map(lambda c: f"not ({c})"),
        st.tuples(inner, st.sampled_from(["and", "or", "and not", "or not"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
    ),
    max_leaves=4,
)
detections = st.fixed_dictionaries(
    {
        "one": search,
        "two": search,
        "three": search,
        "condition": conditions | st.lists(conditions, min_size=1, max_size=2),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(detections, min_size=1, max_size=6), st.lists(records, min_size=1, max_size=8))
def test_engine_and_naive_evaluator_agree(invented: list[dict[str, Any]], given_records: list[dict[str, Any]]) -> None:
    found = matched([rule(detection) for detection in invented], given_records)
    whole = [BASE | record for record in given_records]
    raws = [json.dumps(record, ensure_ascii=False) for record in whole]
    for number, detection in enumerate(invented):
        for record, (parsed, raw) in enumerate(zip(whole, raws, strict=True)):
            assert ((number, record) in found) == rule_holds(parsed, raw, detection), (detection, parsed)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(detections, st.lists(records, min_size=1, max_size=8))
def test_a_witness_never_hides_a_match(detection: dict[str, Any], given_records: list[dict[str, Any]]) -> None:
    one = rule(detection)
    found = witness(one.detection, CLOUDTRAIL)
    if found is None:
        return
    con = connect()
    events = Mapper(con).map(CLOUDTRAIL, raw_table(json.dumps(BASE | record) for record in given_records)).events
    con.register("events", events)
    hits = con.execute(full_scan(one, CLOUDTRAIL)).fetchall()
    led_to = " OR ".join(f"lower({column}) = ?" for column, _ in sorted(found)) or "false"
    query = f"SELECT record_no FROM events WHERE {led_to}"
    assert set(hits) <= set(con.execute(query, [value for _, value in sorted(found)]).fetchall())


def test_witness_prefers_event_names() -> None:
    def of(search: dict[str, Any], condition: str = "s") -> object:
        return witness(rule({"s": search, "t": {"eventSource": "x"}, "condition": condition}).detection, CLOUDTRAIL)

    name = ('"event_name"', "createuser")
    assert of({"eventName": "CreateUser", "eventSource": "iam", "requestParameters.a": "b"}) == {name}
    assert of({"eventSource": "iam", "errorCode": "x"}) == {('"service"', "iam")}
    assert of({"eventName": "CreateUser"}, "s or t") == {name, ('"service"', "x")}
    assert of({"eventName": "CreateUser"}, "s and not t") == {name}
    assert of({"eventName": "CreateUser"}, "not s") is None
    assert of({"eventName|startswith": "Create", "requestParameters.a": "b"}) is None
    assert of({"eventName|neq": "CreateUser"}) is None


def test_a_matcher_is_pickled_with_its_rules_and_sources() -> None:
    matcher = Matcher([rule({"s": {"eventName": "CreateUser"}, "condition": "s"})], {"aws_cloudtrail": CLOUDTRAIL})
    con = connect()
    events = Mapper(con).map(CLOUDTRAIL, raw_table([json.dumps(BASE)])).events
    copy = pickle.loads(pickle.dumps(matcher))
    assert copy.match(con, events, "aws_cloudtrail", CLOUDTRAIL.natives).to_pylist() == [
        {"object_id": "0" * 32, "record_no": 0, "rule": 0, "row": 0}
    ]


def test_no_rules_and_no_events_give_no_matches() -> None:
    con = connect()
    events = Mapper(con).map(CLOUDTRAIL, raw_table([json.dumps(BASE)])).events
    assert Matcher([], SOURCES).match(con, events, "aws_cloudtrail", []).equals(MATCHES.empty_table())
    named, keyword = (
        {"s": {"eventName": "CreateUser"}, "condition": "s"},
        {"s": ["alice"], "condition": "s"},
    )
    matcher = Matcher([rule(named), rule(keyword)], SOURCES)
    assert matcher.match(con, events.slice(0, 0), "aws_cloudtrail", CLOUDTRAIL.natives).equals(MATCHES.empty_table())


def test_events_without_native_columns_are_matched_from_raw_data() -> None:
    con = connect()
    record = BASE | {"requestParameters": {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}}
    events = Mapper(con).map(CLOUDTRAIL, raw_table([json.dumps(record)])).events
    matcher = Matcher(
        [rule({"s": {"requestParameters.policyArn|endswith": "/AdministratorAccess"}, "condition": "s"})],
        SOURCES,
    )
    bare = events.drop_columns([name for name in events.column_names if name.startswith("$")])
    assert len(matcher.match(con, bare, "aws_cloudtrail", [])) == 1


def test_names_that_differ_only_in_case_are_fields_of_their_own() -> None:
    small, large = (rule({"s": {name: "x"}, "condition": "s"}) for name in ("extraField", "ExtraField"))
    both = rule({"s": {"extraField": "x", "ExtraField": "y"}, "condition": "s"})
    records = [{"extraField": "x"}, {"ExtraField": "x"}, {"extraField": "x", "ExtraField": "y"}]
    assert matched([small, large, both], records) == {(0, 0), (1, 1), (0, 2), (2, 2)}


def test_fields_of_delimited_sources() -> None:
    logsource = SOURCES["aws_vpc_flow"].logsource
    header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end"
    header += " action log-status"
    lines = [
        "2 111122223333 eni-1 10.0.0.1 10.0.0.2 55555 22 6 10 840 1700000000 1700000060 ACCEPT OK",
        "2 111122223333 eni-1 192.0.2.9 10.0.0.2 55555 443 6 10 99 1700000000 1700000060 REJECT OK",
    ]
    searches: list[dict[str, Any]] = [
        {"dstport": 22, "action": "accept"},
        {"srcaddr|cidr": "192.0.2.0/24", "bytes|lt": 100},
        {"account-id": "111122223333", "log-status": "ok"},
        {"start|year": 2023, "dstport|gte": 443},
        {"nothing": None, "dst.port": None},
    ]
    rules = [rule({"s": one, "condition": "s"}, logsource) for one in searches]
    found = matched_raw(rules, raw_table(lines, header), SOURCES["aws_vpc_flow"])
    assert found == {(0, 0), (1, 1), (2, 0), (2, 1), (3, 1), (4, 0), (4, 1)}


def test_explain_shows_the_witness_and_the_predicate() -> None:
    shown = explain(rule({"s": {"eventName": "CreateUser", "errorCode": None}, "condition": "s"}), CLOUDTRAIL)
    assert "witness: \"event_name\" = 'createuser'" in shown
    assert "LOWER(\"event_name\") = 'createuser'" in shown
    other = rule({"s": ["x"], "condition": "s"}, {"product": "windows"})
    assert "is not for aws_cloudtrail" in explain(other, CLOUDTRAIL)


def test_the_naive_evaluator_opens_arrays() -> None:
    assert texts({"a": [{"b": 1}, {"b": [2, [True]]}, {"c": 3}]}, "a.b") == ["1", "2", "[true]", "true"]


def test_lower_case_is_the_same_everywhere() -> None:
    characters = pa.array([chr(code) for code in range(1, 0x20000) if not 0xD800 <= code < 0xE000])
    con = connect()
    con.register("characters", pa.table({"c": characters}))
    lowered = con.execute("SELECT lower(c) FROM characters").to_arrow_table().column(0).to_pylist()
    assert lowered == [fold(one) for one in characters.to_pylist()]
