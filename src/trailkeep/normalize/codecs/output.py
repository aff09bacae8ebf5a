"""Decompressed parts in, no more of them than a limit out."""

from trailkeep.core.errors import InputError


class Output:
    """What was decompressed so far. `room` is how much more there may be."""

    def __init__(self, limit: int) -> None:
        self.parts: list[bytes] = []
        self.room = limit
        self._limit = limit

    def add(self, part: bytes) -> None:
        """Take `part`. Raises InputError where that is more than there may be."""
        self.parts.append(part)
        self.room -= len(part)
        if self.room < 0:
            raise InputError(f"decompresses to more than {self._limit} bytes: if it is to be trusted, raise the limit")

    def mark(self) -> tuple[int, int]:
        """A place to go back to."""
        return len(self.parts), self.room

    def back(self, mark: tuple[int, int]) -> None:
        """Forget what was added since `mark`."""
        del self.parts[mark[0] :]
        self.room = mark[1]
