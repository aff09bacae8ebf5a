"""Rules that ask for lists in; what they match with short lists, long ones, networks, and with none declared."""

import ipaddress
import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.detect.engine import BASE, CLOUDTRAIL, SOURCES, raw_table
from trailkeep.core.source import Source
from trailkeep.detect.declared import waits_for
from trailkeep.detect.lists import Lists, Members
from trailkeep.detect.match import Matcher, explain
from trailkeep.detect.rules import RulePack, load_rules
from trailkeep.detect.why import why
from trailkeep.engine.duckdb import connect
from trailkeep.lint import waiting
from trailkeep.normalize.mapping import Mapper

LONG = [f"user-{number}" for number in range(50_000)]


def pack_of(
    tmp_path: Path, *documents: Mapping[str, Any], cache: Path | None = None, **lists: Sequence[str]
) -> RulePack:
    texts = [
        json.dumps({"title": f"Rule {n}", "logsource": CLOUDTRAIL.logsource} | one) for n, one in enumerate(documents)
    ]
    (tmp_path / "rules.yml").write_text("\n---\n".join(texts))
    return load_rules([tmp_path / "rules.yml"], cache, lists)


def search(key: str, value: object, condition: str = "s") -> dict[str, Any]:
    return {"detection": {"s": {key: value}, "condition": condition}}


def events_of(records: Sequence[Mapping[str, Any]], source: Source = CLOUDTRAIL) -> pa.Table:
    texts = [json.dumps(BASE | record, ensure_ascii=False) for record in records]
    return Mapper(connect()).map(source, raw_table(texts)).events


def found(pack: RulePack, records: Sequence[Mapping[str, Any]]) -> set[tuple[int, int]]:
    """(rule, record), by a matcher as other processes get it; with natives at hand and without."""
    assert not pack.faults, pack.faults
    events = events_of(records)
    matcher = pickle.loads(pickle.dumps(Matcher(pack.rules, {CLOUDTRAIL.name: CLOUDTRAIL}, lists=pack.lists)))
    told = []
    for natives in (CLOUDTRAIL.natives, (), CLOUDTRAIL.natives):  # the last time from what it remembers
        kept = events.select([name for name in events.column_names if not name.startswith("$") or natives])
        rows = matcher.match(connect(), kept, CLOUDTRAIL.name, natives).to_pylist()
        told.append({(row["rule"], row["record_no"]) for row in rows})
    assert told[0] == told[1] == told[2]
    return set(told[0])


@pytest.mark.parametrize("condition", ["s", "not s", "other and not s", "s or other"])
@pytest.mark.parametrize("lists", [{}, {"mine": []}])
def test_a_rule_whose_list_nobody_declared_matches_nothing_in_either_polarity(
    tmp_path: Path, condition: str, lists: dict[str, list[str]]
) -> None:
    rule = search("userIdentity.userName|expand", "%mine%", condition)
    rule["detection"]["other"] = {"eventName": "CreateUser"}
    other = search("eventName", "CreateUser")
    pack = pack_of(tmp_path, rule, other, **lists)
    assert found(pack, [{}]) == {(1, 0)}
    assert pack.waiting == {pack.rules[0].id: ("mine",)}
    (note,) = waiting(pack)
    assert (note.line, note.reason) == (1, waits_for(["mine"]))
    assert "lists.mine (%mine%)" in note.reason
    assert "matches nothing: waits for lists.mine" in explain(pack.rules[0], CLOUDTRAIL)


def test_what_waits_says_the_key_that_declares_it() -> None:
    assert "organisation.accounts (%organisation_accounts%) and canaries.keys (%canary_keys%)" in waits_for(
        ["organisation_accounts", "canary_keys"]
    )


