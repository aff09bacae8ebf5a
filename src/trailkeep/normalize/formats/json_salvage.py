"""JSON bytes that cannot be split as a whole in, every complete record in them and all other stretches out.

The walk reads value after value. What stands between values (white space, commas, brackets of the envelope)
is structure; where no value can be read, it searches on for the next object that is a record by its fields,
and the stretch up to there is one bad piece. No byte beside structure is dropped, and nothing recurses
without bound.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from trailkeep.normalize.records import BadPiece, Slice

_WINDOW = 16 * 1024 * 1024  # text held decoded at a time; half of it is the longest record that is found
_SEPARATORS = b" \t\r\n,"
_BETWEEN = re.compile(rb"[ \t\r\n,]*")
_BRACKET = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_RAW = msgspec.json.Decoder(msgspec.Raw)
_TOO_DEEP = "nested too deeply"


@dataclass(frozen=True)
class JsonRecords:
    """Record slices with their numbers (None: 0, 1, 2...) and what was no record.

    `heads`: what stands beside the records in their envelope, as a JSON object, and the index of the first record
    that it is about; None from where an envelope has ended.
    """

    raws: Sequence[Slice]
    numbers: list[int] | None = None
    bad: list[BadPiece] = field(default_factory=list)
    heads: list[tuple[int, str | None]] = field(default_factory=list)


@dataclass(frozen=True)
class _Broken:
    """Why no value can be read at a place, and the position at which that shows."""

    reason: str
    position: int


class _Text(str):
    """Text in which an error of `json` does not count lines, which would cost the length of the text."""

    def count(self, *_: object) -> int:
        return 0

    def rfind(self, *_: object) -> int:
        return -1


class _Reader:
    """Finds where a value ends. Reads as Latin-1, in which a character is a byte and no byte is invalid."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.work = 8 * len(data) + 4 * _WINDOW  # what failing attempts may cost before the search ends
        self._base, self._text = 0, _Text()
        # Numbers stay text: turning them into values would cost time and refuse long ones.
        self._decode = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode

    def end(self, start: int) -> int | _Broken:
        """The end of the value at `start`."""
        if not self._text or start >= self._base + _WINDOW // 2:
            self._base = start
            self._text = _Text(self.data[start : start + _WINDOW].decode("latin-1"))
        try:
            return self._base + int(self._decode(self._text, start - self._base)[1])
        except json.JSONDecodeError as error:
            position = max(self._base + error.pos, start)
            self.work -= position - start + 64
            return _Broken(f"invalid JSON: {error.msg} (byte {position})", position)
        except RecursionError:
            return self._deep_end(start)

    def _deep_end(self, start: int) -> int | _Broken:
        """The end of a value too deep to be read; or, never closed, where the first closed one in it is."""
        opened: list[int] = []
        closed = end = min(start + _WINDOW, len(self.data))
        for token in _BRACKET.finditer(self.data, start, end):
            self.work -= 4
            char = self.data[token.start()]
            if char in b"[{":
                opened.append(token.start())
            elif char in b"]}":
                closed = min(closed, opened.pop())
                if not opened:
                    return token.end()
        return _Broken(f"invalid JSON: {_TOO_DEEP} and never closed (byte {start})", closed)


def salvage(data: bytes, position: int, opening: re.Pattern[bytes], is_record: Callable[[Slice], bool]) -> JsonRecords:
    """Every complete record of `data` from `position` on. `opening` matches the start of an envelope."""
    found: list[Slice] = []
    numbers: list[int] = []
    bad: list[BadPiece] = []
    heads: list[tuple[int, str | None]] = []
    reader, view, closers, number = _Reader(data), memoryview(data), bytearray(), 0
    while (position := _skip(data, position)) < len(data):
        if closers and data[position] == closers[-1]:
            closers.pop()
            position += 1
            if not closers and heads:
                heads.append((len(found), None))
            continue
        if match := opening.match(data, position):
            closers += b"}]"
            position = match.end()
            if head := head_of(match):
                heads.append((len(found), head))
            continue
        if data[position] == 0x5B and not closers:
            closers += b"]"
            position += 1
            continue
        end = reader.end(position)
        if isinstance(end, _Broken):
            reason = end.reason
            end = _next_record(reader, position, end.position, opening, is_record)
        else:
            reason = _defect(view[position:end])
        if reason:
            piece = data[position:end].rstrip(_SEPARATORS)
            bad.append(BadPiece(position, number, reason, piece))
        else:
            found.append(view[position:end])
            numbers.append(number)
        number += 1
        position = end
    if closers and not bad:
        reason = f"the document ends before {closers[::-1].decode()}: it is truncated after a whole record"
        bad.append(BadPiece(len(data), None, reason, b""))
    return JsonRecords(found, numbers, bad, heads)


def head_of(opening: re.Match[bytes]) -> str | None:
    """What stands before the array of an envelope, as a JSON object; None if nothing does."""
    text = opening[1].strip().removesuffix(b",")
    return f"{{{text.decode('utf-8', 'backslashreplace')}}}" if text else None


def _skip(data: bytes, position: int) -> int:
    match = _BETWEEN.match(data, position)
    return match.end() if match else position


def _next_record(
    reader: _Reader,
    start: int,
    error_at: int,
    opening: re.Pattern[bytes],
    is_record: Callable[[Slice], bool],
) -> int:
    """Where the next record or envelope begins after a broken value; the end of data if none does.

    An error shows right where the damage is or, after a lost quote, behind the first quote of the next one.
    So the last brace before the error is the first candidate. An object closed before the error, or inside an
    object that is no record, belongs to the damaged record: taken for a record it could forge one.
    """
    data, view = reader.data, memoryview(reader.data)
    candidate = _candidate(data, start, error_at)
    while (candidate := data.find(b"{", candidate)) >= 0 and reader.work > 0:
        if opening.match(data, candidate):
            return candidate
        end = reader.end(candidate)
        if isinstance(end, _Broken):
            error_at = max(error_at, end.position)
            candidate = _candidate(data, candidate, error_at)
        elif end > error_at and is_record(view[candidate:end]):
            return candidate
        else:
            candidate = max(end, error_at)
    return len(data)


def _candidate(data: bytes, start: int, error_at: int) -> int:
    return max(start + 1, data.rfind(b"{", start + 1, error_at + 1))


def _defect(value: memoryview) -> str:
    """What makes a whole value no good record; "" if nothing does."""
    try:
        _RAW.decode(value)
        str(value, "utf-8")
    except msgspec.DecodeError as error:
        return f"invalid JSON: {error}"
    except UnicodeDecodeError as error:
        return f"invalid UTF-8 (byte {error.start} of the record)"
    except RecursionError:
        return _TOO_DEEP
    return "" if value[0] == 0x7B else "not a JSON object"
