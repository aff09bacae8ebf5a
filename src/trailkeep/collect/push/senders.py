"""Tokens and limits of a configuration in, who sends and whether it may out; shared by all receivers.

A token is looked for among all of them in the same time wherever it is found, by its SHA-256. Rates are token buckets
that hold one second's worth and may run into debt, so that a large request passes and the next one waits.
"""

import math
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trailkeep.core.errors import TrailkeepError
from trailkeep.core.secret import Secret

Protocol = Literal["otlp", "hec", "firehose", "jsonl"]
Fault = Literal[
    "no token", "no such scheme", "unknown token", "forbidden", "rate", "large", "slow", "type", "bad", "busy"
]


class Refused(TrailkeepError):
    """A request that is not taken: why, and after how many seconds it may come again, where that would help.

    `detail` is for protocols with codes of their own.
    """

    def __init__(self, fault: Fault, reason: str, retry_after: int | None = None, detail: object = None) -> None:
        self.fault: Fault = fault
        self.reason = reason
        self.retry_after = retry_after
        self.detail = detail
        super().__init__(reason)


class Sender(BaseModel):
    """Who may send: known by its tokens, within limits. Its name becomes the `sender` of its records."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: list[Secret] = Field(default=[], description="any of them will do, so that they can be replaced in turn")
    anonymous: bool = Field(default=False, description="this sender is whoever sends no token")
    protocols: list[Protocol] | None = Field(default=None, description="all otherwise")
    requests_per_second: float | None = Field(default=None, gt=0)
    megabytes_per_second: float | None = Field(default=None, gt=0, description="of unpacked bodies")
    max_mb: float | None = Field(default=None, gt=0, description="largest body, unpacked; the receiver's otherwise")
    acks: bool = Field(default=False, description="HEC with indexer acknowledgement: a channel is demanded")

    @model_validator(mode="after")
    def _known_by_something(self) -> "Sender":
        if bool(self.tokens) == self.anonymous:
            raise ValueError("a sender has either `tokens` or `anonymous: true`")
        return self


@dataclass
class _Bucket:
    """So much a second."""

    rate: float
    now: Callable[[], float]
    _level: float = field(init=False)
    _filled: float = field(init=False)

    def __post_init__(self) -> None:
        self._level, self._filled = self._most, self.now()

    @property
    def _most(self) -> float:
        return max(self.rate, 1.0)

    def seconds_to(self, amount: float) -> float:
        """How long until `amount` is there; what is taken may then be more."""
        moment = self.now()
        self._level = min(self._most, self._level + self.rate * (moment - self._filled))
        self._filled = moment
        return max(0.0, (min(amount, self._most) - self._level) / self.rate)

    def take(self, amount: float) -> None:
        self._level -= amount


@dataclass(frozen=True)
class Admitted:
    """A sender that may send now, up to so many bytes; what a request holds is charged when it is known."""

    name: str
    limit: int
    acks: bool
    charge: Callable[[int], None]


class Senders:
    """The senders of one receiver; its threads share them."""

    def __init__(
        self,
        senders: Mapping[str, Sender],
        read: Callable[[Secret], str],
        limit: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`read` gives the secret that is referred to; `limit`: most bytes of a body. Raises UsageError of `read`."""
        self._senders = senders
        self._limit = limit
        self._digests = [(_digest(read(token)), name) for name, sender in senders.items() for token in sender.tokens]
        self._anonymous = next((name for name, sender in senders.items() if sender.anonymous), None)
        self._requests = {n: _Bucket(s.requests_per_second, now) for n, s in senders.items() if s.requests_per_second}
        self._bytes = {
            n: _Bucket(s.megabytes_per_second * 1e6, now) for n, s in senders.items() if s.megabytes_per_second
        }
        self._lock = threading.Lock()

    def admit(self, token: str | None, protocol: Protocol) -> Admitted:
        """Who sends with this token, for one request. Raises Refused."""
        name = self._name(token)
        sender = self._senders[name]
        if sender.protocols is not None and protocol not in sender.protocols:
            raise Refused("forbidden", f"{name} may not send by {protocol}")
        with self._lock:
            waits = [self._requests[name].seconds_to(1.0)] if name in self._requests else []
            waits += [self._bytes[name].seconds_to(1.0)] if name in self._bytes else []
            if wait := max(waits, default=0.0):
                raise Refused("rate", f"{name} sends more than it may", math.ceil(wait))
            if name in self._requests:
                self._requests[name].take(1.0)
        limit = self._limit if sender.max_mb is None else min(self._limit, int(sender.max_mb * 1e6))

        def charge(size: int) -> None:
            if name in self._bytes:
                with self._lock:
                    self._bytes[name].take(size)

        return Admitted(name, limit, sender.acks, charge)

    def _name(self, token: str | None) -> str:
        if token is None:
            if self._anonymous is None:
                raise Refused("no token", "no token was sent")
            return self._anonymous
        digest = _digest(token)
        found = None
        for known, name in self._digests:
            if compare_digest(known, digest):
                found = name  # and on to the last, so that all take the same time
        if found is None:
            raise Refused("unknown token", "the token is not known")
        return found


def token_of(headers: Mapping[str, str]) -> str | None:
    """The token that a request carries, in any way that clients of the protocols have. Raises Refused."""
    if (key := headers.get("x-amz-firehose-access-key")) is not None:
        return key
    said = headers.get("authorization")
    if said is None:
        return None
    scheme, _, value = said.strip().partition(" ")
    if scheme.lower() in ("bearer", "splunk") and value.strip():
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            pass
    raise Refused("no such scheme", "the Authorization header holds no token: send `Bearer TOKEN` or `Splunk TOKEN`")


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
