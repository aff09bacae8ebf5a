"""What a rule asks of a record, as a tree of tests on named fields: independent of source, engine and pySigma.

A field has zero or more texts (a missing or null field has none, an array has those of its members). A leaf is
always true or false, never null, so `not` of a test on a missing field is true.
"""

from collections.abc import Iterator

import msgspec

TEXT, OTHER = "⟨v⟩", "⟨w⟩"
"""Where a test's SQL has the text it is about; nothing else in it has this bracket."""


class Test(msgspec.Struct, frozen=True, tag="test"):
    """True when any text of `field`, put for TEXT, passes `sql`; an empty field name means the raw record itself."""

    __test__ = False  # not a test class of pytest's

    field: str
    sql: str
    equals: tuple[str, ...] = ()
    """If the test is an equality without regard to case: the folded texts that pass."""
    needles: tuple[str, ...] = ()
    """Plain folded texts, of which each text that passes, once folded, holds at least one; none if not known."""


class Null(msgspec.Struct, frozen=True, tag="null"):
    """True when `field` has no text: it is missing, null or an empty array."""

    field: str


class Listed(msgspec.Struct, frozen=True, tag="listed"):
    """True when any text of `field` is in the list of this key, or an address in one of its networks."""

    field: str
    list: str
    networks: bool = False


class Pair(msgspec.Struct, frozen=True, tag="pair"):
    """True when any text of `field`, put for TEXT, and any of `other`, put for OTHER, pass `sql` together."""

    field: str
    other: str
    sql: str


class Not(msgspec.Struct, frozen=True, tag="not"):
    """True when `node` is false."""

    node: "Node"


class And(msgspec.Struct, frozen=True, tag="and"):
    """True when all `nodes` are."""

    nodes: tuple["Node", ...]


class Or(msgspec.Struct, frozen=True, tag="or"):
    """True when any of `nodes` is."""

    nodes: tuple["Node", ...]


Leaf = Test | Null | Listed | Pair
Node = Test | Null | Listed | Pair | Not | And | Or


def leaves(node: Node) -> Iterator[Leaf]:
    """Every leaf below `node`, from left to right."""
    match node:
        case Not(inner):
            yield from leaves(inner)
        case And(nodes) | Or(nodes):
            for child in nodes:
                yield from leaves(child)
        case _:
            yield node


def fold(text: str) -> str:
    """Lower case, one character for one character, exactly as DuckDB's lower(): 'İ' is 'i', 'ß' stays 'ß'."""
    return text.lower() if text.isascii() else "".join("i" if c == "İ" else c.lower() for c in text)


def plain(text: str) -> bool:
    """Whether JSON spells `text` as it is."""
    return text.isprintable() and not {'"', "\\"} & set(text)
