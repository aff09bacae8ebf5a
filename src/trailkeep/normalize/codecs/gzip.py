"""One gzip member in, its plain bytes out, and what is wrong with it."""

import re
import zlib

from isal import isal_zlib
from isal.isal_zlib import IsalError

from trailkeep.normalize.codecs.output import Output

NAME = "gzip"
MAGIC = re.compile(rb"\x1f\x8b\x08")
_STEP = 1024 * 1024
_CAREFUL_STEP = 4096


def read_member(data: bytes, start: int, out: Output) -> tuple[int, str]:
    """Adds what one member holds to `out`; the stored position after it, and what is wrong ("" if nothing)."""
    stream = isal_zlib.decompressobj(31)
    view, position, before = memoryview(data), start, out.mark()
    while not stream.eof:
        if position == len(data):
            return position, "the gzip data ends too early: the file is truncated"
        step = view[position : position + _STEP]
        try:
            part = stream.decompress(step, out.room + 1)
        except IsalError:  # type: ignore[misc]  # isal's stub gives it no base class
            out.back(before)
            return _damaged_member(data, start, out)
        out.add(part)
        position += len(step) - len(stream.unused_data)
    return position, ""


def _damaged_member(data: bytes, start: int, out: Output) -> tuple[int, str]:
    """As much as can be had from a member that is known to be broken: byte by byte where it breaks.

    A decompressor loses the output of the call in which it fails, so the failing step is repeated in single
    bytes.
    """
    stream, view, position, size = zlib.decompressobj(31), memoryview(data), start, _CAREFUL_STEP
    what = "its checksum is wrong"
    while position < len(data) and not stream.eof:
        step, saved = view[position : position + size], stream.copy()
        try:
            part = stream.decompress(step, out.room + 1)
        except zlib.error as error:
            if size == 1:
                what = str(error).removeprefix("Error -3 while decompressing data: ")
                break
            stream, size = saved, 1
            continue
        out.add(part)
        position += len(step) - len(stream.unused_data)
    return position, f"the gzip data is damaged, what was read may be altered: {what}"
