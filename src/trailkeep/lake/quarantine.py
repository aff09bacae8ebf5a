"""Pieces that could not be stored: their bytes go to one file a shard, their reasons to the state."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Engine, func, select

from trailkeep.core.durable import sync_file
from trailkeep.lake.entries import QuarantineEntry
from trailkeep.lake.home import Home
from trailkeep.store.database import reading, utc
from trailkeep.store.tables import quarantine


class QuarantineWriter:
    """Collects the bytes of bad pieces in one file; `close` puts it on disk."""

    def __init__(self, home: Home, name: str) -> None:
        self._path = home.quarantine / f"{name}.bin"
        self._offset = 0

    def add(self, data: bytes) -> tuple[str, int]:
        """Append `data`; returns the file's name and the offset at which it lies."""
        offset = self._offset
        with self._path.open("ab") as file:
            file.write(data)
        self._offset += len(data)
        return self._path.name, offset

    def close(self) -> None:
        """Put what was added on disk."""
        if self._path.exists():
            sync_file(self._path)


def open_pieces(state: Engine, limit: int | None = None) -> list[QuarantineEntry]:
    """Quarantined pieces that no retry has stored, oldest first."""
    query = select(quarantine).where(quarantine.c.state == "open")
    query = query.order_by(quarantine.c.added, quarantine.c.key, quarantine.c.position).limit(limit)
    with reading(state) as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    return [QuarantineEntry(**{name: row[name] for name in _ENTRY}) for row in rows]


_ENTRY = tuple(QuarantineEntry.__dataclass_fields__)


def read_piece(home: Home, piece: QuarantineEntry) -> bytes:
    """The bytes of a quarantined piece."""
    with Path(home.quarantine / piece.file).open("rb") as file:
        file.seek(piece.offset)
        return file.read(piece.size)


def list_pieces(home: Home, limit: int | None = None) -> pa.Table:
    """What lies in the quarantine, with the first 80 bytes of each piece."""
    rows = [
        {
            "id": piece.id,
            "object": piece.key,
            "record": piece.record_no,
            "position": piece.position,
            "reason": piece.reason,
            "size": piece.size,
            "begins": read_piece(home, piece)[:80].decode("utf-8", "backslashreplace"),
        }
        for piece in open_pieces(home.state, limit)
    ]
    return pa.Table.from_pylist(rows, schema=_LISTED)


_LISTED = pa.schema(
    [
        ("id", pa.string()),
        ("object", pa.string()),
        ("record", pa.int64()),
        ("position", pa.int64()),
        ("reason", pa.string()),
        ("size", pa.int64()),
        ("begins", pa.string()),
    ]
)


def reasons(state: Engine) -> list[dict[str, Any]]:
    """How many open pieces there are for each reason, and when the last was added."""
    counted, latest = func.count().label("pieces"), func.max(quarantine.c.added).label("latest")
    query = select(quarantine.c.reason, counted, latest).where(quarantine.c.state == "open")
    with reading(state) as connection:
        rows = connection.execute(query.group_by(quarantine.c.reason).order_by(counted.desc()))
        return [{"reason": r.reason, "pieces": r.pieces, "latest": utc(r.latest)} for r in rows]
