"""JSON bytes in, slices of its records out, no record ever becoming Python objects on the way.

A document is {"<envelope>": [record, ...]}, an array, or any number of values one after the other; a single object may
have other fields, too, as answers of APIs do. A valid one is split natively; anything else is walked by json_salvage,
which finds every good record and keeps the rest as bad.

msgspec.Raw checks JSON's grammar whole and more strictly than DuckDB's parser does, but not UTF-8: that is
checked over the whole buffer here, so that no record reaches the engine that it would refuse.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter

import msgspec
import pyarrow as pa

from trailkeep.normalize.formats.json_salvage import JsonRecords, head_of, salvage
from trailkeep.normalize.records import Slice, view_of

_ENVELOPE = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_VALUES = msgspec.json.Decoder(msgspec.Raw)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_BOM = b"\xef\xbb\xbf"
_OPENING = frozenset(b"{")
# Up to three plain values may stand before the array, such as AWS Config's fileVersion.
_BESIDE = rb'"[^"\\]*"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[-+.\w]+)\s*,\s*'
_OPENING_OF = rb'\s*\{\s*((?:%s){0,3})"(%s)"\s*:\s*\['
_BEFORE_VALUE = re.compile(rb'\s*[{,]\s*"(?:[^"\\]|\\.)*"\s*:\s*')
_first = itemgetter(0)


def read_json(data: bytes, envelopes: Collection[str], is_record: Callable[[Slice], bool]) -> JsonRecords:
    """The records of `data`: members of an envelope, of an array, or values one after the other.

    `is_record` tells a record from another object where a broken document has to be searched for the next
    one.
    """
    names = b"|".join(re.escape(name.encode()) for name in envelopes)
    opening = re.compile(_OPENING_OF % (_BESIDE, names or rb"(?!)"))
    start = len(_BOM) if data.startswith(_BOM) else 0
    try:
        raws = _split(data[start:] if start else data, opening)
    except (msgspec.DecodeError, RecursionError):
        raws = None
    if raws is None or (len(raws) == 1 and not opening.match(data, start)):
        answer = _answer(data[start:] if start else data, envelopes, is_record)
        if answer:
            return answer
    if raws is None or not is_utf8(data) or not _OPENING.issuperset(map(_first, map(view_of, raws))):
        return salvage(data, start, opening, is_record)
    match = opening.match(data, start)
    head = head_of(match) if match else None
    return JsonRecords(raws, heads=[(0, head)] if head else [])


def _split(data: bytes, opening: re.Pattern[bytes]) -> Sequence[msgspec.Raw] | None:
    """Raw slices of a valid document; None where it has to be walked instead."""
    if match := opening.match(data):
        name = match[2].decode()
        raws = _ARRAY.decode(_FIELDS.decode(data)[name]) if match[1] else _ENVELOPE.decode(data)[name]
        return raws if _nothing_beside(data, match.end(), raws) else None
    if data.lstrip()[:1] == b"[":
        return _ARRAY.decode(data)
    raws = _VALUES.decode_lines(data)
    return None if any(opening.match(raw) for raw in raws) else raws


def _answer(data: bytes, envelopes: Collection[str], is_record: Callable[[Slice], bool]) -> JsonRecords | None:
    """The records in one object that has other fields, too, as answers of APIs do; None where it is no such object."""
    try:
        fields = _FIELDS.decode(data)
        lists = {name: _ARRAY.decode(raw) for name, raw in fields.items() if view_of(raw)[0] == ord("[")}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    names = lists.keys() & set(envelopes)
    if len(names) != 1 or is_record(data) or not (is_utf8(data) and _all_there(data, fields.values())):
        return None
    name = names.pop()
    raws = lists.pop(name)
    if not raws or not _OPENING.issuperset(map(_first, map(view_of, raws))):
        return None
    if any(map(is_record, chain.from_iterable(lists.values()))):
        return None
    del fields[name]
    return JsonRecords(raws, heads=[(0, msgspec.json.encode(fields).decode())])


def _all_there(data: bytes, values: Iterable[msgspec.Raw]) -> bool:
    """Whether these are all values of the object: one under a name that comes again would vanish without a word."""
    base, end = pa.py_buffer(data).address, 0
    for start, size in sorted((buffer.address - base, buffer.size) for buffer in map(pa.py_buffer, values)):
        if not _BEFORE_VALUE.fullmatch(data, end, start):
            return False
        end = start + size
    return data[end:].strip() == b"}"


def _nothing_beside(data: bytes, start: int, raws: list[msgspec.Raw]) -> bool:
    """Whether the envelope holds these records alone: a second key would vanish without a word."""
    end = start
    if raws:
        base, first, last = (pa.py_buffer(buffer) for buffer in (data, raws[0], raws[-1]))
        if data[start : first.address - base.address].strip():
            return False
        end = last.address - base.address + last.size
    return re.fullmatch(rb"\s*\]\s*\}\s*", memoryview(data)[end:]) is not None


def is_utf8(data: bytes) -> bool:
    """Whether `data` is valid UTF-8, checked natively and without a copy."""
    if data.isascii():
        return True
    ends = pa.array([0, len(data)], pa.int64()).buffers()[1]
    try:
        pa.LargeStringArray.from_buffers(1, ends, pa.py_buffer(data)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def top_fields(record: Slice) -> frozenset[str]:
    """Names of a record's own fields; empty where it is no object."""
    try:
        return frozenset(_FIELDS.decode(record))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return frozenset()


def marks(record: Slice) -> frozenset[str]:
    """What a record can be recognised by: names of its own fields, and `name=text` of those that hold short text."""
    try:
        fields = _FIELDS.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return frozenset()
    return frozenset(fields).union(short_texts(fields))


def short_texts(fields: Mapping[str, msgspec.Raw]) -> Iterator[str]:
    """`name=text` of each field that holds short text."""
    for name, view in ((name, memoryview(raw)) for name, raw in fields.items()):
        if len(view) < 64 and bytes(view[:1]) == b'"':
            yield f"{name}={bytes(view)[1:-1].decode()}"