MEMBERSHIP: list[tuple[str, object, object, bool]] = [
    ("requestParameters.f|expand", "%mine%", "user-7", True),
    ("requestParameters.f|expand", "%MINE%", "USER-49999", True),
    ("requestParameters.f|expand", "%mine%", "user-50000", False),
    ("requestParameters.f|expand", "%mine%", ["x", "User-1"], True),
    ("requestParameters.f|expand", "%mine%", [], False),
    ("requestParameters.f|expand", "%mine%", None, False),
    ("requestParameters.f.g|expand", "%mine%", [{"g": "y"}, {"g": "user-3"}], True),
    ("requestParameters.f.g|expand", "%mine%", [{"g": "y"}, {"h": "user-3"}], False),
    ("requestParameters.f|expand|neq", "%mine%", "user-7", False),
    ("requestParameters.f|expand|neq", "%mine%", "bob", True),
    ("requestParameters.f|expand", "%mine%", "adm-bob", True),
    ("requestParameters.f|expand", "%few%", "ROOT", True),
    ("requestParameters.f|expand", ["x", "%few%"], "X", True),
    ("requestParameters.f|expand|contains", "%few%", "the root of it", True),
    ("requestParameters.f|expand|endswith", "/%few%", "user/root", True),
    ("requestParameters.f|expand|startswith", "%few%", "user/root", False),
    ("requestParameters.f|re|expand", "^%few%$", "root", True),
    ("requestParameters.f|expand|cased", "%few%", "Root", False),
    ("requestParameters.f|cidr|expand", "%nets%", "10.1.2.3", True),
    ("requestParameters.f|expand|cidr", "%nets%", "10.1.2.3", True),
    ("requestParameters.f|expand|cidr", ["%nets%", "192.0.2.0/24"], "192.0.2.9", True),
    ("requestParameters.f|expand|cidr", "%nets%", "11.1.2.3", False),
    ("requestParameters.f|expand|cidr", "%nets%", ["11.1.2.3", "2001:DB8::9"], True),
    ("requestParameters.f|expand|cidr|neq", "%nets%", "11.1.2.3", True),
    ("requestParameters.f|expand|cidr", "%nets%", "10.1.2.3/32", False),
    ("requestParameters.f|expand|cidr", "%nets%", "s3.amazonaws.com", False),
]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[int, int]]:
    """Every rule of MEMBERSHIP on every record of it."""
    nets = ["10.0.0.0/8", "203.0.113.7", "2001:db8::/32"]
    lists = {"mine": [*LONG, "adm-*"], "few": ["root", "admin"], "nets": nets}
    rules = [search(key, value) for key, value, _, _ in MEMBERSHIP]
    pack = pack_of(tmp_path_factory.mktemp("rules"), *rules, **lists)
    return found(pack, [{"requestParameters": {"f": given}} for _, _, given, _ in MEMBERSHIP])


@pytest.mark.parametrize("number", range(len(MEMBERSHIP)), ids=[f"{k}: {v!r} on {g!r}" for k, v, g, _ in MEMBERSHIP])
def test_membership(members: set[tuple[int, int]], number: int) -> None:
    assert ((number, number) in members) is MEMBERSHIP[number][3]


def test_stored_columns_whole_objects_and_top_fields(tmp_path: Path) -> None:
    addresses = [f"198.51.100.{n}" for n in range(256)] + [f"203.0.113.{n}" for n in range(256)]
    pack = pack_of(
        tmp_path,
        search("sourceIPAddress|expand", "%addresses%"),
        search("sourceIPAddress|expand|cidr", "%addresses%"),
        search("vpcEndpointId|expand", "%long%"),
        search("resources.ARN|expand", "%long%"),
        search("sharedEventID|expand", "%long%"),
        addresses=addresses,
        long=[*LONG, "vpce-1", "arn:aws:s3:::b"],
    )
    records: list[dict[str, Any]] = [
        {"sourceIPAddress": "203.0.113.255"},
        {"sourceIPAddress": "203.0.114.1", "vpcEndpointId": "VPCE-1"},
        {"sourceIPAddress": "ec2.amazonaws.com", "resources": [{"ARN": "arn:aws:s3:::a"}, {"ARN": "arn:aws:s3:::b"}]},
        {"resources": [{"ARN": "arn:aws:s3:::a"}], "sharedEventID": "user-9"},
        {"sharedEventID": ["User-10", "x"]},
        {"sharedEventID": "user"},
    ]
    assert found(pack, records) == {(0, 0), (1, 0), (2, 1), (3, 2), (4, 3), (4, 4)}


def test_a_text_is_found_however_the_record_spells_it(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, search("resources.ARN|expand|endswith", ":::%objects%"), objects=["acme/secret/plan.txt"])
    plain = json.dumps(BASE | {"resources": [{"ARN": "arn:aws:s3:::acme/secret/plan.txt"}]})
    texts = [
        plain,
        plain.replace("secret/plan", "secret\\/plan"),
        plain.replace("plan", "\\u0070lan"),
        json.dumps(BASE),
    ]
    events = Mapper(connect()).map(CLOUDTRAIL, raw_table(texts)).events
    matcher = Matcher(pack.rules, {CLOUDTRAIL.name: CLOUDTRAIL})
    rows = matcher.match(connect(), events, CLOUDTRAIL.name, CLOUDTRAIL.natives)
    assert sorted(rows["record_no"].to_pylist()) == [0, 1, 2]


