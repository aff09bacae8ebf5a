"""Streams of events by time in, files of them out, window by window; each event once, late ones too.

A window [from, to) of a stream is fetched whole into one file, and its end is the stream's position, which commits with
the file: a crash repeats a window or does not, and never a part of it. A window that would make too large a file is
halved. Windows end `settle_seconds` before now, because what happened just now cannot be seen yet. What comes later
than that, and says when it came, is found by later looks at the same time: each takes what was late by more than the
look before it had waited.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple
from uuid import uuid4

from pydantic import AfterValidator, Field

from trailkeep.collect.feed import Delivery, Fate
from trailkeep.collect.files import LogFile
from trailkeep.collect.pull import Place, PullConfig, Refused, Stopped
from trailkeep.lake.progress import Position

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_FULL = 0.8  # of the size of a file
_PATIENCE = 0.1  # of its delay, until a later look looks again
_MARGIN = 0.2  # of a look's delay, for what has come to be seen


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_in_utc)]
"""A date or a time in YAML; UTC where no zone is named."""


@dataclass(frozen=True)
class Window:
    """Milliseconds since 1970, from `start` to before `end`, and which of the events in it are wanted.

    With one look all are. Else the first look takes what came up to `up_to` after it happened, and what happened before
    `known[0]` and came before `known[1]`, when the stream was first read; each later look takes what came `over` to
    `up_to` after it happened.
    """

    start: int
    end: int
    over: float = float("-inf")
    up_to: float = float("inf")
    known: tuple[float, float] = (0, 0)
    first: bool = True

    def has(self, moment: float) -> bool:
        """Whether an event of this time is in it."""
        return self.start <= moment < self.end

    def wants(self, moment: int, came: int) -> bool:
        """Whether to take an event of the time `moment`, which the service has had since `came`."""
        if not self.has(moment):
            return False
        if moment < self.known[0] and came < self.known[1]:
            return self.first
        return self.over < came - moment <= self.up_to


class Told(NamedTuple):
    """JSON without line breaks, and when what it tells of happened: milliseconds since 1970."""

    moment: int
    line: bytes


@dataclass(frozen=True)
class Stream:
    """Something that is read by time, such as a log group. `name` is a part of its key and its position."""

    name: str = ""


class WindowsConfig(PullConfig):
    """A collector that asks an API for what happened in a window of time."""

    since: Moment | None = Field(default=None, description="where to begin at the first run; one day back otherwise")
    settle_seconds: float = Field(default=300, ge=0, description="how old what is fetched is at least")

    scheme: ClassVar[str]
    """With what keys begin."""
    file_bytes: ClassVar[int] = 32 << 20
    """About how large a file may be."""
    reaches_back: ClassVar[timedelta | None] = None
    """How far the service remembers."""

    def step(self) -> int:
        """Milliseconds that a window begins and ends at multiples of."""
        return 1

    def longest(self) -> int:
        """Most milliseconds in a window."""
        return 31 * _DAY

    def looks(self) -> list[float]:
        """After how many seconds to look, and to look again for what came late."""
        return [self.settle_seconds]

    def streams(self, place: Place) -> list[Stream]:
        """What there is to read in a place."""
        return [Stream()]

    def fetch(self, place: Place, stream: Stream, window: Window) -> Iterator[Told]:
        """What happened in a window."""
        raise NotImplementedError

    def reader(self, place: Place) -> "WindowReader":
        """Reads all streams of a place."""
        return WindowReader(self, place)


@dataclass
class _Filled:
    """How much is in a file, and whether that is all; of when its first line is, and the last that left it room."""

    size: int = 0
    first: int = 0
    last: int = 0
    whole: bool = True


class WindowReader:
    """Reads the streams of one place, a window of each in turn."""

    def __init__(self, config: WindowsConfig, place: Place) -> None:
        self._config = config
        self._place = place
        self._context = place.context
        self._delays = sorted(set(config.looks()))
        self._at: dict[str, dict[str, int]] = {}
        self._lengths: dict[str, int] = {}
        self._streams: list[Stream] = []
        self._listed = float("-inf")

    def round(self) -> bool:
        """Hand over the next window of every stream; whether there are more already."""
        if time.monotonic() - self._listed >= self._config.every_seconds:
            self._streams = self._config.streams(self._place)
            self._listed = time.monotonic()
        more, faults = False, []
        for stream in self._streams:
            for number in range(len(self._delays)):
                if self._context.stop.is_set():
                    raise Stopped
                try:
                    more |= self._advance(stream, number)
                except Refused as error:
                    faults.append(str(error))
                    break
        if faults:
            raise Refused("; ".join(dict.fromkeys(faults)), more)
        return more

    def _advance(self, stream: Stream, number: int) -> bool:
        """Hand over the next window of a look; whether it has another one already."""
        scope = f"{self._config.scheme}://{self._place.owner}/{self._place.region}"
        scope += f"/{stream.name}" if stream.name else ""
        at = self._position(scope)
        look = _look(self._delays[number])
        start = at.setdefault(look, max(value for name, value in at.items() if name != "begun"))
        newest = self._floor(self._place.now() * 1000 - self._delays[number] * 1000)
        length = min(self._lengths.get(scope, _HOUR), self._config.longest())
        end = min(start + max(self._floor(length), self._config.step()), newest)
        if end <= start or end - start < self._delays[number] * 1000 * _PATIENCE * bool(number):
            return False
        window = self._window(number, start, end, at["begun"])
        path, filled = self._fetch(stream, window)
        halved = False
        while not filled.whole:
            window = replace(window, end=self._shorter(window, filled, halved))
            self._lengths[scope] = window.end - max(start, filled.first * (filled.first < window.end))
            path, filled = self._fetch(stream, window)
            halved = True
        if filled.size < self._config.file_bytes // 4 and window.end - start >= length:
            self._lengths[scope] = 2 * length
        self._hand_over(scope, look, window, path, filled.size)
        return self._at[scope][look] < newest

    def _shorter(self, window: Window, filled: "_Filled", halved: bool) -> int:
        """A new end for a window of which too much came: up to where it came if that is in order, or else the half."""
        in_order = filled.first < filled.last < window.end and not halved
        end = self._floor(filled.last if in_order else (window.start + window.end) // 2)
        return max(end, window.start + self._config.step())

    def _fetch(self, stream: Stream, window: Window) -> "tuple[Path, _Filled]":
        """A file of what happened in a window."""
        path = self._context.spool / uuid4().hex
        while True:
            try:
                return path, self._fill(path, stream, window)
            except OSError as error:  # the disk is full
                path.unlink(missing_ok=True)
                if not self._context.wait(f"{path}: {error.strerror}"):
                    raise Stopped from error
            except BaseException:
                path.unlink(missing_ok=True)
                raise

    def _fill(self, path: Path, stream: Stream, window: Window) -> "_Filled":
        filled, divisible = _Filled(), window.end - window.start > self._config.step()
        with path.open("wb") as file:
            for told in self._config.fetch(self._place, stream, window):
                filled.first = filled.first if filled.size else told.moment
                filled.size += file.write(told.line + b"\n")
                if filled.size <= self._config.file_bytes * _FULL:
                    filled.last = told.moment
                if filled.size > self._config.file_bytes and divisible:
                    filled.whole = False
                    break
        if not (filled.size and filled.whole):
            path.unlink()
        return filled

    def _hand_over(self, scope: str, look: str, window: Window, path: Path, size: int) -> None:
        again = "" if window.first else "+late"
        key = f"{scope}/{_shown(window.start)}--{_shown(window.end)}{again}.jsonl"
        file = LogFile(path, key, size) if size else None
        before = dict(self._at[scope])
        self._at[scope][look] = window.end
        position = Position(self._context.name, scope, dict(self._at[scope]))

        def settled(fate: Fate) -> None:
            if file:
                file.path.unlink(missing_ok=True)
            if fate == "failed":  # it is fetched again
                self._at[scope] = before

        if not self._context.deliver(
            Delivery(self._context.name, file, settled, positions=(position,), since=window.end / 1000)
        ):
            settled("failed")
            raise Stopped

    def _window(self, number: int, start: int, end: int, begun: int) -> Window:
        if len(self._delays) == 1:
            return Window(start, end)
        waits = [delay * 1000 * (1 - _MARGIN) for delay in self._delays]
        first = self._delays[0] * 1000
        return Window(
            start,
            end,
            over=waits[number - 1] if number else float("-inf"),
            up_to=waits[number] if number < len(waits) - 1 else float("inf"),
            known=(begun - first, begun - first * _MARGIN),
            first=number == 0,
        )

    def _position(self, scope: str) -> dict[str, int]:
        """Up to when each look has come; `begun` is when the stream was first read."""
        if scope not in self._at:
            self._at[scope] = self._context.kept.position(self._context.name, scope) or self._begin()
        return self._at[scope]

    def _begin(self) -> dict[str, int]:
        config, now = self._config, int(self._place.now() * 1000)
        since = int(config.since.timestamp() * 1000) if config.since else now - _DAY
        if config.reaches_back:
            since = max(since, now - config.reaches_back // timedelta(milliseconds=1))
        later = max(since, now - int(self._delays[-1] * 1000))
        at = {_look(delay): self._floor(later if number else since) for number, delay in enumerate(self._delays)}
        return at | {"begun": now}

    def _floor(self, moment: float) -> int:
        return int(moment // self._config.step() * self._config.step())


def _look(delay: float) -> str:
    return f"{delay:g}"


def _shown(moment: int) -> str:
    text = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return text.removesuffix(".000").removesuffix(":00") + "Z"


def milliseconds(moment: Any) -> int:
    """Milliseconds since 1970 of a datetime, or of its text in ISO 8601."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return (_in_utc(moment) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def moment_of(value: int) -> datetime:
    """A datetime of milliseconds since 1970."""
    return datetime.fromtimestamp(value / 1000, UTC)
