"""What came over a connection of syslog in, its messages out, however they are framed.

RFC 6587: by octet counting (`5 <1>hi`), where rsyslog and syslog-ng put the line's end inside the count, or by lines.
Which of both is seen at a connection's first bytes.
"""

import re
from dataclasses import dataclass

_COUNT = re.compile(rb"([1-9]\d{0,8}) ")
_BEGUN = re.compile(rb"[1-9]\d{0,8}\Z")
_ENDS = b"\r\n\0"  # some devices end a message with NUL

CUT, UNFINISHED, UNFRAMED, ESCAPED = "cut", "unfinished", "unframed", "escaped"


@dataclass(frozen=True)
class Message:
    """A message as received, without the line's end. Marks: `cut`: longer than allowed, its end is missing;
    `unfinished`: the connection closed within it; `unframed`: it began where a count should have stood; `escaped`:
    bytes of it that are no UTF-8 stand as \\xNN.
    """

    text: str
    marks: tuple[str, ...] = ()


def message(data: bytes, *marks: str) -> Message:
    """The message in `data`."""
    try:
        return Message(data.rstrip(_ENDS).decode(), marks)
    except UnicodeDecodeError:
        return Message(data.rstrip(_ENDS).decode("utf-8", "backslashreplace"), (*marks, ESCAPED))


class Frames:
    """One connection. Of a message of more than `limit` bytes only the beginning is kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._counted: bool | None = None  # not known yet
        self._unframed = False
        self._skip: int | None = 0
        """Bytes to pass over, the end of a message that was cut; None: to the line's end."""

    def feed(self, data: bytes) -> list[Message]:
        """The messages that end in `data`, in their order."""
        self._held += data
        found: list[Message] = []
        while self._held and self._one(found):
            pass
        return [each for each in found if each.text]

    def end(self) -> list[Message]:
        """What is left when the connection closes."""
        rest = bytes(self._held)
        self._held.clear()
        if self._skip != 0 or not rest.strip(_ENDS):
            return []
        if self._counted and (count := _COUNT.match(rest)):
            rest = rest[count.end() :]
        return [message(rest, *self._marks(), UNFINISHED)]

    def _one(self, found: list[Message]) -> bool:
        """Take one step; False: more data is needed."""
        if self._skip != 0:
            return self._pass_over()
        if self._counted is None and _BEGUN.match(self._held):
            return False
        if self._counted is None:
            self._counted = _COUNT.match(self._held) is not None
        return self._by_count(found) if self._counted else self._by_line(found)

    def _by_count(self, found: list[Message]) -> bool:
        held = self._held
        count = _COUNT.match(held)
        if count is None:
            if _BEGUN.match(held):
                return False
            if held[0] in _ENDS:  # a line's end that was not counted
                del held[0]
                return True
            self._counted, self._unframed = False, True  # nothing is lost where a count was wrong
            return True
        start, size = count.end(), int(count[1])
        kept = min(size, self._limit)
        if len(held) - start < kept:
            return False
        found.append(message(bytes(held[start : start + kept]), *self._marks(), *([CUT] if kept < size else [])))
        del held[: start + kept]
        self._skip = size - kept
        return True

    def _by_line(self, found: list[Message]) -> bool:
        held = self._held
        end = held.find(b"\n", 0, self._limit + 1)
        if end < 0 and len(held) <= self._limit:
            return False
        if end < 0:
            found.append(message(bytes(held[: self._limit]), *self._marks(), CUT))
            del held[: self._limit]
            self._skip = None
        else:
            found.append(message(bytes(held[:end]), *self._marks()))
            del held[: end + 1]
        return True

    def _pass_over(self) -> bool:
        held = self._held
        if self._skip is None:
            end = held.find(b"\n")
            self._skip = None if end < 0 else 0
            del held[: len(held) if end < 0 else end + 1]
        else:
            passed = min(self._skip, len(held))
            self._skip -= passed
            del held[:passed]
        return bool(held)

    def _marks(self) -> tuple[str, ...]:
        marks = (UNFRAMED,) if self._unframed else ()
        self._unframed = False
        return marks
