"""Signals of a batch and what is known of earlier ones in, changed hits of correlations out.

The state has a row for each signal of each correlation that is about its rule. What a batch brings is put in its place
in event time, however late it is, and the windows around it are evaluated anew; the outcome is that of all signals in
their order of time, whatever order they came in. A row is forgotten once `timespan` and LATE have passed since it came.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib import import_module
from itertools import groupby
from typing import Any

import msgspec
import pyarrow as pa
from sqlalchemy import Connection, Row, bindparam, create_engine, delete, select, text, update

from trailkeep.detect.rule import Correlation
from trailkeep.detect.windows import Member, evaluate
from trailkeep.store.tables import correlated

LATE = timedelta(days=3)
_Change = tuple[Row[Any], tuple[str | None, ...], int, int]
"""A row, the values of its group, its flags before and after."""
_HIT, _START = 1, 2
_FACTS = ("event_name", "account_uid", "region", "src_ip", "object_id", "record_no")


@dataclass(frozen=True)
class Given:
    """A signal as correlations see it; `fields` are values of its event that they read, `time` microseconds."""

    rule: str
    time: int
    event: str
    fields: Mapping[str, str | None]
    facts: tuple[Any, ...]
    """event_name, account_uid, region, src_ip, object_id, record_no"""

    @property
    def object_id(self) -> str:
        """The object of its event."""
        return str(self.facts[_FACTS.index("object_id")])


@dataclass(frozen=True)
class Hit:
    """A signal that is part of what a correlation found; `group` are the values of its group_by."""

    correlation: Correlation
    group: tuple[str | None, ...]
    time: datetime
    event: str
    facts: tuple[Any, ...]


@dataclass
class Changes:
    """Hits that a batch brings, and (correlation id, event) of those that are none any more.

    `begun` are the signals with which a condition held that did not hold before: one for each happening.
    """

    gained: list[Hit] = field(default_factory=list)
    begun: list[Hit] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class _Work:
    """What is to be done for one correlation: signals to add and to take away, and spans of time by group."""

    added: list[Given] = field(default_factory=list)
    removed: list[tuple[str, str, int]] = field(default_factory=list)
    """(group, event, time)"""


def given_of(tables: Iterable[pa.Table], rules: Mapping[str, Any]) -> Iterator[Given]:
    """The signals in rows of source `trailkeep_signal` that any of `rules`, by id, is about."""
    for table in tables:
        names = ("rule_uid", "time", "related_event", "raw_data", *_FACTS)
        columns = [table[name] if name in table.column_names else pa.nulls(len(table)) for name in names]
        columns[1] = columns[1].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        for rule, time, event, raw, *facts in zip(*(column.to_pylist() for column in columns), strict=True):
            if rule in rules:
                yield Given(rule, time, event, msgspec.json.decode(raw).get("fields", {}), tuple(facts))


def correlate(
    connection: Connection, given: Iterable[Given], correlations: Sequence[Correlation], now: datetime, apart: str = ""
) -> Changes:
    """Bring signals into the state; `correlations` inner before outer. Repeatable.

    `apart`: a name, of at most 30 characters; signals meet only those that were given under the same one.
    """
    work: dict[str, _Work] = defaultdict(_Work)
    about: dict[str, list[Correlation]] = defaultdict(list)
    for one in correlations:
        for rule in one.rules:
            about[rule].append(one)
    for signal in given:
        for one in about[signal.rule]:
            work[one.id].added.append(signal)
    changes = Changes()
    for one in correlations:
        if one.id in work:
            gone = _bring(connection, one, work[one.id], now, apart)
            for row, group, before, after in (*gone, *_changed(connection, one, apart)):
                _tell(changes, one, row, group, before, after)
                if before & _START != after & _START:
                    for outer in about[one.id]:
                        _hand_on(work[outer.id], one, outer, row, group, after)
    connection.execute(delete(correlated).where(correlated.c.expires < now))
    return changes


def correlate_once(given: Iterable[Given], correlations: Sequence[Correlation]) -> Changes:
    """What correlations find among signals that are all there; nothing is kept."""
    engine = create_engine("sqlite://")
    correlated.create(engine)
    with engine.begin() as connection:
        changes = correlate(connection, given, correlations, datetime.now(UTC))
    engine.dispose()
    return changes


def state_key(one: Correlation, apart: str = "") -> str:
    """Under which name its rows stand: a changed correlation begins anew."""
    return f"{one.id}@{one.content_hash[:12]}{apart}"


def _tell(
    changes: Changes, one: Correlation, row: Row[Any], group: tuple[str | None, ...], before: int, after: int
) -> None:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=row.time)
    hit = Hit(one, group, moment, row.event, tuple(getattr(row, name) for name in _FACTS))
    if after & _START and not before & _START:
        changes.begun.append(hit)
    if after & _HIT and not before & _HIT:
        changes.gained.append(hit)
    elif before & _HIT and not after & _HIT:
        changes.lost.append((one.id, row.event))


def _hand_on(
    work: _Work, one: Correlation, outer: Correlation, row: Row[Any], group: tuple[str | None, ...], after: int
) -> None:
    """A start of `one`, or its end as such, for a correlation that refers to `one`."""
    event = f"{one.id}/{sha256(row.grp.encode()).hexdigest()[:16]}/{row.time}"
    fields = dict(zip(one.group_by, group, strict=True))
    facts = tuple(getattr(row, name) for name in _FACTS)
    signal = Given(one.id, row.time, event, fields, (one.title, *facts[1:]))
    if after & _START:
        work.added.append(signal)
    else:
        work.removed.append((_group(outer, signal), event, row.time))


def _group(one: Correlation, signal: Given) -> str:
    return msgspec.json.encode([signal.fields.get(one.field_of(name, signal.rule)) for name in one.group_by]).decode()


def _bring(connection: Connection, one: Correlation, work: _Work, now: datetime, apart: str) -> list[_Change]:
    """Put rows of signals into the state, and note which spans of time of which groups they touch.

    Returns the rows that are taken away, whose flags end with them.
    """
    key, expires = state_key(one, apart), now + timedelta(seconds=one.timespan) + LATE
    rows = []
    gone: list[_Change] = []
    spans: dict[str, tuple[int, int]] = {}
    for signal in work.added:
        group = _group(one, signal)
        values = [signal.fields.get(one.field_of(name, signal.rule)) for name in one.fields]
        row = {
            "correlation": key,
            "grp": group,
            "time": signal.time,
            "event": signal.event,
            "rule": signal.rule,
            "data": msgspec.json.encode(values).decode(),
            "flags": 0,
            "expires": expires,
        }
        rows.append(row | dict(zip(_FACTS, signal.facts, strict=True)))
        _stretch(spans, group, signal.time)
    for group, event, time in work.removed:
        where = (correlated.c.correlation == key, correlated.c.grp == group, correlated.c.event == event)
        gone += [
            (row, tuple(msgspec.json.decode(group)), row.flags, 0)
            for row in connection.execute(select(correlated).where(*where))
        ]
        connection.execute(delete(correlated).where(*where))
        _stretch(spans, group, time)
    if rows:
        insert = import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(correlated)
        connection.execute(insert.on_conflict_do_nothing(), rows)
    connection.execute(
        text("CREATE TEMPORARY TABLE IF NOT EXISTS touched (grp TEXT PRIMARY KEY, lo BIGINT, hi BIGINT)")
    )
    connection.execute(text("DELETE FROM touched"))
    insert_touched = text("INSERT INTO touched VALUES (:grp, :lo, :hi)")
    connection.execute(insert_touched, [{"grp": group, "lo": lo, "hi": hi} for group, (lo, hi) in spans.items()])
    return gone


def _stretch(spans: dict[str, tuple[int, int]], group: str, time: int) -> None:
    lo, hi = spans.get(group, (time, time))
    spans[group] = min(lo, time), max(hi, time)


# Two spans back: the hits of one span before a change depend on windows that reach another one back. CROSS JOIN keeps
# SQLite from reading the whole state first.
_AROUND = text("""
    SELECT touched.lo, touched.hi, c.* FROM touched CROSS JOIN correlated AS c
    WHERE c.correlation = :key AND c.grp = touched.grp
        AND c.time BETWEEN touched.lo - 2 * :span AND touched.hi + 2 * :span
    ORDER BY c.grp, c.time, c.event, c.rule
