"""One bzip2 stream in, its plain bytes out, and what is wrong with it."""

import re
from bz2 import BZ2Decompressor

from trailkeep.normalize.codecs.output import Output

NAME = "bzip2"
MAGIC = re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")  # with the mark of its first block, or of its end
_STEP = 1024 * 1024


def read_member(data: bytes, start: int, out: Output) -> tuple[int, str]:
    """Adds what one stream holds to `out`; the stored position after it, and what is wrong ("" if nothing)."""
    before = out.mark()
    position, error = _read(data, start, out, careful_from=None)
    if not error:
        return position, ""
    if position == len(data) and error == _TRUNCATED:
        return position, error
    # What the failing call has decompressed is lost; the second time that call gives one byte at a time.
    given = before[1] - out.room
    out.back(before)
    position, error = _read(data, start, out, careful_from=given)
    return position, f"the bzip2 data is damaged, what was read may be altered: {error}"


_TRUNCATED = "the bzip2 data ends too early: the file is truncated"


def _read(data: bytes, start: int, out: Output, careful_from: int | None) -> tuple[int, str]:
    stream, view, position, given = BZ2Decompressor(), memoryview(data), start, 0
    while not stream.eof:
        step = view[position : position + _STEP] if stream.needs_input else b""
        if stream.needs_input and not len(step):
            return position, _TRUNCATED
        careful = careful_from is not None and given >= careful_from
        try:
            part = stream.decompress(step, 1 if careful else min(_STEP, out.room + 1))
        except (OSError, ValueError) as error:
            return position, str(error)
        out.add(part)
        given += len(part)
        position += len(step)
    return position - len(stream.unused_data), ""
