"""A Kinesis record in, the records in it out: the Kinesis Producer Library packs many into one (KPL aggregation).

Such a record is four bytes of magic, a protobuf message AggregatedRecord and its MD5. Of the message, field 3 are the
records, each with its bytes in field 3.
"""

import hashlib
from collections.abc import Iterator

_MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST = 16
_RECORDS, _DATA = 3, 3


def records(data: bytes) -> list[bytes]:
    """The records packed in `data`, or `data` itself where nothing is. Raises ValueError where they are damaged."""
    if not data.startswith(_MAGIC):
        return [data]
    message, digest = data[len(_MAGIC) : -_DIGEST], data[-_DIGEST:]
    if hashlib.md5(message, usedforsecurity=False).digest() != digest:
        raise ValueError("its aggregated records do not have the MD5 that is given for them")
    found = [value for number, value in _fields(message) if number == _RECORDS]
    return [b"".join(value for number, value in _fields(record) if number == _DATA) for record in found]


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each field that has a length; numbers are passed over."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        wire = tag & 7
        if wire == 0:
            _, position = _varint(message, position)
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        elif wire == 2:
            length, position = _varint(message, position)
            if position + length > len(message):
                raise ValueError("an aggregated record ends within a field")
            yield tag >> 3, message[position : position + length]
            position += length
        else:
            raise ValueError(f"an aggregated record has a field of the unknown wire type {wire}")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(message[position : position + 10]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, position + shift + 1
    raise ValueError("an aggregated record ends within a number")
