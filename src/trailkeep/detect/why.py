"""A rule and one event in, which of its conditions hold out, down to the fields and what they have."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from trailkeep.core.source import Source
from trailkeep.detect.fields import RAW, native, native_sql, predicate, resolve
from trailkeep.detect.match import Matcher
from trailkeep.detect.needles import lowered
from trailkeep.detect.rule import Rule
from trailkeep.detect.tree import TEXT, And, Listed, Node, Not, Null, Or, Pair, Test, leaves
from trailkeep.engine.duckdb import Connection

_EVENT = "trailkeep_event"
_SHOWN = 120


@dataclass(frozen=True)
class Reason:
    """One condition of a rule: how deep it is, what it asks, whether it holds, and what its field has."""

    depth: int
    asks: str
    holds: bool
    has: str | None = None


def why(con: Connection, rule: Rule, event: pa.Table, source: Source, matcher: Matcher) -> list[Reason]:
    """Every condition of `rule`, from the whole down. `event` is one row with stored columns and raw_data.

    `matcher` has the lists that the rule names.
    """
    nodes = list(_nodes(rule.detection, 0))
    tops = {top for leaf in leaves(rule.detection) for name in _fields(leaf) for top in resolve(name, source).natives}
    read = [f"{native_sql(top, source)} AS {native(top)}" for top in sorted(tops - {RAW})]
    answers = [predicate(node, source) if isinstance(node, Test | Null | Pair) else "NULL" for _, node in nodes]
    texts = [_texts(node, source) for _, node in nodes]
    con.register(_EVENT, event)
    try:
        columns = ", ".join([*answers, *texts])
        query = f"SELECT {columns} FROM (SELECT {', '.join(['*', *read])} FROM {_EVENT})"  # noqa: S608
        row = con.execute(query).fetchone()
    finally:
        con.unregister(_EVENT)
    assert row is not None
    held: dict[Node, bool] = {}
    for number, (_, node) in reversed(list(enumerate(nodes))):  # inner before outer
        match node:
            case Listed():
                held[node] = _is_listed(con, matcher, node, row[len(nodes) + number])
            case Not(inner):
                held[node] = not held[inner]
            case And(parts):
                held[node] = all(held[part] for part in parts)
            case Or(parts):
                held[node] = any(held[part] for part in parts)
            case _:
                held[node] = row[number]
    return [
        Reason(depth, _asks(node), held[node], _has(node, row[len(nodes) + number]))
        for number, (depth, node) in enumerate(nodes)
    ]


def _is_listed(con: Connection, matcher: Matcher, node: Listed, texts: Sequence[Sequence[str]]) -> bool:
    found = pa.array(texts[0], pa.string())
    return bool(matcher.members(node).among(found, lowered(con, found)).true_count)


def _nodes(node: Node, depth: int) -> Iterator[tuple[int, Node]]:
    yield depth, node
    match node:
        case Not(inner):
            yield from _nodes(inner, depth + 1)
        case And(nodes) | Or(nodes):
            for child in nodes:
                yield from _nodes(child, depth + 1)


def _fields(node: Node) -> tuple[str, ...]:
    match node:
        case Pair(left, right):
            return left, right
        case Test(name) | Null(name) | Listed(name):
            return (name,)
    return ()


def _texts(node: Node, source: Source) -> str:
    names = [name for name in _fields(node) if name]
    lists = [resolve(name, source).texts for name in names]
    return f"[{', '.join(lists)}]" if lists else "NULL"


def _asks(node: Node) -> str:
    match node:
        case Not():
            return "not"
        case And():
            return "all of"
        case Or():
            return "any of"
        case Null(name):
            return f"{name} is missing or null"
        case Listed(name, key, networks):
            return f"{name} is in {'a network of ' if networks else ''}the list {key.partition('@')[0]}"
        case Pair(left, right, sql):
            return f"{left} and {right}: {sql}"
        case Test(name, sql, equals):
            what = name or "the record"
            if equals:
                return f"{what} is {' or '.join(map(repr, equals))}"
            return f"{what}: {sql.replace(TEXT, what)}"


def _has(node: Node, lists: Sequence[Sequence[str]] | None) -> str | None:
    if lists is None:
        return None
    found = ["nothing" if not texts else ", ".join(map(repr, texts)) for texts in lists]
    text = " and ".join(found)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text):,} characters)"
