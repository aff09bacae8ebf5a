"""Globs of local log files in, their new lines out, each exactly once.

How far each file is read commits with the lines. Files are followed by inode: through renaming, to the end of the old
one before the new one begins; through copying and cutting; through deletion, as far as they were open.
"""

import glob
import os
import socket
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Literal
from uuid import uuid4

import msgspec
from pydantic import Field

from trailkeep.collect.collector import CollectorConfig, Context
from trailkeep.collect.feed import Delivery, Fate
from trailkeep.collect.files import LogFile
from trailkeep.collect.tail_file import Line, Place, TailFile
from trailkeep.lake.progress import Position

COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".lz4", ".Z")
_FILE_BYTES = 4 << 20  # read of a file at once
_ROUND_BYTES = 16 << 20  # handed over at once
_OPEN = 400  # files that are kept open though nothing comes
_OLD_SECONDS = 30.0  # how long a file that was renamed or deleted is followed after its last line
_COPY = 256  # bytes that were read of a file before another one that begins the same is taken for its copy
_BEGAN = "began"
_ENCODE = msgspec.json.Encoder().encode


class Tail(CollectorConfig):
    """Lines that are written to files on this machine."""

    type: Literal["tail"]
    files: list[str] = Field(min_length=1, description="globs of full paths, such as /var/log/nginx/*.log")
    begin: Literal["start", "end"] = Field(
        default="start", description="where to begin in files that are there when this runs for the first time"
    )
    poll_seconds: float = Field(default=1.0, gt=0, le=3600)
    max_line_kb: int = Field(default=256, ge=1, le=2048, description="longer lines come in marked parts")

    def run(self, context: Context) -> None:
        """Follow until stopped; with `once`, to the ends that the files have now."""
        tailer = _Tailer(self, context)
        try:
            tailer.follow()
        finally:
            tailer.close()


@dataclass(eq=False)
class _Followed:
    """A file that is followed, to `place` so far. `old`: another file has its name now, or none has."""

    file: TailFile | None  # None: not open at the moment
    place: Place
    old: bool = False
    size: int = 0
    modified: float = 0.0
    grown: float = field(default_factory=time.monotonic)


