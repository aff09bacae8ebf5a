"""Each modifier, value kind and condition of Sigma, one case a line: detection, record, whether it matches."""

import base64
from typing import Any

import pytest

from tests.detect.engine import Matches, matched, matches, rule


def field(key: str, value: Any) -> dict[str, Any]:
    return {"s": {f"requestParameters.{key}": value}, "condition": "s"}


# key and value of a rule on requestParameters, what requestParameters.f is, whether the rule matches
VALUES: list[tuple[str, Any, Any, bool]] = [
    # equality, case, empty and null
    ("f", "Admin", "aDMIN", True),
    ("f", "Admin", "Admins", False),
    ("f", "", "", True),
    ("f", "", None, False),
    ("f", None, None, True),
    ("f", None, "", False),
    ("f", None, [], True),
    ("f", None, [None], True),
    ("f", None, {}, False),
    ("g", None, "x", True),
    ("f", ["", None], None, True),
    ("f", "ÄÖß", "äöß", True),
    ("f", "ß", "ss", False),
    ("f", "ẞ", "ß", True),
    ("f", "İstanbul", "istanbul", True),
    ("f", "ΣΑΣ", "σασ", True),
    ("f|cased", "Admin", "admin", False),
    ("f|cased", "Admin", "Admin", True),
    ("f|cased|contains", "dmI", "AdmIn", True),
    ("f|cased|contains", "dmi", "AdmIn", False),
    # wildcards and backslashes
    ("f", "a*c", "ABBBC", True),
    ("f", "a*c", "a\nc", True),
    ("f", "a?c", "abc", True),
    ("f", "a?c", "aéc", True),
    ("f", "a?c", "ac", False),
    ("f", "*", "", True),
    ("f", "*", None, False),
    ("f", r"a\*c", "a*c", True),
    ("f", r"a\*c", "abc", False),
    ("f", r"a\?c", "a?c", True),
    ("f", r"a\\*", "a\\bc", True),
    ("f", r"a\\\*", "a\\*", True),
    ("f", r"C:\Windows", "c:\\windows", True),
    ("f", "a_c", "abc", False),
    ("f", "a_*", "a_c", True),
    ("f", "a_*", "abc", False),
    ("f", "100%*x?", "100%abxy", True),
    ("f", "100%*x?", "1000abxy", False),
    ("f", "a~*?b", "a~~~b", True),
    ("f", "it's", "IT'S", True),
    ("f|contains", "", "x", True),
    ("f|contains", "B", "abc", True),
    ("f|contains", "reverse-shell", "a REVERSE-SHELL b", True),
    ("f|contains", "reverse-shell", "averse-shell", False),
    ("f|contains", "a*b", "xxaxxbxx", True),
    ("f|startswith", "Ab", "abc", True),
    ("f|startswith", "b", "abc", False),
    ("f|endswith", "BC", "abc", True),
    ("f|endswith", "b", "abc", False),
    ("f|contains|all", ["a", "b"], "xbxa", True),
    ("f|contains|all", ["a", "b"], "xa", False),
    ("f|neq", "a", "b", True),
    ("f|neq", "a", "A", False),
    ("f|neq", "a", None, True),
    ("f|contains|neq", ["a", "b"], "xb", False),
    # numbers, booleans
    ("f", 5, 5, True),
    ("f", 5, "5", True),
    ("f", "5", 5, True),
    ("f", 5, 5.5, False),
    ("f", 1.5, 1.5, True),
    ("f", 12345678901234567890, 12345678901234567890, True),
    ("f|startswith", 44, 443, True),
    ("f", True, True, True),
    ("f", True, "TRUE", True),
    ("f", "False", False, True),
    ("f|contains", True, True, True),
    ("f|lt", 5, 4.9, True),
    ("f|lt", 5, 5, False),
    ("f|lte", 5, "5", True),
    ("f|gt", 5, "abc", False),
    ("f|gt", -1.5, -1, True),
    ("f|gte", 5, "nan", False),
    ("f|gt", 5, None, False),
    # existence
    ("f|exists", True, "x", True),
    ("f|exists", True, None, False),
    ("f|exists", False, None, True),
    ("g|exists", False, "x", True),
    # regular expressions
    ("f|re", "^a.c$", "abc", True),
    ("f|re", "b", "abc", True),
    ("f|re", "B", "abc", False),
    ("f|re|i", "B", "abc", True),
    ("f|re", "a.c", "a\nc", False),
    ("f|re|s", "a.c", "a\nc", True),
    ("f|re", "^c", "a\nc", False),
    ("f|re|m", "^c", "a\nc", True),
    ("f|re|i|m|s", "^C.d", "a\nc\nd", True),
    ("f|re", "a{2}'\"", "aa'\"", True),
    ("f|re", r"\d+\.\d", "v10.5", True),
    ("f|re|contains", "a|b", "xbx", True),
    # addresses
    ("f|cidr", "10.0.0.0/9", "10.127.255.255", True),
    ("f|cidr", "10.0.0.0/9", "10.128.0.0", False),
    ("f|cidr", "10.0.0.0/8", "10.example.com", False),
    ("f|cidr", "10.0.0.0/8", "10.1.2.300", False),
    ("f|cidr", "10.1.2.3/32", "10.1.2.3", True),
    ("f|cidr", "0.0.0.0/0", "255.255.255.255", True),
    ("f|cidr", "0.0.0.0/0", "::1", False),
    ("f|cidr", ["192.168.0.0/16", "10.0.0.0/8"], "10.1.2.3", True),
    ("f|cidr", "fe80::/10", "FEBF::1", True),
    ("f|cidr", "fe80::/10", "fec0::1", False),
    ("f|cidr", "2001:db8::/32", "2001:0DB8:0:0:0:0:0:1", True),
    ("f|cidr", "2001:db8::/33", "2001:db8:8000::", False),
    ("f|cidr", "::1/128", "::1", True),
    ("f|cidr", "::1/128", "0:0:0:0:0:0:0:1", True),
    ("f|cidr", "::/0", "::", True),
    ("f|cidr", "::/0", "1.2.3.4", False),
    ("f|cidr", "::/0", "dead:beef", False),
    # times
    ("f|hour", 5, "2026-10-01T05:59:59Z", True),
    ("f|hour", 3, "2026-10-01T05:59:59+02:00", True),
    ("f|minute", 59, "2026-10-01T05:59:59.123Z", True),
    ("f|day", 1, "2026-10-01T05:59:59Z", True),
    ("f|week", 40, "2026-10-01T05:59:59Z", True),
    ("f|month", 10, "2026-10-01", True),
    ("f|year", 2026, "2026-10-01 05:00:00", True),
    ("f|year", 2023, 1700000000, True),
    ("f|year", 2026, "yesterday", False),
    ("f|hour|gte", 5, "2026-10-01T05:59:59Z", True),
    ("f|hour|lt", 5, "2026-10-01T05:59:59Z", False),
    # encodings
    ("f|base64", "foo", "Zm9v", True),
    ("f|base64|contains", "foo", "xxZm9vxx", True),
    ("f|utf16le|base64", "é", base64.b64encode("é".encode("utf-16le")).decode(), True),
    ("f|wide|base64", "cmd", base64.b64encode("cmd".encode("utf-16le")).decode(), True),
    ("f|utf16be|base64", "cmd", base64.b64encode("cmd".encode("utf-16be")).decode(), True),
    ("f|utf16|base64", "cmd", base64.b64encode("cmd".encode("utf-16")).decode(), True),
    ("f|base64offset|contains", "secret", base64.b64encode(b"xsecret!").decode(), True),
    ("f|base64offset|contains", "secret", base64.b64encode(b"xysecret!").decode(), True),
    ("f|base64offset|contains", "secret", base64.b64encode(b"nothing").decode(), False),
    (
        "f|utf16le|base64offset|contains",
        "é",
        base64.b64encode(b"xy" + "é!".encode("utf-16le")).decode(),
        True,
    ),
    ("f|utf16le", "ab", "a\u0000b\u0000", True),
    ("f|windash|contains", " -p ", "x /p y", True),
    ("f|windash|contains", " -p ", "x –p y", True),
    ("f|windash|contains|all", [" -a ", " -b "], " /a  -b ", True),
    # placeholders: admins = root, adm*
    ("f|expand", "%admins%", "ADMbob", True),
    ("f|expand", "%admins%", "bob", False),
    ("f|expand|endswith", "/%admins%", "user/root", True),
    ("f", "%admins%", "%admins%", True),
    # arrays and objects
    ("f", "b", ["a", "B"], True),
    ("f", "b", ["a", ["b"]], True),
    ("f", 2, [1, 2], True),
    ("f|neq", "b", ["a", "b"], False),
    ("f.g", "x", [{"g": "y"}, {"g": "x"}], True),
    ("f.g.h", "x", {"g": [{"h": ["y", "x"]}]}, True),
    ("f.g.h", "x", [[{"g": [{"h": "x"}]}]], True),
    ("f.g", None, [{"h": 1}], True),
    ("f.g", "x", {"g": "x"}, True),
    ("f.g", "x", "g", False),
    ("f|contains", '"port":22', {"port": 22, "cidr": "0.0.0.0/0"}, True),
    ("f|contains", '"port":22', [{"port": 22}], True),
    ("f", '{"a":1}', {"a": 1}, True),
    ("f|contains", "é", {"a": "É"}, True),
    ("f.aws:x", "y", {"aws:x": "y"}, True),
    ("f.0", "a", ["a"], False),
]


