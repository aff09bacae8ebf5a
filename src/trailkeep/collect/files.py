"""Paths in (files, folders, globs), the log files behind them out, those of one day next to each other."""

import glob
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from trailkeep.core.errors import UsageError
from trailkeep.core.fetched import Fetched

_DATE = re.compile(r"(20\d\d)[/-]?([01]\d)[/-]?([0-3]\d)")
# Compressed logs are read as this many times their size: measured 8 to 12 on CloudTrail.
_EXPANSION = 10
_COMPRESSED = (".gz", ".tgz", ".bz2", ".zst", ".zip", ".parquet")
_GROUP_BYTES = 4 << 20
_GROUP_FILES = 64
_AHEAD = 8


@dataclass(frozen=True)
class LogFile:
    """A file to read. `key` is what its source is recognised from; `raw_size` is an estimate in bytes."""

    path: Path
    key: str
    size: int
    version: str | None = None  # of an object in S3: its version or ETag
    user_metadata: Mapping[str, str] = field(default_factory=dict)
    remote = False  # whether it lies on another machine

    @property
    def raw_size(self) -> int:
        """About how large the content will be."""
        return self.size * (_EXPANSION if self.key.endswith(_COMPRESSED) else 1)

    def fetch(self) -> Fetched:
        """Its bytes, or why there are none."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            return Fetched(self.key, b"", f"cannot be read: {error.strerror}")
        return Fetched(self.key, data, version=self.version, user_metadata=self.user_metadata)


def find_files(patterns: list[str]) -> list[LogFile]:
    """Every file under `patterns`, each once, ordered by the date in its name so that batches stay in a day.

    Raises UsageError naming each pattern that leads to nothing.
    """
    paths: dict[Path, None] = {}
    missing = []
    for pattern in patterns:
        found = list(_expand(pattern))
        if not found:
            missing.append(pattern)
        paths.update(dict.fromkeys(found))
    if missing:
        raise UsageError("\n".join(f"{name}: no such file, or an empty folder" for name in missing))
    files = [LogFile(path, str(path), path.stat().st_size) for path in paths]
    return sorted(files, key=lambda file: (_date(file.key), file.key))


def split(files: Iterable[LogFile], size: int) -> Iterator[list[LogFile]]:
    """`files` in groups of about `size` raw bytes, in their order."""
    group: list[LogFile] = []
    total = 0
    for file in files:
        if group and total + file.raw_size > size:
            yield group
            group, total = [], 0
        group.append(file)
        total += file.raw_size
    if group:
        yield group


def shares(files: list[LogFile], count: int) -> list[list[LogFile]]:
    """`files` in at most `count` groups of about the same number of raw bytes, in their order."""
    groups: list[list[LogFile]] = [[] for _ in range(count)]
    size, before = sum(file.raw_size for file in files), 0
    for file in files:
        groups[min(before * count // max(size, 1), count - 1)].append(file)
        before += file.raw_size
    return [group for group in groups if group]


def fetch(files: list[LogFile]) -> Iterator[list[Fetched]]:
    """The bytes of `files` in groups that are small in memory; those far away are fetched ahead of their use."""
    return grouped(_ahead(files) if any(file.remote for file in files) else (file.fetch() for file in files))


def _ahead(files: list[LogFile]) -> Iterator[Fetched]:
    waiting: deque[Future[Fetched]] = deque()
    with ThreadPoolExecutor(_AHEAD) as pool:
        for file in files:
            waiting.append(pool.submit(file.fetch))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def grouped(objects: Iterable[Fetched]) -> Iterator[list[Fetched]]:
    """`objects` in groups that are small in memory."""
    group: list[Fetched] = []
    size = 0
    for item in objects:
        group.append(item)
        size += len(item.data)
        if size >= _GROUP_BYTES or len(group) >= _GROUP_FILES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _expand(pattern: str) -> Iterator[Path]:
    exact = Path(pattern)
    found = [pattern] if exact.exists() else glob.glob(pattern, recursive=True)  # noqa: PTH207 absolute too
    places = map(Path, sorted(found))
    for place in places:
        if place.is_dir():
            yield from (path.resolve() for path in sorted(place.rglob("*")) if path.is_file())
        elif place.exists():
            yield place.resolve()


def _date(key: str) -> str:
    found = _DATE.search(key)
    return "".join(found.groups()) if found else ""
