"""Bytes and a path in, a file that survives power loss out."""

import os
from pathlib import Path


def sync_file(path: Path) -> None:
    """Put the content of `path` and its directory entry on disk."""
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_file(path: Path, data: bytes) -> None:
    """Replace `path` by `data` whole: a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: two processes may write the same file at once.
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.write_bytes(data)
    sync_file(draft)
    draft.replace(path)
    sync_file(path)
