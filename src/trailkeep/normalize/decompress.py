"""Stored bytes of an object in, plain bytes out, with every damage to the compression said and kept.

Decided by content, never by the name: what starts as gzip, bzip2 or zstd data does is that, everything else is plain.
"""

from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType

from trailkeep.core.errors import InputError
from trailkeep.normalize.codecs import bzip2, gzip, zstd
from trailkeep.normalize.codecs.output import Output
from trailkeep.normalize.records import BadPiece

_CODECS = (gzip, bzip2, zstd)
_LAYERS = 4  # compressed data that unpacks to compressed data, and so on
_HEAD_STEP = 1 << 20  # a block of bzip2, of which nothing can be read before its end, is smaller


@dataclass(frozen=True)
class Plain:
    """Decompressed bytes. `damage` is what could not be read; `whole` is false where the end is missing."""

    data: bytes
    damage: BadPiece | None = None
    whole: bool = True


def decompress(data: bytes, limit: int, layers: int = _LAYERS) -> Plain:
    """Plain bytes of compressed data (any number of members, one after the other), or of anything else as it is.

    What is compressed twice is unpacked twice; where the outer layer is damaged, that stands for the inner one.
    Raises InputError where compressed data holds more than `limit` bytes; memory exceeds that by a block at most.
    """
    plain = Plain(data)
    for _ in range(layers):
        codec = _codec(plain.data)
        if codec is None:
            break
        inner = _unpacked(codec, plain.data, limit)
        plain = Plain(inner.data, plain.damage or inner.damage, plain.whole and inner.whole)
    return plain


def _unpacked(codec: ModuleType, data: bytes, limit: int) -> Plain:
    out, position = Output(limit), 0
    while codec.MAGIC.match(data, position):
        end, reason = codec.read_member(data, position, out)
        if reason:
            reason = f"{reason} (stored byte {end} of {len(data)})"
            return Plain(b"".join(out.parts), BadPiece(position, None, reason, data[position:]), whole=False)
        position = end
    plain, rest = b"".join(out.parts), data[position:]
    if not rest.strip(b"\0"):  # padding to whole blocks, which gzip itself ignores
        return Plain(plain)
    reason = f"{len(rest)} bytes after the end of the {codec.NAME} data (stored byte {position} of {len(data)})"
    return Plain(plain, BadPiece(position, None, reason, rest))


def head(data: bytes, size: int) -> bytes:
    """The first `size` plain bytes, or fewer where there are no more."""
    for _ in range(_LAYERS):
        codec = _codec(data)
        if codec is None:
            break
        first = _head(codec, data, size)
        data = _head(codec, data, _HEAD_STEP) if _codec(first) else first
    return data[:size]


def _head(codec: ModuleType, data: bytes, size: int) -> bytes:
    out = Output(size)
    with suppress(InputError):  # raised because there is more
        codec.read_member(data[:_HEAD_STEP], 0, out)
    return b"".join(out.parts)[:size]


def _codec(data: bytes) -> ModuleType | None:
    return next((codec for codec in _CODECS if codec.MAGIC.match(data)), None)
