"""Sliding windows: conformance vectors, and random streams against the definition."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detect.correlations import correlation, members
from tests.detect.naive_correlation import naive
from trailkeep.detect.rule import Correlation
from trailkeep.detect.windows import Member, evaluate

EVENTS_3 = {"kind": "event_count", "bounds": (("gte", 3.0),)}
AB = ("a", "b")
ABC = ("a", "b", "c")


def value(kind: str, *bounds: tuple[str, float], **more: Any) -> dict[str, Any]:
    return {"kind": kind, "fields": ("v",), "bounds": bounds, **more}


# What it is about; the correlation; signals; the hits, as their words; the moments of starts.
VECTORS: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("as many as asked for", EVENTS_3, "a1 a2 a3", "a1 a2 a3", "3"),
    ("one too few", EVENTS_3, "a1 a2", "", ""),
    ("exactly the span", EVENTS_3, "a0 a5 a10", "a0 a5 a10", "10"),
    ("a microsecond more than the span", EVENTS_3, "a0 a5 a10.000001", "", ""),
    ("across a minute", EVENTS_3, "a58 a59 a61", "a58 a59 a61", "61"),
    ("across a bucket of the span", EVENTS_3, "a8 a9 a12", "a8 a9 a12", "12"),
    ("across an hour", EVENTS_3, "a3595 a3599 a3601", "a3595 a3599 a3601", "3601"),
    ("across two buckets, each with too few", EVENTS_3, "a6 a9.9 a10.1 a14", "a6 a9.9 a10.1 a14", "10.1"),
    ("a burst inside a long silence", EVENTS_3, "a1 a100 a101 a102 a300", "a100 a101 a102", "102"),
    ("stale ones before a burst", EVENTS_3, "a1 a9 a30 a31 a32", "a30 a31 a32", "32"),
    ("one after a burst, too late", EVENTS_3, "a1 a2 a3 a14", "a1 a2 a3", "3"),
    ("one after a burst, in time", EVENTS_3, "a1 a2 a3 a12", "a1 a2 a3 a12", "3"),
    ("it goes on for long", EVENTS_3, "a0 a4 a8 a12 a16 a20", "a0 a4 a8 a12 a16 a20", "8"),
    ("two happenings", EVENTS_3, "a1 a2 a3 a50 a51 a52", "a1 a2 a3 a50 a51 a52", "3 52"),
    ("again within the span of the last", EVENTS_3, "a1 a2 a3 a12 a12.5 a13", "a1 a2 a3 a12 a12.5 a13", "3"),
    ("again after a pause of more than the span", EVENTS_3, "a1 a2 a3 a14 a15 a16", "a1 a2 a3 a14 a15 a16", "3 16"),
    ("all at one time", EVENTS_3, "a7 a7 a7", "a7 a7 a7", "7"),
    ("too few at one time", EVENTS_3, "a7 a7", "", ""),
    ("one event under two rules counts once", EVENTS_3 | {"rules": AB}, "a1#x b1#x a2#y b2#y", "", ""),
    ("events of several rules", EVENTS_3 | {"rules": AB}, "a1 b2 a3", "a1 b2 a3", "3"),
    ("more than", {"kind": "event_count", "bounds": (("gt", 2.0),)}, "a1 a2 a3", "a1 a2 a3", "3"),
    ("more than, not as many", {"kind": "event_count", "bounds": (("gt", 3.0),)}, "a1 a2 a3", "", ""),
    ("fewer than", {"kind": "event_count", "bounds": (("lt", 2.0),)}, "a1 a2", "a1", "1"),
    ("at most", {"kind": "event_count", "bounds": (("lte", 2.0),)}, "a1 a2 a3", "a1 a2", "1"),
    ("exactly", {"kind": "event_count", "bounds": (("eq", 2.0),)}, "a1 a2 a3", "a1 a2", "2"),
    ("any number but", {"kind": "event_count", "bounds": (("neq", 1.0),)}, "a1 a2", "a1 a2", "2"),
    ("a range", {"kind": "event_count", "bounds": (("gte", 2.0), ("lte", 3.0))}, "a1 a2 a3 a4", "a1 a2 a3", "2"),
    ("a range that is left and entered", {"kind": "event_count", "bounds": (("gte", 2.0), ("lt", 3.0))},
     "a1 a2 a3 a30 a31", "a1 a2 a30 a31", "2 31"),
    ("different values", value("value_count", ("gte", 3.0)), "a1=x a2=y a3=z", "a1 a2 a3", "3"),
    ("the same value again and again", value("value_count", ("gte", 2.0)), "a1=x a2=x a3=x", "", ""),
    ("a value that is missing is none", value("value_count", ("gte", 2.0)), "a1=x a2 a3", "", ""),
    ("values that have left the window", value("value_count", ("gte", 3.0)), "a1=x a2=y a13=z", "", ""),
    ("a value that comes back", value("value_count", ("gte", 2.0)), "a1=x a8=x a12=y", "a8 a12", "12"),
    ("values of several rules", value("value_count", ("gte", 2.0), rules=AB), "a1=x b2=y", "a1 b2", "2"),
    ("one value exactly", value("value_count", ("eq", 1.0)), "a1=x a2=x a3=y", "a1 a2", "1"),
    ("both", {"kind": "temporal", "rules": AB}, "a1 b2", "a1 b2", "2"),
    ("both, the other way round", {"kind": "temporal", "rules": AB}, "b1 a2", "b1 a2", "2"),
    ("both at one time", {"kind": "temporal", "rules": AB}, "a1 b1", "a1 b1", "1"),
    ("one twice is not both", {"kind": "temporal", "rules": AB}, "a1 a2", "", ""),
    ("both, too far apart", {"kind": "temporal", "rules": AB}, "a1 b11.5", "", ""),
    ("both, exactly the span apart", {"kind": "temporal", "rules": AB}, "a1 b11", "a1 b11", "11"),
    ("both in one event", {"kind": "temporal", "rules": AB}, "a1#x b1#x", "a1 b1", "1"),
    ("a stale one beside them", {"kind": "temporal", "rules": AB}, "a1 a20 b21", "a20 b21", "21"),
    ("three, one is missing", {"kind": "temporal", "rules": ABC}, "a1 b2 b3", "", ""),
    ("three, across each other", {"kind": "temporal", "rules": ABC}, "c1 a5 b11", "c1 a5 b11", "11"),
    ("two of three", {"kind": "temporal", "rules": ABC, "bounds": (("gte", 2.0),)}, "a1 c2", "a1 c2", "2"),
    ("a and not c", {"kind": "temporal", "rules": ("a", "c"), "condition": ("=a", "=c", "not", "and")},
     "a1 c20 a21", "a1", "1"),
    ("a or b, and c", {"kind": "temporal", "rules": ABC, "condition": ("=a", "=b", "or", "=c", "and")},
     "b1 c2", "b1 c2", "2"),
    ("in order", {"kind": "temporal_ordered", "rules": AB}, "a1 b2", "a1 b2", "2"),
    ("in the wrong order", {"kind": "temporal_ordered", "rules": AB}, "b1 a2", "", ""),
    ("at equal times any order is right", {"kind": "temporal_ordered", "rules": AB}, "b1 a1", "a1 b1", "1"),
    ("three at equal times", {"kind": "temporal_ordered", "rules": ABC}, "c1 b1 a1", "a1 b1 c1", "1"),
    ("in order, too far apart", {"kind": "temporal_ordered", "rules": AB}, "a1 b11.5", "", ""),
    ("in order, exactly the span apart", {"kind": "temporal_ordered", "rules": AB}, "a1 b11", "a1 b11", "11"),
    ("first wrong, then right", {"kind": "temporal_ordered", "rules": AB}, "b1 a2 b3", "a2 b3", "3"),
    ("one in between that is in no chain", {"kind": "temporal_ordered", "rules": ABC}, "a1 c2 b3 c4", "a1 b3 c4", "4"),
    ("a stale beginning", {"kind": "temporal_ordered", "rules": AB}, "a1 a20 b21", "a20 b21", "21"),
    ("several beginnings", {"kind": "temporal_ordered", "rules": AB}, "a1 a2 a3 b4", "a1 a2 a3 b4", "4"),
    ("the middle too early", {"kind": "temporal_ordered", "rules": ABC}, "b1 a2 c3", "", ""),
    ("two chains, one happening", {"kind": "temporal_ordered", "rules": AB}, "a1 b2 a3 b4", "a1 b2 a3 b4", "2"),
    ("two chains, far apart", {"kind": "temporal_ordered", "rules": AB}, "a1 b2 a40 b41", "a1 b2 a40 b41", "2 41"),
    ("a sum", value("value_sum", ("gt", 10.0)), "a1=5 a2=6", "a1 a2", "2"),
    ("a sum that leaves the window", value("value_sum", ("gt", 10.0)), "a1=5 a12=6", "", ""),
    ("a sum of what is no number", value("value_sum", ("gt", 10.0)), "a1=many a2=11", "a1 a2", "2"),
    ("a sum of tenths is exact", value("value_sum", ("eq", 0.3)), "a1=0.1 a2=0.2", "a1 a2", "2"),
    ("an event under two rules is added once", value("value_sum", ("gt", 10.0), rules=AB), "a1#x=6 b1#x=6", "", ""),
    ("a mean", value("value_avg", ("gte", 4.0)), "a1=2 a2=6", "a1 a2", "2"),
    ("a mean that falls", value("value_avg", ("gte", 4.0)), "a1=6 a2=0", "a1", "1"),
    ("no mean of nothing", value("value_avg", ("lt", 4.0)), "a1 a2=x", "", ""),
    ("a median of three", value("value_median", ("eq", 5.0)), "a1=1 a2=9 a3=5", "a1 a2 a3", "2"),
    ("a median of two", value("value_median", ("gte", 5.0)), "a1=1 a2=9", "a1 a2", "2"),
    ("a percentile", value("value_percentile", ("gt", 8.0), percentile=90.0), "a1=1 a2=1 a3=10", "a1 a2 a3", "3"),
    ("the least", value("value_percentile", ("eq", 1.0), percentile=0.0), "a1=3 a2=1", "a1 a2", "2"),
    ("the most", value("value_percentile", ("gte", 3.0), percentile=100.0), "a1=1 a2=3", "a1 a2", "2"),
]  # fmt: skip


def asked(given: dict[str, Any]) -> Correlation:
    return correlation(
        given["kind"], given.get("rules", ("a",)), **{k: v for k, v in given.items() if k not in ("kind", "rules")}
    )


@pytest.mark.parametrize(("about", "given", "signals", "hits", "starts"), VECTORS, ids=[v[0] for v in VECTORS])
def test_vectors(about: str, given: dict[str, Any], signals: str, hits: str, starts: str) -> None:
    one, some = asked(given), members(signals)
    found = evaluate(one, some)
    told = [f"{some[place].rule}{some[place].time / 1e6:g}" for place in found.hits]
    assert sorted(told) == sorted(hits.split()), about
    assert [some[place].time / 1e6 for place in found.starts] == [float(moment) for moment in starts.split()], about
    assert found == naive(one, some)


def test_there_are_enough_vectors() -> None:
    assert len(VECTORS) >= 60
    assert len({about for about, *_ in VECTORS}) == len(VECTORS)


OPERATORS = st.sampled_from(["gt", "gte", "lt", "lte", "eq", "neq"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[Correlation, list[Member]]:
    kind = draw(
        st.sampled_from(
            [
                "event_count",
                "value_count",
                "temporal",
                "temporal_ordered",
                "value_sum",
                "value_avg",
                "value_median",
                "value_percentile",
            ]
        )
    )
    rules = ("a", "b", "c")[: draw(st.integers(1, 3))]
    bounds = tuple((draw(OPERATORS), float(draw(st.integers(0, 6)))) for _ in range(draw(st.integers(1, 2))))
    condition: tuple[str, ...] = ()
    if kind.startswith("temporal"):
        bounds = ()
        if kind == "temporal" and len(rules) > 1 and draw(st.booleans()):
            condition = draw(
                st.sampled_from([("=a", "=b", "and"), ("=a", "=b", "or"), ("=a", "=b", "not", "and"), ("=a", "not")])
            )
    fields = ("v",) if kind.startswith("value") else ()
    percentile = float(draw(st.sampled_from([0, 25, 50, 90, 100]))) if kind == "value_percentile" else None
    one = correlation(
        kind,
        rules,
        bounds=bounds,
        fields=fields,
        percentile=percentile,
        condition=condition,
        timespan=draw(st.integers(1, 6)),
    )
    values = st.sampled_from(["0", "1", "2", "3.5", "-1", "x", "1e2", None])
    some = draw(
        st.lists(
            st.builds(
                lambda time, event, rule, text: Member(time * 500_000, event, rule, (text,)),
                st.integers(0, 40),
                st.sampled_from([f"e{number}" for number in range(12)]),
                st.sampled_from(rules),
                values,
            ),
            max_size=14,
        )
    )
    # An event has one time, and each rule one signal of it.
    times: dict[str, int] = {}
    unique = {(each.event, each.rule): each._replace(time=times.setdefault(each.event, each.time)) for each in some}
    return one, sorted(unique.values(), key=lambda each: each[:3])


@settings(max_examples=1500, deadline=None)
@given(streams())
def test_any_stream(drawn: tuple[Correlation, list[Member]]) -> None:
    one, some = drawn
    assert evaluate(one, some) == naive(one, some)
