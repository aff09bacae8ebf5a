"""A folder in, an opened lake out: its paths, its state database and its locks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout
from sqlalchemy import Engine

from trailkeep.core.errors import LakeError
from trailkeep.store.database import open_database, sqlite_url


@dataclass(frozen=True)
class Home:
    """Where a local lake keeps its things. Nothing is opened until it is asked for."""

    path: Path

    def __reduce__(self) -> tuple[type["Home"], tuple[Path]]:
        # Another process opens its own state database.
        return Home, (self.path,)

    @property
    def warehouse(self) -> Path:
        """Data and metadata files of the Iceberg tables."""
        return self.path / "warehouse"

    @property
    def events_data(self) -> Path:
        """Data files of the events table."""
        return self.warehouse / "events" / "data"

    @property
    def sightings_data(self) -> Path:
        """Data files of the sightings table."""
        return self.warehouse / "sightings" / "data"

    @property
    def quarantine(self) -> Path:
        """Bytes that could not be stored."""
        return self.path / "quarantine"

    @property
    def spool(self) -> Path:
        """What collectors have on this machine and is not committed."""
        return self.path / "spool"

    @property
    def ledgers(self) -> Path:
        """One file a batch: what it stores, written before its snapshot."""
        return self.path / "ledger"

    @property
    def catalog_url(self) -> str:
        """The Iceberg catalog's database."""
        return sqlite_url(self.path / "catalog.db")

    @cached_property
    def state(self) -> Engine:
        """Intents, ledger, quarantine and alerts."""
        return open_database(sqlite_url(self.path / "state.db"))

    @contextmanager
    def commit_lock(self) -> Iterator[None]:
        """Held by the one process that commits; released by the kernel when its holder dies. Reentrant."""
        with FileLock(self._lock("commit"), is_singleton=True):
            yield

    @contextmanager
    def only_one(self, task: str) -> Iterator[None]:
        """Held while one process does `task`; a second one waits."""
        with FileLock(self._lock(task)):
            yield

    @contextmanager
    def exclusive(self, task: str) -> Iterator[None]:
        """Held while this process does `task`. Raises LakeError if another one does it."""
        lock = FileLock(self._lock(task), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise LakeError(f"{self.path}: another process does `{task}` on this lake; stop it first") from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def writer(self) -> Iterator[str]:
        """The name of a new writer, alive for as long as the block runs."""
        name = uuid4().hex
        path = self._lock(f"writer-{name}")
        with FileLock(path):
            yield name
        path.unlink(missing_ok=True)

    def is_alive(self, writer: str) -> bool:
        """Whether the process that writes under this name still runs."""
        path = self._lock(f"writer-{writer}")
        if not path.exists():
            return False
        try:
            with FileLock(path, timeout=0):
                path.unlink(missing_ok=True)
                return False
        except Timeout:
            return True

    def _lock(self, name: str) -> Path:
        folder = self.path / "locks"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.lock"


def create_home(path: Path) -> Home:
    """The lake at `path`, made if there is none. Raises LakeError if something else lies there."""
    if path.is_file():
        raise LakeError(f"{path}: is a file; name a folder for the lake")
    _check_state(path)
    if path.is_dir() and any(path.iterdir()) and not (path / "state.db").exists():
        raise LakeError(f"{path}: holds other files and no lake; name an empty folder or another one")
    path.mkdir(parents=True, exist_ok=True)
    home = Home(path.resolve())
    _ = home.state  # first: it shows a process that comes at the same time, or after a crash, that this is a lake
    for folder in (home.warehouse, home.quarantine, home.ledgers):
        folder.mkdir(exist_ok=True)
    return home


def adopt_home(path: Path) -> Home:
    """The lake at `path`, with a state database even where that was lost. Raises LakeError if there is no lake."""
    if not ((path / "catalog.db").is_file() and (path / "ledger").is_dir()):
        raise LakeError(f"{path}: no lake here; make one with `trailkeep ingest PATH --home {path}`")
    return Home(path.resolve())


def open_home(path: Path) -> Home:
    """The lake at `path`. Raises LakeError if there is none, or its state database is lost."""
    _check_state(path)
    if not (path / "state.db").is_file():
        raise LakeError(f"{path}: no lake here; make one with `trailkeep ingest PATH --home {path}`")
    return Home(path.resolve())


def _check_state(path: Path) -> None:
    if (path / "catalog.db").is_file() and not (path / "state.db").is_file():
        raise LakeError(
            f"{path}: its state.db is lost; put a backup in its place, or have it written anew with "
            f"`trailkeep compact --rebuild-ledger --home {path}` (what people said about alerts does not come back)"
        )