""")


def _changed(connection: Connection, one: Correlation, apart: str) -> list[_Change]:
    """Rows whose flags are others now; the new ones are written."""
    span = one.timespan * 1_000_000
    updates = []
    found: list[_Change] = []
    rows = connection.execute(_AROUND, {"key": state_key(one, apart), "span": span})
    for _, some in groupby(rows, key=lambda row: row.grp):
        members = list(some)
        lo, hi = members[0].lo, members[0].hi
        outcome = evaluate(
            one, [Member(row.time, row.event, row.rule, tuple(msgspec.json.decode(row.data))) for row in members]
        )
        flags = dict.fromkeys(outcome.hits, _HIT)
        for place in outcome.starts:
            flags[place] = flags.get(place, 0) | _START
        group = tuple(msgspec.json.decode(members[0].grp))
        for place, row in enumerate(members):
            sure = (_HIT if lo - span <= row.time <= hi + span else 0) | (
                _START if lo <= row.time <= hi + 2 * span else 0
            )
            after = flags.get(place, 0) & sure | row.flags & ~sure
            if after != row.flags:
                found.append((row, group, row.flags, after))
                updates.append(
                    {"key": row.correlation, "g": row.grp, "t": row.time, "e": row.event, "r": row.rule, "f": after}
                )
    if updates:
        connection.execute(_UPDATE, updates)
    return found


_UPDATE = (
    update(correlated)
    .where(
        correlated.c.correlation == bindparam("key"),
        correlated.c.grp == bindparam("g"),
        correlated.c.time == bindparam("t"),
        correlated.c.event == bindparam("e"),
        correlated.c.rule == bindparam("r"),
    )
    .values(flags=bindparam("f"))
)
