"""A query's tree and the sightings in, the spans of time in which events can match out; nothing is hidden.

Files that compaction has looked at say, by sightings, when an entity occurs in them; of all others the whole
time that they span counts.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

from sqlglot import exp

from trailkeep.engine.duckdb import Connection
from trailkeep.engine.reading import fetch, iceberg_table
from trailkeep.investigate.search.conditions import Meaning, fields_of, test
from trailkeep.investigate.search.fields import ENTITY, SIGHTED, Field
from trailkeep.investigate.search.query import And, Match, Node, Or, is_entity
from trailkeep.lake.snapshot import DataFile, Snapshot, Span

# Each span is a scan of its own, because engines skip files by one range of time and not by several.
MAX_SPANS = 4

# Compaction writes such a row for each file that it has looked at, whether or not there are entities in it.
_OF_EACH_FILE = exp.column("entity").eq(exp.Literal.string(""))


def reach(con: Connection, snapshot: Snapshot, node: Node, meaning: Meaning) -> list[Span] | None:
    """Disjoint spans that hold every event that matches `node`, or None where sightings cannot tell."""

    def sightings(match: Match) -> list[Span]:
        entity = Field(ENTITY, "text", exp.column("entity"))
        rows = _sightings(con, snapshot, test(entity, match, meaning))
        return merged([*(span for file, span in rows if file in covered), *unseen])

    if not _asks(node, meaning):
        return None
    current = {file.path for file in snapshot.files}
    covered = {file for file, _ in _sightings(con, snapshot, _OF_EACH_FILE)} & current
    if not covered:
        return None
    unseen = [file.span for file in snapshot.files if file.path not in covered]
    return few(_spans(node, meaning, sightings) or [], snapshot.files)


def _asks(node: Node, meaning: Meaning) -> bool:
    return _spans(node, meaning, lambda match: []) is not None


def _spans(node: Node, meaning: Meaning, sightings: Callable[[Match], list[Span]]) -> list[Span] | None:
    match node:
        case And(nodes):
            known = [s for s in (_spans(n, meaning, sightings) for n in nodes) if s is not None]
            if not known:
                return None
            spans = known[0]
            for other in known[1:]:
                spans = overlap(spans, other)
            return spans
        case Or(nodes):
            all_spans = [_spans(n, meaning, sightings) for n in nodes]
            return None if None in all_spans else merged(s for spans in all_spans for s in spans or [])
        case Match() if _is_sighted(node, meaning):
            return sightings(node)
    return None


def _is_sighted(node: Match, meaning: Meaning) -> bool:
    """Whether events that match `node` have it among their entities."""
    if node.field is None:
        return not node.quoted and is_entity(node.text)
    if not node.quoted and node.text == "*":
        return False
    [field, *others] = fields_of(node, meaning)
    if others or field.source or field.name not in SIGHTED:
        return False
    # Services and anonymous callers are principals and no entities.
    return field.name != "principal" or node.text.lower().startswith("arn:")


def _sightings(con: Connection, snapshot: Snapshot, condition: exp.Expr) -> list[tuple[str, Span]]:
    """(file, span) of the sightings that meet `condition`."""
    columns = ("file", "source", "first_time", "last_time")
    rows = fetch(con, exp.select(*columns).from_(iceberg_table(snapshot.sightings)).where(condition))
    values = zip(*(rows[name].to_pylist() for name in columns), strict=True)
    return [(file, Span(source, first, last)) for file, source, first, last in values]


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same moments in disjoint spans, sorted."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.source, s.first)):
        if result and result[-1].source == span.source and span.first <= result[-1].last:
            result[-1] = replace(result[-1], last=max(result[-1].last, span.last))
        else:
            result.append(span)
    return result


def overlap(left: list[Span], right: list[Span]) -> list[Span]:
    """The moments that are in both."""
    return merged(
        Span(a.source, max(a.first, b.first), min(a.last, b.last))
        for a in left
        for b in right
        if a.source == b.source and a.first <= b.last and b.first <= a.last
    )


def few(spans: list[Span], files: Iterable[DataFile]) -> list[Span]:
    """Wider spans, at most MAX_SPANS for a source, such that none shares a file with another."""
    by_source: dict[str, list[Span]] = {}
    for span in spans:
        by_source.setdefault(span.source, []).append(span)
    result = []
    for source, members in by_source.items():
        sizes = [file.span for file in files if file.span.source == source]
        bridges = [
            Span(source, min(touched, key=lambda s: s.first).first, max(s.last for s in touched))
            for size in sizes
            if len(touched := [s for s in members if s.first <= size.last and size.first <= s.last]) > 1
        ]
        result += _closed(merged([*members, *bridges]))
    return result


def _closed(spans: list[Span]) -> list[Span]:
    """The spans with the smallest gaps closed until there are MAX_SPANS."""
    while len(spans) > MAX_SPANS:
        gaps = [b.first - a.last for a, b in pairwise(spans)]
        at = gaps.index(min(gaps))
        spans = [*spans[:at], replace(spans[at], last=spans[at + 1].last), *spans[at + 2 :]]
    return spans
