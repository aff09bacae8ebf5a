"""What every collector is made of: its part of the configuration, and what it works with."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from trailkeep.aws import Aws
from trailkeep.collect.feed import Delivery, Feed
from trailkeep.collect.health import Health
from trailkeep.core.errors import LakeError


class Kept(Protocol):
    """What of a collector's work is in the state database; it may be asked from any thread."""

    def position(self, collector: str, scope: str) -> Any:
        """The value that was committed last for this scope, or None."""
        ...

    def positions(self, collector: str) -> Mapping[str, Any]:
        """All scopes and their values."""
        ...

    def stored(self, keys: list[str]) -> Mapping[str, set[str | None]]:
        """Key -> versions, of those objects that the ledger has."""
        ...

    def received(self, collector: str) -> set[str]:
        """Ids of pushed batches that were committed lately."""
        ...

    def give_up(self, collector: str, key: str, reason: str, request: Any) -> None:
        """Keep durably that an object could not be fetched; `request` (JSON) is what to ask for, should it be tried
        again. Raises LakeError if the state cannot be written to now.
        """
        ...

    def given_up(self, collector: str) -> list[tuple[str, Any]]:
        """(key, request) of what is to be tried again now, because somebody asked for it."""
        ...

    def all_given_up(self, collector: str) -> set[str]:
        """Keys of all that was given up and not fetched since."""
        ...

    def settle(self, collector: str, key: str) -> None:
        """An object that was given up has been fetched. Raises LakeError if the state cannot be written to now."""
        ...


@dataclass
class Context:
    """What a collector works with. `spool` is its own folder; `once`: end when there is nothing more at the moment."""

    name: str
    feed: Feed
    health: Health
    aws: Aws
    kept: Kept
    spool: Path
    stop: threading.Event
    once: bool
    say: Callable[[str], None] = lambda text: None
    spool_limit: int = 1 << 30
    confirmed: bool = False
    """Somebody agreed to large backfills."""
    delay: float = 1.0
    """Seconds before the first new try; doubled each time, to at most 60 times as many."""
    _tries: int = field(default=0, repr=False)

    def deliver(self, delivery: Delivery) -> bool:
        """Hand over to the commit; waits while that is behind. False: the service ends."""
        return self.feed.put(delivery)

    def wait(self, reason: str) -> bool:
        """Say why nothing goes on, and wait before the next try, each time longer. False: the service ends."""
        self.health.waiting(reason)
        self._tries += 1
        return not self.stop.wait(self.delay * min(2.0 ** (self._tries - 1), 60.0))

    def give_up(self, key: str, reason: str, request: Any) -> bool:
        """Keep durably that an object could not be fetched, however long the state is locked. False: the service ends.

        `request` (JSON) is what to ask for, should it be tried again.
        """
        return self._keep(lambda: self.kept.give_up(self.name, key, reason, request))

    def settle(self, key: str) -> bool:
        """Keep that an object that was given up has been fetched, likewise."""
        return self._keep(lambda: self.kept.settle(self.name, key))

    def _keep(self, write: Callable[[], None]) -> bool:
        while True:
            try:
                write()
            except LakeError as error:
                if not self.wait(str(error)):
                    return False
            else:
                return True

    def went_well(self) -> None:
        """Something worked: the next wait is short again."""
        self._tries = 0


class CollectorConfig(BaseModel):
    """What all collectors may be told. Each type adds its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    receives: ClassVar[bool] = False
    """Whether senders push to it: what waits in its folder is then nowhere else."""

    type: str
    enabled: bool = True

    def run(self, context: Context) -> None:
        """Collect until `context.stop` is set, or with `context.once` until there is nothing more.

        Runs in a thread of its own and may start others, which it joins.
        """
        raise NotImplementedError


class AwsCollectorConfig(CollectorConfig):
    """A collector that calls AWS, in one account and region or in many."""

    account: str | None = Field(default=None, description="name in `accounts:`; the credentials at hand otherwise")
    region: str | None = None
