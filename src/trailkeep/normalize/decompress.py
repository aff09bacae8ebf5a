"""Stored bytes of an object in, plain bytes out, with every damage to the compression said and kept.

Decided by content, never by the name: what starts with gzip's magic is gzip, everything else is plain.
"""

import zlib
from dataclasses import dataclass

from isal import isal_zlib
from isal.isal_zlib import IsalError

from trailkeep.core.errors import InputError
from trailkeep.normalize.records import BadPiece

GZIP = b"\x1f\x8b\x08"
_STEP = 1024 * 1024
_CAREFUL_STEP = 4096


@dataclass(frozen=True)
class Plain:
    """Decompressed bytes. `damage` is what could not be read; `whole` is false where the end is missing."""

    data: bytes
    damage: BadPiece | None = None
    whole: bool = True


def decompress(data: bytes, limit: int) -> Plain:
    """Plain bytes of gzip data (any number of members), or of anything else as it is.

    Raises InputError where gzip data holds more than `limit` bytes; memory never exceeds it by more than a
    byte.
    """
    if not data.startswith(GZIP):
        return Plain(data)
    parts: list[bytes] = []
    position = 0
    while data.startswith(GZIP, position):
        end, reason = _member(data, position, parts, limit)
        if reason:
            reason = f"{reason} (stored byte {end} of {len(data)})"
            return Plain(b"".join(parts), BadPiece(position, None, reason, data[position:]), whole=False)
        position = end
    plain, rest = b"".join(parts), data[position:]
    if not rest.strip(b"\0"):  # padding to whole blocks, which gzip itself ignores
        return Plain(plain)
    reason = f"{len(rest)} bytes after the end of the gzip data (stored byte {position} of {len(data)})"
    return Plain(plain, BadPiece(position, None, reason, rest))


def _member(data: bytes, start: int, parts: list[bytes], limit: int) -> tuple[int, str]:
    """Adds what one gzip member holds to `parts`; the stored position after it, and what is wrong ("" if
    nothing).
    """
    stream = isal_zlib.decompressobj(31)
    view, position, before = memoryview(data), start, len(parts)
    room = limit - sum(map(len, parts))
    while not stream.eof:
        if position == len(data):
            return position, "the gzip data ends too early: the file is truncated"
        step = view[position : position + _STEP]
        try:
            part = stream.decompress(step, room + 1)
        except IsalError:  # type: ignore[misc]  # isal's stub gives it no base class
            del parts[before:]
            return _damaged_member(data, start, parts, limit)
        room = _add(parts, part, room, limit)
        position += len(step) - len(stream.unused_data)
    return position, ""


def _damaged_member(data: bytes, start: int, parts: list[bytes], limit: int) -> tuple[int, str]:
    """As much as can be had from a member that is known to be broken: byte by byte where it breaks.

    A decompressor loses the output of the call in which it fails, so the failing step is repeated in single
    bytes.
    """
    stream, view, position, size = zlib.decompressobj(31), memoryview(data), start, _CAREFUL_STEP
    room, what = limit - sum(map(len, parts)), "its checksum is wrong"
    while position < len(data) and not stream.eof:
        step, saved = view[position : position + size], stream.copy()
        try:
            part = stream.decompress(step, room + 1)
        except zlib.error as error:
            if size == 1:
                what = str(error).removeprefix("Error -3 while decompressing data: ")
                break
            stream, size = saved, 1
            continue
        room = _add(parts, part, room, limit)
        position += len(step) - len(stream.unused_data)
    return position, f"the gzip data is damaged, what was read may be altered: {what}"


def _add(parts: list[bytes], part: bytes, room: int, limit: int) -> int:
    """The room that is left after `part`."""
    if len(part) > room:
        raise InputError(f"decompresses to more than {limit} bytes: if it is to be trusted, raise the limit")
    parts.append(part)
    return room - len(part)
