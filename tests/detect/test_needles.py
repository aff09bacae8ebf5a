"""Searching texts for needles agrees with folding each; the needles of a test are in whatever it finds."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tests.detect.engine import matches, rule
from trailkeep.detect.needles import Haystack
from trailkeep.detect.tree import Test, fold, leaves
from trailkeep.engine.duckdb import connect

PIECES = ["a", "A", "ab", "İ", "ß", "Σ", "ς", "K", "É", "1", "/", " "]
text = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
CON = connect()


@given(st.lists(st.none() | text, min_size=1, max_size=6), text.map(fold), st.data())
def test_rows_are_those_whose_folded_text_holds_the_needle(
    texts: list[str | None], needle: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(texts) - 1))
    length = data.draw(st.integers(0, len(texts) - start))
    rows = Haystack(CON, pa.array(texts, pa.string())).rows(needle, start, length)
    found = [rows] * length if isinstance(rows, bool) else rows.to_pylist()
    assert found == [one is not None and needle in fold(one) for one in texts[start : start + length]]


def needles(key: str, value: object) -> tuple[str, ...]:
    (leaf,) = leaves(rule({"s": {key: value}, "condition": "s"}).detection)
    assert isinstance(leaf, Test)
    return leaf.needles


def test_the_needles_of_a_test() -> None:
    assert needles("requestParameters.a", "Admin") == ("admin",)
    assert needles("requestParameters.a", ["Admin", "Root"]) == ("admin", "root")
    assert needles("requestParameters.a|contains", "Admin*Access") == ("access",)
    assert needles("requestParameters.a|cased|startswith", "Admin") == ("admin",)
    assert needles("requestParameters.a", True) == ("true",)
    assert needles("requestParameters.a|re", "admin") == ()


def test_what_json_spells_otherwise_is_no_needle() -> None:
    assert needles("requestParameters.a", ["plain", 'say "hi"']) == ()
    assert needles("requestParameters.a|contains", "C:\\\\Users*Público") == ("público",)
    assert matches(
        {"s": {"requestParameters.a|contains": 'Y "hI'}, "condition": "s"}, {"requestParameters": {"a": 'say "hi"'}}
    )
    assert matches({"s": {"requestParameters|contains": "\\\\u"}, "condition": "s"}, {"requestParameters": "C:\\Users"})
    assert matches({"s": {"requestParameters.ä*": "x"}, "condition": "s"}, {"requestParameters": {"ä*": "X"}})
    assert matches({"s": {"requestParameters.*": "x"}, "condition": "s"}, {"requestParameters": {"a": "X"}})
    assert matches({"s": {"requestParameters.*.b": "x"}, "condition": "s"}, {"requestParameters": {"a": {"b": "X"}}})
