"""One zstd frame in, its plain bytes out, and what is wrong with it (RFC 8878).

A frame is read block by block. A block is never larger than 128 KB, so the limit holds however much a frame unpacks
to, and only the damaged block itself is lost.
"""

import re

from zstandard import ZstdDecompressor, ZstdError, frame_header_size, get_frame_parameters

from trailkeep.normalize.codecs.output import Output

NAME = "zstd"
_SKIPPED = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)  # frames that hold no data, by the standard
MAGIC = re.compile(rb"\x28\xb5\x2f\xfd|" + _SKIPPED.pattern, re.DOTALL)
_TRUNCATED = "the zstd data ends too early: the file is truncated"
_REPEATED = 1  # a type of block: one stored byte, however long


def read_member(data: bytes, start: int, out: Output) -> tuple[int, str]:
    """Adds what one frame holds to `out`; the stored position after it, and what is wrong ("" if nothing)."""
    if _SKIPPED.match(data, start):
        end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "little")
        return (end, "") if end <= len(data) else (len(data), _TRUNCATED)
    head = data[start : start + 18]  # no header is longer
    try:
        checked = get_frame_parameters(head).has_checksum
        position = start + frame_header_size(head)
    except ZstdError as error:
        return (len(data), _TRUNCATED) if len(head) < 18 else (start, _damaged(error))
    if position > len(data):
        return len(data), _TRUNCATED
    stream = ZstdDecompressor().decompressobj()
    try:
        stream.decompress(data[start:position])
        last = False
        while not last:
            last, end = _block(data, position)
            if end > len(data):
                return len(data), _TRUNCATED
            out.add(stream.decompress(data[position:end]))
            position = end
        if checked:
            stream.decompress(data[position : position + 4])
            position += 4
    except ZstdError as error:
        return position, _damaged(error)
    return (position, "") if position <= len(data) else (len(data), _TRUNCATED)


def _block(data: bytes, position: int) -> tuple[bool, int]:
    """Whether the block at `position` is the last of its frame, and where it ends."""
    header = int.from_bytes(data[position : position + 3], "little")
    kind, size = header >> 1 & 3, header >> 3
    return bool(header & 1), position + 3 + (1 if kind == _REPEATED else size)


def _damaged(error: ZstdError) -> str:
    what = str(error).removeprefix("zstd decompressor error: ").removeprefix("zstd decompress error: ")
    return f"the zstd data is damaged, what was read may be altered: {what}"
