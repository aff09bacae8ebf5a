"""Correlations over batches: whatever order signals come in, the outcome is that of all of them in order of time."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, func, select

from tests.detect.correlations import correlation
from tests.detect.naive_correlation import naive
from trailkeep.detect.correlate import LATE, Changes, Given, correlate
from trailkeep.detect.rule import Correlation
from trailkeep.detect.windows import Member
from trailkeep.store.database import open_database, sqlite_url
from trailkeep.store.tables import correlated

NOW = datetime(2026, 11, 29, 8, tzinfo=UTC)
FACTS = ("ConsoleLogin", "111122223333", "eu-west-1", "198.51.100.7", "o1", 0)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return open_database(sqlite_url(tmp_path_factory.mktemp("state") / "state.db"))


def signal(rule: str, seconds: float, event: str, **fields: str | None) -> Given:
    return Given(rule, round(seconds * 1_000_000), event, fields, FACTS)


Key = tuple[str, tuple[str | None, ...], str]


class Told:
    """What a series of batches told in sum: hits by correlation, group and event."""

    def __init__(self, state: Engine, *correlations: Correlation) -> None:
        self.state, self.correlations = state, correlations
        self.hits: dict[tuple[str, str], set[tuple[str | None, ...]]] = defaultdict(set)
        with state.begin() as connection:
            connection.execute(delete(correlated))

    def batch(self, *signals: Given, now: datetime = NOW) -> Changes:
        with self.state.begin() as connection:
            changes = correlate(connection, signals, self.correlations, now)
        for each in changes.lost:
            self.hits.pop(each, None)
        for hit in changes.gained:
            self.hits[hit.correlation.id, hit.event].add(hit.group)
        return changes

    def rows(self) -> int:
        with self.state.connect() as connection:
            return connection.execute(select(func.count()).select_from(correlated)).scalar() or 0


def expected(one: Correlation, signals: list[Given]) -> set[tuple[str, str]]:
    groups: dict[tuple[str | None, ...], set[Member]] = defaultdict(set)
    for each in signals:
        group = tuple(each.fields.get(one.field_of(name, each.rule)) for name in one.group_by)
        values = tuple(each.fields.get(one.field_of(name, each.rule)) for name in one.fields)
        groups[group].add(Member(each.time, each.event, each.rule, values))
    found = set()
    for some in groups.values():
        ordered = sorted(some, key=lambda member: member[:3])
        found |= {(one.id, ordered[place].event) for place in naive(one, ordered).hits}
    return found


THREE = correlation("event_count", bounds=(("gte", 3.0),), group_by=("user",))


def test_batch_by_batch(state: Engine) -> None:
    told = Told(state, THREE)
    assert not told.batch(signal("a", 1, "e1", user="mara"), signal("a", 2, "e2", user="mara")).gained
    assert not told.batch(signal("a", 2, "e3", user="tom"), signal("other", 3, "e4", user="mara")).gained
    found = told.batch(signal("a", 3, "e5", user="mara"))
    assert [(hit.event, hit.group) for hit in found.gained] == [("e1", ("mara",)), ("e2", ("mara",)), ("e5", ("mara",))]
    assert [hit.event for hit in told.batch(signal("a", 12, "e6", user="mara")).gained] == ["e6"]
    assert found.gained[0].time == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert found.gained[0].facts == FACTS


def test_again_changes_nothing(state: Engine) -> None:
    told, some = Told(state, THREE), [signal("a", number, f"e{number}", user="mara") for number in range(3)]
    assert len(told.batch(*some).gained) == 3
    assert told.batch(*some) == Changes()
    assert told.rows() == 3


def test_a_late_one_joins_what_came_before_and_after(state: Engine) -> None:
    told = Told(state, THREE)
    assert not told.batch(signal("a", 1, "e1", user="m"), signal("a", 9, "e9", user="m")).gained
    assert {hit.event for hit in told.batch(signal("a", 5, "e5", user="m")).gained} == {"e1", "e5", "e9"}


def test_a_late_one_takes_back_what_was_found(state: Engine) -> None:
    one = correlation("temporal", ("a", "c"), condition=("=a", "=c", "not", "and"))
    told = Told(state, one)
    assert [hit.event for hit in told.batch(signal("a", 5, "e5")).gained] == ["e5"]
    assert told.batch(signal("c", 4, "e4")).lost == [("c", "e5")]
    assert not told.hits


def test_a_field_that_an_event_has_not_is_a_group_of_its_own(state: Engine) -> None:
    told = Told(state, THREE)
    found = told.batch(*(signal("a", number, f"e{number}") for number in range(3)), signal("a", 1, "x", user="mara"))
    assert {hit.group for hit in found.gained} == {(None,)}


def test_aliases(state: Engine) -> None:
    one = correlation(
        "temporal", ("a", "b"), group_by=("address",), aliases={"address": {"a": "sourceIPAddress", "b": "srcaddr"}}
    )
    told = Told(state, one)
    found = told.batch(
        signal("a", 1, "e1", sourceIPAddress="192.0.2.1"),
        signal("b", 2, "e2", srcaddr="192.0.2.2"),
        signal("b", 3, "e3", srcaddr="192.0.2.1"),
    )
    assert {hit.event for hit in found.gained} == {"e1", "e3"}


def test_what_refers_to_another_counts_its_happenings(state: Engine) -> None:
    outer = correlation("event_count", ("c",), id="outer", bounds=(("gte", 2.0),), group_by=("user",), timespan=1000)
    told = Told(state, THREE, outer)
    first = [signal("a", number, f"e{number}", user="mara") for number in range(5)]
    assert {hit.correlation.id for hit in told.batch(*first).gained} == {"c"}
    second = [signal("a", 500 + number, f"f{number}", user="mara") for number in range(3)]
    found = [hit for hit in told.batch(*second).gained if hit.correlation.id == "outer"]
    assert [hit.time.timestamp() for hit in found] == [2, 502]
    assert {hit.group for hit in found} == {("mara",)}
    # A late one lets the first happening begin earlier: it is one happening still.
    told.batch(signal("a", -1, "late", user="mara"))
    assert len([key for key in told.hits if key[0] == "outer"]) == 2
    # What fills the pause makes one happening of two.
    changes = told.batch(*(signal("a", 4 + 5 * number, f"g{number}", user="mara") for number in range(100)))
    assert len([key for key in changes.lost if key[0] == "outer"]) == 2
    assert not [key for key in told.hits if key[0] == "outer"]


def test_the_state_is_forgotten(state: Engine) -> None:
    told = Told(state, THREE)
    told.batch(signal("a", 1, "e1", user="mara"))
    told.batch(signal("a", 2, "e2", user="mara"), now=NOW + LATE)
    assert told.rows() == 2
    told.batch(now=NOW + LATE + timedelta(seconds=11))
    assert told.rows() == 1


def test_a_correlation_that_was_changed_begins_anew(state: Engine) -> None:
    told = Told(state, THREE)
    told.batch(signal("a", 1, "e1", user="mara"), signal("a", 2, "e2", user="mara"))
    told.correlations = (replace(THREE, content_hash="1" * 64, group_by=("address",)),)
    assert not told.batch(signal("a", 3, "e3", user="mara")).gained


def test_a_migrated_state_has_the_same_table(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, inspect

    from trailkeep.store.database import MIGRATIONS
    from trailkeep.store.tables import metadata

    path = tmp_path / "old.db"
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(sqlite_url(path))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
    engine.dispose()
    migrated = inspect(open_database(sqlite_url(path)))
    table = metadata.tables["correlated"]
    assert [each["name"] for each in migrated.get_columns("correlated")] == [column.name for column in table.columns]
    assert [each["name"] for each in migrated.get_indexes("correlated")] == ["correlated_by_expiry"]


KINDS: list[dict[str, Any]] = [
    {"kind": "event_count", "bounds": (("gte", 3.0),)},
    {"kind": "event_count", "bounds": (("eq", 2.0),)},
    {"kind": "value_count", "bounds": (("gte", 2.0),), "fields": ("v",)},
    {"kind": "temporal"},
    {"kind": "temporal", "condition": ("=a", "=b", "not", "and")},
    {"kind": "temporal_ordered"},
    {"kind": "value_sum", "bounds": (("gt", 5.0),), "fields": ("v",)},
    {"kind": "value_median", "bounds": (("lt", 2.0),), "fields": ("v",)},
]
ONES = [
    correlation(**(kind | {"rules": ("a", "b"), "id": f"c{number}", "group_by": ("user",), "timespan": 4}))
    for number, kind in enumerate(KINDS)
]
SIGNALS = st.lists(
    st.builds(
        lambda time, rule, user, value: (time, rule, user, value),
        st.integers(0, 40),
        st.sampled_from("ab"),
        st.sampled_from(["mara", "tom", None]),
        st.sampled_from(["1", "2", "3", None]),
    ),
    max_size=24,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=SIGNALS, rng=st.randoms(use_true_random=False))
def test_any_order_in_any_batches(
    drawn: list[tuple[int, str, str | None, str | None]], rng: Any, state: Engine
) -> None:
    signals = [
        signal(rule, time / 2, f"e{number}", user=user, v=value)
        for number, (time, rule, user, value) in enumerate(drawn)
    ]
    told, left = Told(state, *ONES), [*signals, *signals[:3]]  # some are delivered twice
    rng.shuffle(left)
    while left:
        size = rng.randint(1, 6)
        told.batch(*left[:size])
        left = left[size:]
    wanted = set[tuple[str, str]]().union(*(expected(one, signals) for one in ONES))
    assert set(told.hits) == wanted