@pytest.fixture(scope="module")
def found() -> Matches:
    """Every rule of VALUES on every record of it: more than is asked, and the two ways to match must agree."""
    rules = [rule(field(key, value)) for key, value, _, _ in VALUES]
    return matched(rules, [{"requestParameters": {"f": given}} for _, _, given, _ in VALUES])


@pytest.mark.parametrize(
    "number", range(len(VALUES)), ids=[f"{key}: {value!r} on {given!r}" for key, value, given, _ in VALUES]
)
def test_value(found: Matches, number: int) -> None:
    assert ((number, number) in found) is VALUES[number][3]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("yes", True),
        ("no", False),
        ("not no", True),
        ("yes and not no", True),
        ("yes or no and no", True),
        ("(yes or no) and no", False),
        ("not (yes and no)", True),
        ("not yes or yes", True),
        ("1 of them", True),
        ("all of them", False),
        ("any of y*", True),
        ("all of y*", True),
        ("1 of no*", False),
        ("not 1 of n*", True),
        ("all of _*", True),
        (["no", "yes"], True),
        (["no", "no"], False),
    ],
)
def test_condition(condition: Any, expected: bool) -> None:
    searches = {
        "yes": {"eventName": "CreateUser"},
        "no": {"eventName": "x"},
        "_hidden": {"eventName": "create*"},
    }
    assert matches(searches | {"condition": condition}, {}) is expected


