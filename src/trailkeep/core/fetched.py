"""The bytes of an object on their way from where they lie to where they are read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fetched:
    """An object's bytes, or why there are none."""

    key: str
    data: bytes
    error: str | None = None
