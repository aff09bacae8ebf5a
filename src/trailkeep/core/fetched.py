"""The bytes of an object on their way from where they lie to where they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fetched:
    """An object's bytes, or why there are none."""

    key: str
    data: bytes
    error: str | None = None
    version: str | None = None
    user_metadata: Mapping[str, str] = field(default_factory=dict)
