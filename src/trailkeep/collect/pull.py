"""Accounts and regions of a configuration in, answers of AWS for each pair out: slowly enough, in turn, for ever.

What all collectors share that ask an API of AWS from time to time. One pair (a `Place`) that cannot be read holds up no
other. How fast AWS's clock is beside ours is read from its answers, so that windows of time are AWS's.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Protocol

from pydantic import Field

from trailkeep.aws import AwsError, body_of, described, is_about_credentials, is_lasting
from trailkeep.collect.collector import CollectorConfig, Context
from trailkeep.core.errors import TrailkeepError, UsageError

_TRIES = 5  # of one request, each after botocore's own; then other places have their turn
_SHOWN = 3  # reasons told at once


class Refused(TrailkeepError):
    """AWS does not answer this, as often as it is asked, until somebody mends something.

    `more`: beside it there is more to fetch already.
    """

    def __init__(self, reason: str, more: bool = False) -> None:
        super().__init__(reason)
        self.more = more


class Unreachable(TrailkeepError):
    """AWS did not answer, several times; it may later."""


class Stopped(TrailkeepError):
    """The service ends."""


class Rate:
    """Lets at most so many requests a second pass, evenly."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._next = 0.0

    def wait(self, stop: threading.Event) -> bool:
        """Wait for a turn. False: the service ends."""
        now = time.monotonic()
        self._next = max(now, self._next) + self._gap
        return not stop.wait(max(0.0, self._next - self._gap - now))


@dataclass
class Place:
    """An account and a region, and how to ask there. Used by one thread at a time."""

    context: Context
    service: str
    account: str | None
    wanted_region: str | None
    rate: Rate
    _ahead: float = field(default=0.0, init=False)

    @property
    def name(self) -> str:
        """For people: the account's name, and the region."""
        where = "/".join(each for each in (self.account, self.wanted_region) if each)
        return where or "the credentials at hand"

    @cached_property
    def region(self) -> str:
        """The region that is asked."""
        return str(self._client(self.service).meta.region_name)

    @cached_property
    def owner(self) -> str:
        """The number of the account that is asked."""
        return str(self.ask("get_caller_identity", service="sts")["Account"])

    def now(self) -> float:
        """Seconds since 1970, by AWS's clock."""
        return self.context.health.now() + self._ahead

    def ask(self, operation: str, /, service: str | None = None, **arguments: Any) -> dict[str, Any]:
        """AWS's answer. Raises Refused, Unreachable and Stopped."""
        reason = ""
        for _ in range(_TRIES):
            if not self.rate.wait(self.context.stop):
                raise Stopped
            try:
                answer: dict[str, Any] = getattr(self._client(service or self.service), operation)(**arguments)
            except AwsError as error:
                reason = f"{self.name}: {operation}: {described(error)}"
                if is_lasting(error) and not is_about_credentials(error):
                    raise Refused(reason) from error
                if not self.context.wait(reason):
                    raise Stopped from error
                continue
            self.context.went_well()
            self._set_clock(answer)
            return answer
        raise Unreachable(reason)

    def ask_raw(self, operation: str, /, **arguments: Any) -> tuple[dict[str, Any], bytes]:
        """AWS's answer as `ask` gives it, and as it came: with fields that botocore does not know."""
        with body_of(self._client(self.service)) as body:
            return self.ask(operation, **arguments), body()

    def pages(self, operation: str, token: str = "NextToken", /, **arguments: Any) -> Iterator[dict[str, Any]]:
        """All answers to a request that is answered in pages."""
        while True:
            answer = self.ask(operation, **arguments)
            yield answer
            if not answer.get(token):
                return
            arguments[token] = answer[token]

    def raw_pages(self, operation: str, /, **arguments: Any) -> Iterator[bytes]:
        """All answers as they came."""
        while True:
            answer, body = self.ask_raw(operation, **arguments)
            yield body
            if not answer.get("NextToken"):
                return
            arguments["NextToken"] = answer["NextToken"]

    def _client(self, service: str) -> Any:
        try:
            return self.context.aws.client(service, self.account, self.wanted_region)
        except UsageError as error:  # a secret that is not there
            raise Refused(f"{self.name}: {error}") from error

    def _set_clock(self, answer: dict[str, Any]) -> None:
        told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        if told:
            self._ahead = parsedate_to_datetime(told).timestamp() - self.context.health.now()
            if abs(self._ahead) <= 1:  # it tells whole seconds
                self._ahead = 0.0