class _Tailer:
    def __init__(self, config: Tail, context: Context) -> None:
        self._config = config
        self._context = context
        self._host = socket.gethostname()
        self._longest = config.max_line_kb << 10
        self._followed: dict[tuple[int, int], _Followed] = {}
        self._growing: dict[tuple[int, int], int] = {}
        """Sizes of files that may be copies which are being made."""
        self._faults: dict[str, str] = {}
        self._failed: deque[Delivery] = deque()
        self._stuck = False  # nothing can be written to our own disk
        self._folder = context.spool
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.iterdir():
            left.unlink()  # of a process that died: read again from where the lake is
        known = dict(context.kept.positions(context.name))
        self._first = known.pop(_BEGAN, None) is None
        self._known = [Place(**value) for value in known.values() if value]

    def follow(self) -> None:
        """Read what is new, again and again."""
        context = self._context
        self._find_renamed()
        while not context.stop.is_set():
            self._look()
            came = False
            while not context.stop.is_set() and self._round():
                came = True
            self._hand_over_again()
            if self._stuck:
                continue
            if context.once and not came:
                context.health.done(self._said())
                return
            self._let_go()
            context.health.running(self._said())
            if not came:
                context.stop.wait(self._config.poll_seconds)

    def close(self) -> None:
        """Close all files."""
        for each in self._followed.values():
            if each.file:
                each.file.close()

    def _said(self) -> str:
        count = sum(not each.old for each in self._followed.values())
        faults = "".join(f"; {path}: {reason}" for path, reason in list(self._faults.items())[:3])
        if not count:
            return f"no file to be read is named {', '.join(self._config.files)}{faults}"
        return f"follows {count:,} files{faults}"

    def _look(self) -> None:
        """See which files there are now, and begin with those that are new."""
        named = self._named()
        for key, each in self._followed.items():
            each.old = key not in named
            if not each.old:
                path, found = named[key]
                each.place = replace(each.place, path=str(path))
                each.size, each.modified = found.st_size, found.st_mtime
        for key, (path, found) in named.items():
            if key not in self._followed and (file := self._open(path)):
                self._begin(file, found)
        if self._first:
            began = Position(self._context.name, _BEGAN, {"at": datetime.now(UTC).isoformat()})
            positions = (began, *(self._position(each.place) for each in self._followed.values()))
            self._first = not self._context.deliver(Delivery(self._context.name, None, positions=positions))

    def _named(self) -> dict[tuple[int, int], tuple[Path, os.stat_result]]:
        """The files that fit the globs, by device and inode."""
        named: dict[tuple[int, int], tuple[Path, os.stat_result]] = {}
        for pattern in self._config.files:
            for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 absolute too
                path = Path(name).resolve()
                if not path.name.endswith(COMPRESSED):
                    with suppress(OSError):  # deleted since
                        found = path.stat()
                        named.setdefault((found.st_dev, found.st_ino), (path, found))
        return named

    def _begin(self, file: TailFile, found: os.stat_result) -> None:
        """Where to begin in a file that was not followed before."""
        key = (file.device, file.inode)
        if self._first and self._config.begin == "end":
            file.to_last_line(self._longest)
        elif place := self._read_before(file):
            file.offset = place.offset
        elif self._may_be_copied_now(file) and self._growing.get(key) != found.st_size:
            self._growing[key] = found.st_size
            file.close()
            return
        self._growing.pop(key, None)
        new = _Followed(file, file.place(), size=found.st_size, modified=found.st_mtime)
        self._followed[key] = new
        if file.offset:
            self._context.deliver(Delivery(self._context.name, None, positions=(self._position(new.place),)))

    def _read_before(self, file: TailFile) -> Place | None:
        """How far its content was read already: under the same inode, or it is a copy of a file beside it."""
        places = [
            place
            for place in self._places()
            if (place.inode == file.inode or (_is_beside(place, file) and place.offset >= _COPY))
            and place.offset
            and file.holds(place)
        ]
        return max(places, key=lambda place: place.offset, default=None)

    def _may_be_copied_now(self, file: TailFile) -> bool:
        """Whether it begins like a longer file beside it, which was read further."""
        return any(
            _is_beside(each.place, file) and each.place.offset > file.size() and each.file.begins_like(file)
            for each in self._followed.values()
            if each.file
        )

    def _places(self) -> list[Place]:
        return [*self._known, *(each.place for each in self._followed.values())]

    def _find_renamed(self) -> None:
        """Files that were renamed while nobody looked: what is left of them comes before anything else."""
        for place in self._known:
            path = _renamed(place)
            file = self._open(path) if path else None
            if file and file.holds(place):
                file.offset = place.offset
                self._followed[file.device, file.inode] = _Followed(file, file.place(), old=True)
            elif file:
                file.close()

    def _open(self, path: Path) -> TailFile | None:
        try:
            file = TailFile(path)
        except FileNotFoundError:  # deleted since
            return None
        except OSError as error:
            self._fault(str(path), error)
            return None
        self._faults.pop(str(path), None)
        return file

    def _fault(self, path: str, error: OSError) -> None:
        """Say once that a file cannot be read."""
        if self._faults.get(path) != error.strerror:
            self._faults[path] = str(error.strerror)
            self._context.health.error(f"{path}: {error.strerror}")

    def _round(self) -> bool:
        """Hand over some of what is new, of renamed files first; False: there is nothing at the moment."""
        path = self._folder / f"{uuid4().hex}.jsonl"
        read: list[_Followed] = []
        size = 0
        try:
            with path.open("xb") as out:
                for each in sorted(self._followed.values(), key=lambda each: (not each.old, each.modified)):
                    if lines := self._readable_lines(each):
                        read.append(each)
                        size += out.write(self._enveloped(lines, each.place))
                    if size >= _ROUND_BYTES or (each.old and each.file and each.file.more()):
                        break
        except OSError as error:  # the disk is full
            path.unlink(missing_ok=True)
            for each in self._followed.values():
                if each.file:
                    each.file.offset = each.place.offset
            self._stuck = True
            self._context.wait(f"{self._folder}: {error.strerror}")
            return False
        self._stuck = False
        self._context.went_well()
        if not read:
            path.unlink()
            return False
        for each in read:
            assert each.file
            each.place = replace(each.file.place(), path=each.place.path)
        return self._hand_over(self._delivery(path, size, tuple(self._position(each.place) for each in read)))

    def _readable_lines(self, each: _Followed) -> list[Line]:
        """The next lines of a file; none where it cannot be read, which does not keep others from being read."""
        try:
            return self._lines(each)
        except OSError as error:
            self._fault(each.place.path, error)
            if each.file:
                each.file.offset = each.place.offset
            return []

    def _lines(self, each: _Followed, last: bool = False) -> list[Line]:
        """The next lines of a file. Raises OSError."""
        if each.file is None and (each.old or each.size != each.place.offset):
            self._reopen(each)
        file = each.file
        if file is None or not (behind := file.behind()):
            return []
        if behind < 0 or not file.holds(each.place):  # it was cut, and perhaps has grown since
            file.offset = 0
            each.place = replace(file.place(), path=each.place.path)
        before = file.offset
        lines: list[Line] = []
        while not lines and file.offset >= before and file.behind() > 0:
            start = file.offset
            lines = file.lines(_FILE_BYTES, self._longest, last)
            if file.offset == start:
                break
        if file.offset != before:
            each.grown = time.monotonic()
        return lines

    def _reopen(self, each: _Followed) -> None:
        path = _renamed(each.place) if each.old else Path(each.place.path)
        file = self._open(path) if path else None
        if file and (file.device, file.inode) == (each.place.device, each.place.inode):
            file.offset = each.place.offset
            each.file = file
        elif file:
            file.close()

    def _enveloped(self, lines: list[Line], place: Place) -> bytes:
        """Lines as our receivers write them. No two of the same file and offset: equal lines are different objects."""
        said = {
            "protocol": "file",
            "received": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "sender": self._host,
            "batch": uuid4().hex,
            "path": place.path,
        }
        parts = []
        for marks, group in groupby(lines, lambda line: line.marks):
            head = b'{"trailkeep":' + _ENCODE(said | ({"marks": marks} if marks else {})) + b',"record":'
            parts += [head + _ENCODE(line.text) + b"}\n" for line in group]
        return b"".join(parts)

    def _position(self, place: Place) -> Position:
        return Position(self._context.name, f"{place.device}:{place.inode}", asdict(place))

    def _hand_over(self, delivery: Delivery) -> bool:
        file = delivery.file
        assert file

        def settled(fate: Fate) -> None:
            if fate == "failed":
                self._failed.append(delivery)
            else:
                file.path.unlink(missing_ok=True)

        return self._context.deliver(replace(delivery, settled=settled))

    def _hand_over_again(self) -> None:
        """What could not be read from our own disk."""
        while self._failed and not self._context.stop.is_set():
            delivery = self._failed.popleft()
            if self._context.wait(f"{delivery.file.path if delivery.file else ''}: cannot be read; tried again"):
                self._hand_over(delivery)

    def _let_go(self) -> None:
        """Forget files that lost their names and get no more lines; close those that are quiet, if there are many."""
        now = time.monotonic()
        for key, each in list(self._followed.items()):
            if each.old and (each.file is None or now - each.grown > _OLD_SECONDS):
                try:
                    self._finish(each)
                except OSError as error:
                    self._context.wait(f"{each.place.path}: {error.strerror}")
                    return
                del self._followed[key]
                self._known = [place for place in self._known if (place.device, place.inode) != key]
        opened = sorted((each for each in self._followed.values() if each.file), key=lambda each: each.grown)
        for each in opened[: max(0, len(opened) - _OPEN)]:
            if each.file and not each.old and not each.file.behind():
                each.file.close()
                each.file = None

    def _finish(self, each: _Followed) -> None:
        """The last of a file, and its position, which is needed no more. Raises OSError."""
        context, place = self._context, each.place
        gone = (Position(context.name, f"{place.device}:{place.inode}", {}),)
        if lines := self._lines(each, last=True):
            path = self._folder / f"{uuid4().hex}.jsonl"
            try:
                size = path.write_bytes(self._enveloped(lines, place))
            except OSError:
                path.unlink(missing_ok=True)
                assert each.file
                each.file.offset = place.offset
                raise
            self._hand_over(self._delivery(path, size, gone))
        else:
            context.deliver(Delivery(context.name, None, positions=gone))
        if each.file:
            each.file.close()

    def _delivery(self, path: Path, size: int, positions: tuple[Position, ...]) -> Delivery:
        key = f"tail://{self._context.name}/{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        return Delivery(self._context.name, LogFile(path, key, size), positions=positions, since=time.time())


def _is_beside(place: Place, file: TailFile) -> bool:
    return Path(place.path).parent == file.path.parent


def _renamed(place: Place) -> Path | None:
    """Under which name the file of `place` is now in its folder, where that is another one."""
    path = Path(place.path)
    try:
        with os.scandir(path.parent) as entries:
            for entry in entries:
                if entry.inode() == place.inode and entry.name != path.name and not entry.name.endswith(COMPRESSED):
                    return Path(entry.path)
    except OSError:
        pass
    return None
