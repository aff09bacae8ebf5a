"""Stored bytes of an object in, plain bytes out, with every damage to the compression said and kept.

Decided by content, never by the name: what starts with gzip's magic is gzip, everything else is plain.
"""

import zlib

from isal import isal_zlib
from isal.isal_zlib import IsalError

from trailkeep.core.errors import InputError
from trailkeep.normalize.records import BadPiece

GZIP = b"\x1f\x8b\x08"
_STEP = 1024 * 1024
_CAREFUL_STEP = 4096


def decompress(data: bytes, limit: int) -> tuple[bytes, list[BadPiece]]:
    """Plain bytes and what could not be read. Raises InputError where there are more than `limit`."""
    if not data.startswith(GZIP):
        return data, []
    parts: list[bytes] = []
    position, room = 0, limit
    while True:
        part, end, reason = _member(data, position, room)
        room -= len(part)
        parts.append(part)
        if reason:
            fault = BadPiece(end, None, f"{reason} (stored byte {end})", data[position:])
            return b"".join(parts), [fault]
        position = end
        if not data.startswith(GZIP, position):
            break
    rest = data[position:]
    if not rest.strip(b"\0"):  # gzip pads tapes and blocks with zeros
        return b"".join(parts), []
    reason = f"{len(rest)} bytes after the end of the gzip data (stored byte {position})"
    return b"".join(parts), [BadPiece(position, None, reason, rest)]


def _member(data: bytes, start: int, room: int) -> tuple[bytes, int, str]:
    """One gzip member: what it holds, the stored position after it, and what is wrong with it ("" if
    nothing).
    """
    stream = isal_zlib.decompressobj(31)
    view, position = memoryview(data), start
    parts: list[bytes] = []
    while not stream.eof:
        if position == len(data):
            return b"".join(parts), position, "the gzip data ends too early: the file is truncated"
        step = view[position : position + _STEP]
        try:
            part = stream.decompress(step, room + 1)
        except IsalError:  # type: ignore[misc]  # isal's stub gives it no base class
            return _damaged_member(data, start, room)
        parts.append(part)
        room -= len(part)
        _check(room)
        position += len(step) - len(stream.unused_data)
    return b"".join(parts), position, ""


def _damaged_member(data: bytes, start: int, room: int) -> tuple[bytes, int, str]:
    """As much as can be had from a member that is known to be broken: byte by byte where it breaks."""
    stream = zlib.decompressobj(31)
    view, position = memoryview(data), start
    parts: list[bytes] = []
    step = _CAREFUL_STEP
    while position < len(data) and not stream.eof:
        before = stream.copy() if step > 1 else stream
        try:
            part = stream.decompress(view[position : position + step], room + 1)
        except zlib.error as error:
            if step == 1:
                what = str(error).removeprefix("Error -3 while decompressing data: ")
                return (
                    b"".join(parts),
                    position,
                    f"the gzip data is damaged, what was read may be altered: {what}",
                )
            stream, step = before, 1
            continue
        parts.append(part)
        room -= len(part)
        _check(room)
        position += len(view[position : position + step])
    return b"".join(parts), position, "the gzip data is damaged, what was read may be altered"


def _check(room: int) -> None:
    if room < 0:
        raise InputError("decompresses to more than the limit: raise the limit if the object is to be trusted")
