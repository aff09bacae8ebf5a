"""A JSON record that wraps others in, what it wraps out: records and lines as received, each with its envelope.

The envelope is compact JSON: `wraps` (outermost first) and what the wraps say of the record: `account`, `region`,
`log_group`, `log_stream`, `id`, `time`; of two wraps the inner one is believed. Topics, queues and streams stand under
their own names: their account and region are not those of the record.

What is wrapped may be of no known source while what is around it is: an event of EventBridge, a log event of
CloudWatch Logs, a log record of OTLP. So a message has that `around` it, too.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from trailkeep.normalize.decompress import decompress
from trailkeep.normalize.formats.json_records import is_utf8
from trailkeep.normalize.formats.json_salvage import JsonRecords
from trailkeep.normalize.records import Slice
from trailkeep.normalize.wraps import kind_of
from trailkeep.normalize.wraps.kind import ARRAY, FIELDS, Facts, Fields, Kind, Part, begins

_DEPTH = 8
_RECORDS = "Records"
_ENCODE = msgspec.json.Encoder().encode


class Around(NamedTuple):
    """The event around what is wrapped, and the kind of envelope that it is."""

    kind: str
    data: Slice


@dataclass(frozen=True, slots=True)
class Message:
    """What an envelope wraps: a JSON object with these `fields`, or a line of text; `fault` says why it is neither."""

    data: Slice
    envelope: str | None = None
    fault: str = ""
    around: Around | None = None
    fields: Fields = field(default_factory=dict)


def is_envelope(fields: Collection[str]) -> bool:
    """Whether a record with these fields wraps others."""
    return kind_of(fields) is not None


class _Known(NamedTuple):
    """What is known of something wrapped from what is outside it."""

    facts: Facts
    depth: int = 0
    around: Around | None = None
    kind: Kind | None = None
    whole: bool = False

    def message(self, data: Slice, fault: str = "", fields: Fields | None = None) -> Message:
        return Message(data, _ENCODE(self.facts).decode() if self.facts else None, fault, self.around, fields or {})

    def of(self, part: Part, kind: Kind) -> "_Known":
        """What is known of a part of an envelope of which this is known."""
        facts = {**self.facts, **{name: value for name, value in (part.facts or {}).items() if value is not None}}
        if kind.name:
            facts["wraps"] = [*self.facts.get("wraps", ()), kind.name]
        around = self.around if part.around is None else Around(kind.name, part.around)
        return _Known(facts, self.depth + 1, around, part.kind, part.whole)


_NOTHING = _Known({})


class Unwrapper:
    """Opens envelopes, those in them too; all that they hide in compressed form is bounded by one limit."""

    def __init__(self, split: Callable[[bytes], JsonRecords], lists: Collection[str], limit: int) -> None:
        """`split` finds the records in JSON; `lists` are names of fields that may hold many."""
        self._split = split
        self._lists = {_RECORDS, *lists}
        self._room = limit

    def open(self, record: Slice) -> Iterator[Message]:
        """What `record` wraps, or itself. Raises InputError where that unpacks to more than the limit."""
        return self._object(record, _fields(record), _NOTHING)

    def _object(self, record: Slice, fields: Fields, known: _Known) -> Iterator[Message]:
        """What a JSON value with these fields wraps, or itself."""
        kind = known.kind or kind_of(fields)
        if kind is None or (kind.outermost and known.depth):
            if known.depth and not self._lists.isdisjoint(fields):
                yield from self._json(bytes(record), known)
            else:
                yield known.message(record, fields=fields)
            return
        try:
            parts = list(kind.open(record, fields))
        except (msgspec.MsgspecError, ValueError, KeyError, RecursionError) as error:
            yield known.message(
                record, f"an envelope of {kind.name or 'several'} that cannot be opened: {error}", fields
            )
            return
        for part in parts:
            yield from self._part(part, known.of(part, kind))

    def _part(self, part: Part, known: _Known) -> Iterator[Message]:
        data = part.data.encode() if isinstance(part.data, str) else part.data
        if known.depth > _DEPTH:
            return iter([known.message(data, f"envelopes within envelopes, more than {_DEPTH} deep")])
        if isinstance(data, msgspec.Raw):
            return self._object(data, _fields(data), known)
        return self._text(data, known) if isinstance(part.data, str) else self._payload(data, known)

    def _payload(self, data: bytes, known: _Known) -> Iterator[Message]:
        """The records in bytes, which may be compressed."""
        plain = decompress(data, self._room)
        if plain.data is not data:
            self._room -= len(plain.data)
        if plain.damage:
            yield known.message(data, plain.damage.reason)
        elif not is_utf8(plain.data):
            yield known.message(data, "neither text nor JSON: invalid UTF-8")
        else:
            yield from self._text(plain.data, known)

    def _text(self, data: bytes, known: _Known) -> Iterator[Message]:
        """The records in text; with something `around` it, or whole, text that is no JSON is a single record."""
        if fields := _fields(data):
            yield from self._object(data.strip(), fields, known)
        elif _is_json(data):
            yield from self._json(data, known)
        elif known.around is not None or known.whole:
            yield known.message(data.rstrip(b"\r\n"), "a line with NUL bytes" if b"\0" in data else "")
        else:
            for line in data.splitlines():
                if line.strip():
                    yield known.message(line, "a line with NUL bytes" if b"\0" in line else "")

    def _json(self, data: bytes, known: _Known) -> Iterator[Message]:
        """The records in JSON that may hold many; where it holds none but itself, that record."""
        found = self._split(data)
        if [*map(bytes, found.raws)] == [data]:
            yield known.message(data, fields=_fields(data))
            return
        for raw in found.raws:
            yield from self._object(raw, _fields(raw), known)
        for piece in found.bad:
            yield known.message(piece.data, piece.reason)


def _fields(record: Slice) -> Fields:
    """A record's own fields; none where it is no object."""
    if not begins(record, b"{ \n\t\r"):
        return {}
    try:
        return FIELDS.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _is_json(data: bytes) -> bool:
    """Whether to read text as JSON: a line may begin with a bracket, as in `[ERROR] no such file`."""
    begin = data.lstrip()[:1]
    if begin != b"[":
        return begin == b"{"
    try:
        return bool(ARRAY.decode(data))
    except msgspec.DecodeError:
        return False
