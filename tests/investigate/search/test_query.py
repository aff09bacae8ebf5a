"""The grammar of the search language, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailkeep.core.errors import UsageError
from trailkeep.investigate.search.query import And, Everything, Match, Node, Not, Or, Range, parse, pieces, to_text

A, B, C = Match("a", "1"), Match("b", "2"), Match("c", "3")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", Everything()),
        ("  ", Everything()),
        ("a:1", A),
        ("a:1 b:2", And((A, B))),
        ("a:1 AND b:2", And((A, B))),
        ("a:1 or b:2 c:3", Or((A, And((B, C))))),
        ("(a:1 or b:2) c:3", And((Or((A, B)), C))),
        ("not a:1", Not(A)),
        ("-a:1 b:2", And((Not(A), B))),
        ("not (a:1 or b:2)", Not(Or((A, B)))),
        ("a:(1 or 2)", Or((A, Match("a", "2")))),
        ("a:(not 1 2)", And((Not(A), Match("a", "2")))),
        ('a:"x \\"y\\" (z"', Match("a", 'x "y" (z', quoted=True)),
        ('"Access Denied"', Match(None, "Access Denied", quoted=True)),
        ("word", Match(None, "word")),
        ("198.51.100.7", Match(None, "198.51.100.7")),
        ("2001:db8::1", Match(None, "2001:db8::1")),
        ("2001:db8::/32", Match(None, "2001:db8::/32")),
        ("arn:aws:iam::111122223333:role/x", Match(None, "arn:aws:iam::111122223333:role/x")),
        ("user_uid:arn:aws:iam::1:user/x", Match("user_uid", "arn:aws:iam::1:user/x")),
        ("src_ip:2001:db8::1", Match("src_ip", "2001:db8::1")),
        ("userIdentity.type:Root", Match("userIdentity.type", "Root")),
        ("pkt-srcaddr:x", Match("pkt-srcaddr", "x")),
        ("bytes:>1000", Range("bytes", "1000", None, low_included=False)),
        ("bytes:<=1000", Range("bytes", None, "1000")),
        ("bytes:[1 TO *]", Range("bytes", "1", None)),
        ('time:["2026-10-01 10:00" to 2026-10-02]', Range("time", "2026-10-01 10:00", "2026-10-02")),
        ("a:1 AND(b:2)", And((A, B))),
        ("order:1", Match("order", "1")),
        ("notes", Match(None, "notes")),
    ],
)
def test_a_query(text: str, tree: Node) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "at", "why"),
    [
        ("(a:1", 1, "never closed"),
        ("a:1)", 4, "no opening one"),
        ('a:"x', 3, "quote is never closed"),
        ("a:", 3, "a value is missing after a:"),
        ("a:1 or", 7, "is missing here"),
        ("a:1 or or b:2", 8, "joins two conditions"),
        ("not", 4, "is missing here"),
        ("bytes:[1 2]", 7, "write a range as"),
        ("bytes:>", 8, "a value is missing after bytes:"),
        ("(" * 100 + "a" + ")" * 100, 61, "levels of brackets"),
    ],
)
def test_a_mistake_is_pointed_at(text: str, at: int, why: str) -> None:
    with pytest.raises(UsageError, match=why) as error:
        parse(text)
    assert f"^ at character {at}" in str(error.value)


def test_wildcards_and_backslashes() -> None:
    assert pieces(Match("a", r"x*y?\*z\\")) == ["x", "*", "y", "?", "*z\\"]
    assert pieces(Match("a", "x*", quoted=True)) == ["x*"]
    assert pieces(Match("a", "*")) == ["", "*", ""]


WORDS = st.sampled_from(
    ["a:", "bytes:", "eventName:", '"', '"x y"', "(", ")", "[", "]", " TO ", " ", "and", "or", "not", "-", "*", "?"]
    + ["\\", ">", "<=", "1.2.3.4", "::1/64", "arn:aws:s3:::x", "x", "Ä", "\n", "time:2026-10-01T00:00:00Z"]
)


@given(st.lists(WORDS, max_size=14).map("".join) | st.text(max_size=40))
def test_any_text_parses_and_prints_back_or_is_a_usage_error(text: str) -> None:
    try:
        tree = parse(text)
    except UsageError:
        return
    assert parse(to_text(tree)) == tree
