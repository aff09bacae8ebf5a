"""What is guessed of a log before its mapping is: its format, its fields and records of it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Column:
    """A field that holds single values: its path in the record, and those that were seen, as text."""

    path: tuple[str, ...]
    values: list[str]

    @property
    def sql(self) -> str:
        """How map.sql reads it, as text."""
        names = ".".join(name if name.isidentifier() and name.isascii() else quoted(name) for name in self.path)
        return f"r.{names}::VARCHAR"

    @property
    def name(self) -> str:
        """Its own name, after that of what it is in where that alone says little; without capitals and signs."""
        own = self.path[-2:] if self.path[-1].lower() in ("name", "ip", "address", "login", "time") else self.path[-1:]
        return "".join(letter for letter in "".join(own).lower() if letter.isalnum())


def quoted(name: str) -> str:
    """A name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Sketch:
    """A log as it was seen. `keys` are more keys of source.yaml; `recognise` the fields that it is known by."""

    format: str
    columns: list[Column]
    sample_name: str
    sample: bytes
    shape: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    recognise: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
