"""What all kinds of envelopes share: a kind, a part of what it wraps, and readings of raw JSON."""

import base64
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from trailkeep.normalize.records import Slice, view_of

Facts = dict[str, Any]
Fields = dict[str, msgspec.Raw]

FIELDS = msgspec.json.Decoder(Fields)
ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
TEXT = msgspec.json.Decoder(str)


class Part(NamedTuple):
    """Something wrapped: JSON (Raw), text (str) or bytes that may be compressed, and what the wrap says of it.

    `around`: the event that it is a part of, a record itself where what is wrapped is of no known source. `kind`: as
    what to open it, where its fields alone would not tell. `whole`: text in it is one record, line ends and all.
    """

    data: msgspec.Raw | str | bytes
    facts: Facts | None = None
    around: Slice | None = None
    kind: "Kind | None" = None
    whole: bool = False


Open = Callable[[Slice, Fields], Iterator[Part]]


@dataclass(frozen=True)
class Kind:
    """A kind of envelope. `fields` must be there; `only`: no others but these may be. One without a name is a mere list
    and goes unmentioned. `outermost`: nothing wrapped is such an envelope; it could forge what a receiver says.
    """

    name: str
    fields: frozenset[str]
    open: Open = field(repr=False)
    only: frozenset[str] | None = None
    outermost: bool = False

    def fits(self, names: Collection[str]) -> bool:
        """Whether a record with these fields is such an envelope."""
        return all(name in names for name in self.fields) and (self.only is None or self.only.issuperset(names))


def facts_of(fields: Fields, /, **names: str) -> Facts:
    """The values of the fields `names`, as facts under the names they are given."""
    return {fact: msgspec.json.decode(fields[name]) for fact, name in names.items() if name in fields}


def unpacked(value: msgspec.Raw) -> bytes:
    """The bytes that base64 text stands for."""
    return base64.b64decode(TEXT.decode(value), validate=True)


def begins(value: Slice, with_any_of: bytes) -> bool:
    """Whether the first byte of JSON is one of these."""
    view = view_of(value)
    return len(view) > 0 and view[0] in with_any_of


def content(value: msgspec.Raw) -> msgspec.Raw | str:
    """The text of a JSON string; any other value as it is."""
    return TEXT.decode(value) if begins(value, b'"') else value
