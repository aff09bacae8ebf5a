"""What happened to each object of a batch and to each of its bad pieces: what the ledger keeps of them."""

from dataclasses import dataclass, field, replace
from hashlib import sha256


@dataclass(frozen=True)
class ObjectEntry:
    """One object as the ledger keeps it; records = stored + duplicate + quarantined + dropped."""

    key: str
    sha256: str
    object_id: str
    stored_sha256: str
    stored_size: int
    size: int
    kind: str = "events"
    source: str | None = None
    version: str | None = None
    user_metadata: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    records: int = 0
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    dropped: int = 0
    reason: str | None = None

    def as_duplicate(self) -> "ObjectEntry":
        """This entry when the same content is stored already: nothing of it is kept twice."""
        return replace(
            self,
            stored=0,
            duplicate=self.records,
            quarantined=0,
            dropped=0,
            reason="already stored",
            content=None,
        )


@dataclass(frozen=True)
class QuarantineEntry:
    """A piece that could not be stored: its bytes lie in `file` of the quarantine folder."""

    object_id: str
    sha256: str
    key: str
    source: str | None
    position: int
    record_no: int | None
    raw_format: str | None
    reason: str
    file: str
    offset: int
    size: int
    whole: bool  # the piece is a file, as fetched, of which nothing could be read
    envelope: str | None = None  # of a wrapped record

    @property
    def id(self) -> str:
        """The same piece always has the same id, so that a redone batch adds no second row."""
        return sha256(f"{self.sha256}:{self.position}:{self.record_no}:{self.size}".encode()).hexdigest()[:32]
