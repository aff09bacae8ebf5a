"""A collector's configuration in, what it hands to the commit out, without a lake."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trailkeep.aws import Aws, AwsAccount
from trailkeep.collect.collector import CollectorConfig, Context
from trailkeep.collect.feed import Delivery
from trailkeep.collect.health import Health
from trailkeep.lake.progress import Position


@dataclass
class Kept:
    """What would be in the state; nothing of it is durable."""

    kept: dict[str, Any] = field(default_factory=dict)

    def position(self, collector: str, scope: str) -> Any:
        return self.kept.get(scope)

    def positions(self, collector: str) -> Mapping[str, Any]:
        return self.kept

    def stored(self, keys: list[str]) -> Mapping[str, set[str | None]]:
        return {}

    def received(self, collector: str) -> set[str]:
        return set()

    def give_up(self, collector: str, key: str, reason: str, request: Any) -> None:
        raise AssertionError(key)

    def given_up(self, collector: str) -> list[tuple[str, Any]]:
        return []

    def settle(self, collector: str, key: str) -> None:
        raise AssertionError(key)


@dataclass
class Committed:
    """Takes deliveries at once, as a feed that is never full; `keys` and `lines` of the files, positions in `kept`."""

    kept: Kept
    keys: list[str] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    health: Health | None = None
    fail: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, delivery: Delivery) -> bool:
        """Commit a delivery; the first `fail` ones with data fail."""
        with self.lock:
            if delivery.file and self.fail:
                self.fail -= 1
                delivery.settled("failed")
                return True
            if delivery.file:
                self.keys.append(delivery.file.key)
                self.lines += delivery.file.path.read_bytes().splitlines()
            for each in delivery.positions:
                assert isinstance(each, Position)
                self.kept.kept[each.scope] = each.value
            delivery.settled("stored")
            return True


def delivered(
    config: CollectorConfig,
    folder: Path,
    kept: Kept | None = None,
    accounts: Mapping[str, AwsAccount] | None = None,
    fail: int = 0,
) -> Committed:
    """What `config` hands over when it runs once."""
    committed = Committed(kept or Kept(), fail=fail)
    committed.health = Health("test", config.type)
    context = Context(
        name="test",
        feed=committed,  # type: ignore[arg-type]
        health=committed.health,
        aws=Aws(accounts or {}),
        kept=committed.kept,
        spool=folder / "spool",
        stop=threading.Event(),
        once=True,
        delay=0.01,
    )
    config.run(context)
    assert list((folder / "spool").iterdir()) == []
    return committed
