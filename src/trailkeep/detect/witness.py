"""A rule's tree in, its witness out: exact values of stored columns, one of which every match must have.

The witness lets a rule meet only events that can match it. It is never too narrow: a rule that names no value
(or only inside `not`) has none and is *open*, so it meets every event of its source.
"""

from trailkeep.core.source import Source
from trailkeep.detect.fields import resolve
from trailkeep.detect.tree import And, Node, Or, Test

Witness = frozenset[tuple[str, str]]
"""Pairs of a stored column's SQL and a folded text."""

PREFERRED = ('"event_name"', '"service"')


def witness(node: Node, source: Source) -> Witness | None:
    """The witness of `node`, or None if it is open."""
    match node:
        case Test(field=name, equals=texts) if texts:
            field = resolve(name, source)
            return None if field.natives or field.json else frozenset((field.sql, text) for text in texts)
        case And(nodes):
            found = [one for one in (witness(child, source) for child in nodes) if one is not None]
            return min(found, key=_cost) if found else None
        case Or(nodes):
            union: set[tuple[str, str]] = set()
            for child in nodes:
                one = witness(child, source)
                if one is None:
                    return None
                union |= one
            return frozenset(union)
        case _:
            return None


def event_names(node: Node, source: Source) -> frozenset[str] | None:
    """The folded event names that a match must have one of, or None if the rule does not tell."""
    found = witness(node, source)
    if found is None or any(column != PREFERRED[0] for column, _ in found):
        return None
    return frozenset(text for _, text in found)


def _cost(one: Witness) -> tuple[int, int]:
    """Event names first, then services, then any other column; of equals the shorter list."""
    ranks = [PREFERRED.index(column) if column in PREFERRED else len(PREFERRED) for column, _ in one]
    return max(ranks, default=0), len(one)
