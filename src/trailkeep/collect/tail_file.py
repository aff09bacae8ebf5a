"""A log file that grows, is renamed, cut or deleted in; the new lines of it out, from where the last ones ended.

A file is known by its inode and by its content: a hash of its first bytes and of those before the place to which it was
read. So a file that was cut and written anew is told from one that grew, and a copy from a new file.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from trailkeep.collect.syslog_frames import ESCAPED, UNFINISHED

PART = "part"
_SAMPLE = 1024


@dataclass(frozen=True)
class Place:
    """How far a file is read; `mark` is a hash of what stands at its begin and before `offset`."""

    device: int
    inode: int
    offset: int
    mark: str
    path: str


@dataclass(frozen=True)
class Line:
    """A line without its end. Marks: `part`: a piece of one that is longer than allowed; `unfinished`: its file ended
    for good without a line's end; `escaped`: bytes of it that are no UTF-8 stand as \\xNN.
    """

    text: str
    marks: tuple[str, ...] = ()


class TailFile:
    """An open file and the place to which it is read. Close it."""

    def __init__(self, path: Path) -> None:
        """Opens it at its begin. Raises OSError, also where it is no plain file."""
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(self._descriptor)
            raise OSError(0, "no plain file", str(path))
        self.device, self.inode = found.st_dev, found.st_ino
        self.offset = 0
        self._filled = False

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)

    def size(self) -> int:
        """How long it is now."""
        return os.fstat(self._descriptor).st_size

    def behind(self) -> int:
        """How many bytes are not read; less than none where it was cut."""
        return self.size() - self.offset

    def more(self) -> bool:
        """Whether the last reading left whole lines, as far as one can know."""
        return self._filled and self.behind() > 0

    def begins_like(self, other: "TailFile") -> bool:
        """Whether the first bytes are the same, as far as `other` has any."""
        begin = os.pread(other._descriptor, _SAMPLE, 0)
        return os.pread(self._descriptor, len(begin), 0) == begin

    def place(self) -> Place:
        """How far it is read."""
        return Place(self.device, self.inode, self.offset, self.mark(self.offset), str(self.path))

    def mark(self, offset: int) -> str:
        """What tells whether the content before `offset` is the same."""
        begin = os.pread(self._descriptor, min(offset, _SAMPLE), 0)
        end = os.pread(self._descriptor, min(offset, _SAMPLE), max(0, offset - _SAMPLE))
        return hashlib.sha256(begin + end).hexdigest()[:32]

    def holds(self, place: Place) -> bool:
        """Whether it begins with what was read up to `place`."""
        return self.size() >= place.offset and self.mark(place.offset) == place.mark

    def to_last_line(self, longest: int) -> None:
        """Go to the begin of the line that is being written at the end."""
        size = self.size()
        tail = os.pread(self._descriptor, min(size, longest), max(0, size - longest))
        end = tail.rfind(b"\n")
        self.offset = size if end < 0 else size - len(tail) + end + 1

    def lines(self, most: int, longest: int, last: bool = False) -> list[Line]:
        """The next lines, of about `most` bytes together; none where there is no whole one.

        Lines of more than `longest` bytes (less than `most`) come in parts. `last`: nothing will be written any more.
        """
        data = os.pread(self._descriptor, most, self.offset)
        self._filled = len(data) == most
        begun = self.offset > 0 and os.pread(self._descriptor, 1, self.offset - 1) != b"\n"
        *whole, rest = data.split(b"\n")
        found = [
            each for number, line in enumerate(whole) for each in _parts(line, longest, begun=begun and number == 0)
        ]
        taken = len(data) - len(rest)
        if len(rest) >= longest:
            count = len(rest) // longest * longest
            found += [_line(rest[start : start + longest], PART) for start in range(0, count, longest)]
            taken += count
        elif last and rest and len(data) < most:
            found.append(_line(rest, UNFINISHED))
            taken += len(rest)
        self.offset += taken
        return [line for line in found if line.text]


def _parts(line: bytes, longest: int, begun: bool) -> list[Line]:
    """`begun`: the line began before, in another part."""
    if len(line) <= longest and not begun:
        return [_line(line)]
    return [_line(line[start : start + longest], PART) for start in range(0, len(line), longest)]


def _line(data: bytes, *marks: str) -> Line:
    # A file that was cut under a writer which did not notice has NULs up to where that writes on.
    data = data.lstrip(b"\0").rstrip(b"\r")
    try:
        return Line(data.decode(), marks)
    except UnicodeDecodeError:
        return Line(data.decode("utf-8", "backslashreplace"), (*marks, ESCAPED))