@given(
    st.lists(
        st.one_of(st.ip_addresses(network="10.0.0.0/29"), st.ip_addresses(v=6, network="2001:db8::/125")), max_size=9
    ),
    st.lists(st.integers(24, 32), min_size=9, max_size=9),
    st.ip_addresses(network="10.0.0.0/23") | st.ip_addresses(network="2001:db8::/120"),
)
@example([], [24] * 9, ipaddress.ip_address("10.0.0.1"))
def test_networks_hold_what_ipaddress_says(hosts: list[Any], lengths: list[int], asked: Any) -> None:
    nets = [
        ipaddress.ip_network((host, length if host.version == 4 else length + 96), strict=False)
        for host, length in zip(hosts, lengths, strict=False)
    ]
    texts = pa.array([str(asked), None, "no address", f"{asked} "], pa.string())
    expected = any(asked in net for net in nets if net.version == asked.version)
    assert Members([str(net) for net in nets], networks=True).among(texts, texts).to_pylist() == [
        expected,
        *[False] * 3,
    ]


def test_a_list_that_is_no_network_is_a_fault_of_the_rule_and_names_the_value(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, search("sourceIPAddress|expand|cidr", "%nets%"), nets=["10.0.0.0/8", "tor.example.com"])
    (fault,) = pack.faults
    assert "list %nets% has 'tor.example.com'" in fault.reason and not pack.rules
    pack = pack_of(tmp_path, search("sourceIPAddress|expand|cidr", "x%nets%"), nets=["10.0.0.0/8"])
    assert "a network or one placeholder" in pack.faults[0].reason
    pack = pack_of(tmp_path, search("eventName|expand|re", "%nets%"), nets=["10.0.0.0/8"])
    assert "is written |re|expand" in pack.faults[0].reason


def test_an_undeclared_filter_leaves_its_rules_alone_and_is_told(tmp_path: Path) -> None:
    rule = search("eventName", "CreateUser")
    quiet = {"filter": {"rules": "any", "s": {"userIdentity.userName|expand": "%few%"}, "condition": "not s"}}
    pack = pack_of(tmp_path, rule, quiet)
    assert found(pack, [{}]) == {(0, 0)} and list(pack.waiting.values()) == [("few",)]
    pack = pack_of(tmp_path, rule, quiet, few=["alice"])
    assert found(pack, [{}]) == set() and not pack.waiting


def test_a_correlation_waits_if_its_rules_do(tmp_path: Path) -> None:
    rules = [search("eventName", "CreateUser") | {"name": "a"}, search("eventName|expand", "%few%") | {"name": "b"}]
    condition = {"timespan": "1h", "group-by": ["userIdentity.userName"]}
    documents = [
        *rules,
        {"correlation": {"type": "temporal", "rules": ["a", "b"]} | condition},
        {"correlation": {"type": "event_count", "rules": ["a", "b"], "condition": {"gte": 2}} | condition},
        {"correlation": {"type": "event_count", "rules": ["b"], "condition": {"gte": 2}} | condition},
    ]
    pack = pack_of(tmp_path, *documents)
    assert {one.title for one in pack.every if one.id in pack.waiting} == {"Rule 1", "Rule 2", "Rule 4"}
    assert not pack_of(tmp_path, *documents, few=["x"]).waiting


def test_a_compiled_rule_follows_its_list_and_does_not_hold_a_long_one(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    rules = search("userIdentity.userName|expand", "%mine%"), search("eventName", "x")
    for lists, matches in (({}, False), ({"mine": LONG}, False), ({"mine": [*LONG, "alice"]}, True), ({}, False)):
        for _ in range(2):
            assert bool(found(pack_of(tmp_path, *rules, cache=cache, **lists), [{}])) is matches
    assert max(entry.stat().st_size for entry in cache.iterdir()) < 10_000
    entries = len(list(cache.iterdir()))
    pack_of(tmp_path, *rules, cache=cache, others=["x"])
    assert len(list(cache.iterdir())) == entries, "compiled anew for a list that it does not ask for"


def test_why_tells_what_is_in_a_list(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, search("sourceIPAddress|expand|cidr", "%nets%", "not s"), nets=["10.0.0.0/8"])
    matcher = Matcher(pack.rules, SOURCES, lists=pack.lists)
    told = why(connect(), pack.rules[0], events_of([{"sourceIPAddress": "192.0.2.1"}]), CLOUDTRAIL, matcher)
    assert [(one.asks, one.holds, one.has) for one in told] == [
        ("not", True, None),
        ("sourceIPAddress is in a network of the list nets", False, "'192.0.2.1'"),
    ]
    assert "in_list('nets', v)" in explain(pack.rules[0], CLOUDTRAIL)


def test_names_of_lists_are_the_same_in_any_case() -> None:
    lists = Lists.of({"Admin_Accounts": ["x", "x"], "empty": []})
    assert lists.get("admin_accounts") == lists.get("ADMIN_ACCOUNTS") == ("x",)
    assert lists.get("empty") == lists.get("nobody") == ()
    assert set(lists.named_in("a|expand: '%ADMIN_accounts%'")) == {"admin_accounts"}