def test_all_of_them_skips_names_that_begin_with_an_underscore() -> None:
    searches = {"a": {"eventName": "CreateUser"}, "_b": {"eventName": "x"}}
    assert matches(searches | {"condition": "all of them"}, {})


@pytest.mark.parametrize(
    ("search", "record", "expected"),
    [
        ({"a": ["alice", "zed"]}, {}, True),
        ({"a": "zed"}, {}, False),
        ({"a": ["ali?e"]}, {}, True),
        ({"a": {"|all": ["ALICE", "iam.amazonaws.com"]}}, {}, True),
        ({"a": {"|all": ["alice", "zed"]}}, {}, False),
        ({"a": ['say "hi"']}, {"userAgent": 'they say "hi"'}, True),
        ({"a": ["C:\\temp"]}, {"userAgent": "in C:\\temp"}, True),
        ({"a": ["straße"]}, {"userAgent": "STRAßE"}, True),
        ({"a": [111122223333]}, {}, True),
        ({"a": {"|re": '"userName": ?"a'}}, {}, True),
        ({"a": ["alice", {"eventName": "x"}]}, {}, True),
        ({"a": [{"eventName": "x"}, {"eventName": "createuser", "awsRegion": "EU-*"}]}, {}, True),
    ],
)
def test_search(search: dict[str, Any], record: dict[str, Any], expected: bool) -> None:
    assert matches(search | {"condition": "a"}, record) is expected


@pytest.mark.parametrize(
    ("key", "other", "expected"),
    [
        ("a|fieldref", "b", True),
        ("a|fieldref", "c", False),
        ("a|fieldref|neq", "c", True),
        ("a|fieldref", "missing", False),
        ("missing|fieldref", "absent", False),
        ("a|fieldref|startswith", "d", True),
        ("a|fieldref|endswith", "e", True),
        ("a|fieldref|contains", "f", True),
        ("list|fieldref", "d", True),
    ],
)
def test_fieldref(key: str, other: str, expected: bool) -> None:
    parameters = {"a": "x-1", "b": "X-1", "c": "y", "d": "X", "e": "1", "f": "-", "list": ["q", "x"]}
    assert matches(field(key, f"requestParameters.{other}"), {"requestParameters": parameters}) is expected


def test_stored_and_native_fields_compare() -> None:
    detection = {"s": {"userIdentity.userName|fieldref": "requestParameters.userName"}, "condition": "s"}
    records = [{"requestParameters": {"userName": name}} for name in ("ALICE", "bob", None)]
    assert matched([rule(detection)], records) == {(0, 0)}


def test_logsource_routes() -> None:
    detection = {"s": {"eventName": "CreateUser"}, "condition": "s"}
    sources = [{"product": "aws"}, {"product": "AWS", "service": "CloudTrail"}, {"service": "cloudtrail"}]
    others = [
        {"product": "windows"},
        {"product": "aws", "service": "waf"},
        {"category": "network", "product": "aws"},
    ]
    found = matched([rule(detection, logsource) for logsource in (*sources, *others)], [{}])
    assert found == {(0, 0), (1, 0), (2, 0)}