class Reader(Protocol):
    """Reads in one place."""

    def round(self) -> bool:
        """Fetch and hand over what is next; whether there is more already. Raises Refused, Unreachable and Stopped."""
        ...


class PullConfig(CollectorConfig):
    """A collector that asks an API of AWS, in every region of every account that it is given."""

    accounts: list[str] = Field(
        default_factory=list, description="names in `accounts:`; the credentials at hand if none"
    )
    regions: list[str] = Field(default_factory=list, description="the region of the credentials if none")
    every_seconds: float = Field(default=60, gt=0, description="how often to ask where everything was fetched")
    requests_per_second: float = Field(default=5, gt=0, le=1000, description="in each account and region")
    threads: int = Field(default=8, ge=1, le=64, description="how many accounts and regions are asked at a time")

    def service(self) -> str:
        """The name of the service that is asked, as boto3 has it."""
        raise NotImplementedError

    def reader(self, place: Place) -> Reader:
        """What reads in a place, for as long as the collector runs."""
        raise NotImplementedError

    def run(self, context: Context) -> None:
        """Read in every place until stopped, or with `once` until everything there is has been handed over."""
        context.spool.mkdir(parents=True, exist_ok=True)
        for left in context.spool.iterdir():
            left.unlink()  # fetched by a process that died: it is fetched again
        none: list[str | None] = [None]
        places = [
            Place(context, self.service(), account, region, Rate(self.requests_per_second))
            for account in self.accounts or none
            for region in self.regions or none
        ]
        rounds = _Rounds(context, self.every_seconds, len(places))
        count = min(self.threads, len(places))
        readers = [(place.name, self.reader(place)) for place in places]
        with ThreadPoolExecutor(count, f"{context.name}-read") as pool:
            list(pool.map(rounds.run, [readers[number::count] for number in range(count)]))
        if context.once:
            rounds.finish()


class _Rounds:
    """Reads in turn, and says how that goes."""

    def __init__(self, context: Context, every: float, places: int) -> None:
        self._context = context
        self._every = every
        self._places = places
        self._faults: dict[str, str] = {}
        self._lock = threading.Lock()

    def run(self, readers: list[tuple[str, Reader]]) -> None:
        """Read in some of the places until stopped; with `once` until each has come to its end."""
        stop, left = self._context.stop, readers
        while left and not stop.is_set():
            more = [each for each in left if self._round(*each)]
            if self._context.once:
                left = more
            elif not more:
                stop.wait(self._every)

    def _round(self, name: str, reader: Reader) -> bool:
        """Let a reader read; whether it has to come again at once."""
        try:
            more = reader.round()
        except Stopped:
            return False
        except Unreachable as error:
            self._tell(name, str(error))
            return self._context.once
        except Refused as error:
            self._tell(name, str(error))
            return error.more
        except Exception as error:  # noqa: BLE001 a fault in one place must not end the others; it is told
            self._tell(name, f"{name}: {type(error).__name__}: {error}")
            return False
        self._tell(name, None if not more else "")
        return more

    def _tell(self, name: str, fault: str | None) -> None:
        with self._lock:
            if fault:
                self._faults[name] = fault
            else:
                self._faults.pop(name, None)
            health = self._context.health
            if self._faults and fault:
                health.waiting(self._said())
            elif self._faults:
                health.running(self._said())
            else:
                health.running("everything is fetched so far" if fault is None else "")

    def _said(self) -> str:
        faults = list(dict.fromkeys(self._faults.values()))
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        count = f"{len(self._faults)} of {self._places} accounts and regions: " if self._places > 1 else ""
        return count + "; ".join(faults[:_SHOWN]) + more

    def finish(self) -> None:
        """Say how a run with `once` ended."""
        if self._faults:
            self._context.health.failed(self._said())
            self._context.say(f"{self._context.name}: {self._said()}")
        elif not self._context.stop.is_set():
            self._context.health.done("everything there is was fetched")
