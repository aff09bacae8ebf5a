"""Locations in, files that survive power loss out: how the Iceberg library writes a lake's metadata.

A commit is durable only if what the catalog's new row points to is on disk; the library itself never syncs.
"""

import io
from pathlib import Path

from pyiceberg.io import OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from trailkeep.core.durable import sync_file


class DurableFileIO(PyArrowFileIO):
    """PyArrowFileIO whose local files are synced when they are closed."""

    def new_output(self, location: str) -> PyArrowFile:
        """A file to write at `location`."""
        scheme, netloc, path = self.parse_location(location, self.properties)
        kind = _DurableFile if scheme == "file" else PyArrowFile
        return kind(fs=self.fs_by_scheme(scheme, netloc), location=location, path=path)


class _DurableFile(PyArrowFile):
    def create(self, overwrite: bool = False) -> OutputStream:
        Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        return _SyncedWriter(Path(self._path), "w" if overwrite else "x")


class _SyncedWriter(io.BufferedWriter):
    def __init__(self, path: Path, mode: str) -> None:
        super().__init__(io.FileIO(path, mode))
        self._file = path

    def close(self) -> None:
        if not self.closed:
            self.flush()
            super().close()
            sync_file(self._file)
