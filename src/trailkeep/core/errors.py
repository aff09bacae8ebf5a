"""The exception tree. Every error a user can meet says what went wrong, where, and what to do.

TrailkeepError
├── UsageError            wrong arguments, query or SQL: exit code 2
├── ConfigError           faults of trailkeep.yaml, a source or a rule, each with file and line
├── LakeError             the lake is missing, locked, or not what this version expects
├── InputError            an object that cannot be read: it goes to the quarantine with this reason
└── SendError             a message that a channel did not take
    ├── Later             another try may succeed
    └── Refused           none can: it becomes a dead letter
"""

from dataclasses import dataclass
from pathlib import Path


class TrailkeepError(Exception):
    """Base of all errors that Trailkeep raises on purpose."""


class UsageError(TrailkeepError):
    """The user asked for something that cannot be done as asked."""


@dataclass(frozen=True)
class Fault:
    """One mistake in a file: where it is and how to mend it."""

    file: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class ConfigError(TrailkeepError):
    """One or more faults in configuration, sources or rules, all reported together."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__("\n".join(map(str, faults)))


class LakeError(TrailkeepError):
    """The lake cannot be opened, read or committed to."""


class InputError(TrailkeepError):
    """An object cannot be read as what it claims to be."""


class SendError(TrailkeepError):
    """A message could not be handed over."""


class Later(SendError):
    """Another try may succeed; `after` are the seconds that the other side asks to wait."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        self.after = after
        super().__init__(reason)


class Refused(SendError):
    """No other try can succeed until somebody mends something."""
