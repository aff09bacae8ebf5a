"""Syslog over UDP, TCP, TLS and RELP in, its lines in the spool out.

RFC 3164 and 5424, the line is kept as it came. UDP is best effort: what cannot be kept is dropped and counted. Senders
over TCP, TLS and RELP wait while there is no room. Only RELP tells its sender what is kept; over TCP and TLS it never
learns of what was under way when a machine failed.
"""

import asyncio
import socket
import ssl
import time
from collections import Counter, OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import Field, IPvAnyNetwork, field_validator, model_validator

from trailkeep.collect.collector import CollectorConfig, Context
from trailkeep.collect.listening import Certificates, Connection, host_port, listen, lost, plain_address
from trailkeep.collect.relp import Session
from trailkeep.collect.spool import Origin, Spool, SpoolFull
from trailkeep.collect.syslog_frames import CUT, Frames, Message, message
from trailkeep.core.errors import InputError

_TLS = ("tls", "relp_tls")
_TOLD_EVERY = 2.0
_LAST_WORDS = 1.0  # seconds in which senders may say what is under way when we end
_WAITING_BYTES = 16 << 20  # of datagrams on their way to the spool
_RATES = 10_000  # senders over UDP whose rate is known
_ENCODE = msgspec.json.Encoder().encode


class Syslog(CollectorConfig):
    """Syslog that senders push: UDP, TCP, TLS with certificates on both sides, RELP."""

    receives: ClassVar[bool] = True

    type: Literal["syslog"]
    udp: list[str] = Field(default_factory=list, description="addresses to listen on, such as 0.0.0.0:514")
    tcp: list[str] = Field(default_factory=list, description="as `udp`, for TCP")
    tls: list[str] = Field(default_factory=list, description="as `udp`, for TLS; the usual port is 6514")
    relp: list[str] = Field(default_factory=list, description="as `udp`, for RELP of rsyslog")
    relp_tls: list[str] = Field(default_factory=list, description="as `udp`, for RELP over TLS")
    senders: list[IPvAnyNetwork] = Field(
        default_factory=list, description="networks that may send without a certificate; `udp` needs them"
    )
    certificate: Path | None = Field(default=None, description="PEM file with our certificate, and those between")
    key: Path | None = Field(default=None, description="PEM file with its key")
    client_ca: Path | None = Field(default=None, description="PEM file with the authority of senders' certificates")
    max_message_kb: int = Field(default=64, ge=1, le=16384, description="what is longer is cut and marked")
    udp_per_second: int = Field(default=5000, ge=1, description="most messages of a sender over UDP; more are dropped")
    max_connections: int = Field(default=1000, ge=1)

    @field_validator("udp", "tcp", "tls", "relp", "relp_tls")
    @classmethod
    def _are_addresses(cls, addresses: list[str]) -> list[str]:
        for each in addresses:
            host_port(each)
        return addresses

    @model_validator(mode="after")
    def _is_whole(self) -> "Syslog":
        if not (self.udp or self.tcp or self.tls or self.relp or self.relp_tls):
            raise ValueError("says nowhere to listen: give at least one of udp, tcp, tls, relp, relp_tls")
        if self.udp and not self.senders:
            raise ValueError("udp needs senders: anybody can send with a false address, from networks that you name")
        if (self.tls or self.relp_tls) and not (self.certificate and self.key and self.client_ca):
            raise ValueError("tls needs certificate, key and client_ca")
        return self

    def certificates(self) -> Certificates | None:
        """The files for TLS, if they are named."""
        if self.certificate and self.key and self.client_ca:
            return Certificates(*(path.expanduser() for path in (self.certificate, self.key, self.client_ca)))
        return None

    def run(self, context: Context) -> None:
        """Listen until stopped; with `once`, only hand over what lies in the spool."""
        spool = Spool(context)
        try:
            if context.once:
                context.health.done("what lay in the spool is handed over: --once waits for no sender")
            else:
                asyncio.run(_Receiver(self, context, spool).serve())
        finally:
            spool.close()


@dataclass
class Rates:
    """Who sent how much lately: each sender may send `limit` at once, and as many again each second."""

    limit: int
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def allow(self, sender: str, now: float) -> bool:
        """Whether one more is allowed; `now` in seconds."""
        left, before = self._left.pop(sender, (float(self.limit), now))
        left = min(float(self.limit), left + (now - before) * self.limit)
        allowed = left >= 1
        self._left[sender] = (left - allowed, now)
        if len(self._left) > _RATES:
            self._left.popitem(last=False)
        return allowed


class _Receiver:
    def __init__(self, config: Syslog, context: Context, spool: Spool) -> None:
        self._config = config
        self._context = context
        self._spool = spool
        self._limit = config.max_message_kb << 10
        self._rates = Rates(config.udp_per_second)
        self._connections: dict[asyncio.Task[None], Connection | None] = {}
        self._datagrams: dict[str, list[Message]] = {}
        self._datagram_bytes = 0
        self._flushing: asyncio.Task[None] | None = None
        self._counts: Counter[str] = Counter()
        self._udp: list[socket.socket] = []
        self._certificates = config.certificates()
        self._tls: ssl.SSLContext | None = None
        self._tls_state: tuple[int, ...] = ()
        self._full = ""

    async def serve(self) -> None:
        """Listen until stopped."""
        bound = self._bind()
        if bound is None:
            return
        self._udp, streams = bound
        loop = asyncio.get_running_loop()
        endpoints = [
            (await loop.create_datagram_endpoint(lambda: _Datagrams(self.datagram), sock=each))[0] for each in self._udp
        ]
        accepting = [loop.create_task(self._accept(each, way)) for way, each in streams]
        told = 0.0
        while not self._context.stop.is_set():
            if time.monotonic() - told > _TOLD_EVERY:
                self._tell()
                self._renew()
                told = time.monotonic()
            await asyncio.sleep(0.1)
        for endpoint in endpoints:
            endpoint.close()
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)
        for _, each in streams:
            each.close()
        await self._end()

    def _bind(self) -> tuple[list[socket.socket], list[tuple[str, socket.socket]]] | None:
        """Sockets for UDP, and others with the way they are for; tries for ever. Certificates are read, too."""
        config = self._config
        while True:
            udp: list[socket.socket] = []
            streams: list[tuple[str, socket.socket]] = []
            address = "TLS"
            try:
                self._read_certificates()
                for address in config.udp:
                    udp.append(listen(address, socket.SOCK_DGRAM))
                for way in ("tcp", "tls", "relp", "relp_tls"):
                    for address in getattr(config, way):
                        streams.append((way, listen(address)))
                self._context.went_well()
                return udp, streams
            except OSError as error:
                for each in [*udp, *(each for _, each in streams)]:
                    each.close()
                reason = f"{address}: {error.strerror or error}" + (f": {error.filename}" if error.filename else "")
                if not self._context.wait(f"cannot listen on {reason}"):
                    return None

    def _read_certificates(self) -> None:
        """Raises OSError."""
        if self._certificates and (state := self._certificates.state()) != self._tls_state:
            self._tls = self._certificates.context()
            self._tls_state = state

    def _renew(self) -> None:
        """Certificates that were renewed are for new connections."""
        try:
            self._read_certificates()
        except OSError as error:
            if str(error) != self._context.health.last_error:
                self._context.health.error(str(error))

    async def _accept(self, listening: socket.socket, way: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(listening)
            except OSError as error:  # too many open files, or a sender that has gone already
                self._context.health.error(f"accept: {error.strerror}")
                await asyncio.sleep(self._context.delay)
                continue
            address = plain_address(peer[0])
            if len(self._connections) >= self._config.max_connections:
                self._context.health.refuse(f"{address}: more than {self._config.max_connections} connections")
                accepted.close()
            elif way not in _TLS and not self._is_sender(address):
                self._context.health.refuse(f"{address} is not among the senders")
                accepted.close()
            else:
                task = loop.create_task(self._serve(accepted, address, way))
                self._connections[task] = None
                task.add_done_callback(self._connections.pop)

    async def _serve(self, accepted: socket.socket, address: str, way: str) -> None:
        """One connection, to its end."""
        try:
            connection = await Connection.accepted(accepted, self._tls if way in _TLS else None)
        except OSError as error:  # no certificate, or a wrong one
            self._context.health.refuse(f"{address}: TLS: {error}")
            return
        task = asyncio.current_task()
        assert task
        self._connections[task] = connection
        sender = connection.subject() or address
        try:
            await (self._relp if way.startswith("relp") else self._lines)(connection, sender)
        except InputError as error:
            self._context.health.refuse(f"{sender}: {error}")
        finally:
            connection.close()

    async def _lines(self, connection: Connection, sender: str) -> None:
        frames = Frames(self._limit)
        while data := await connection.read():
            if not await self._keep(frames.feed(data), sender):
                return
        await self._keep(frames.end(), sender)

    async def _relp(self, connection: Connection, sender: str) -> None:
        session = Session(self._limit)
        while data := await connection.read():
            step = session.feed(data)
            if not await self._keep(step.messages, sender):
                return
            connection.write(step.answer)
            if step.over:
                return

    async def _keep(self, messages: list[Message], sender: str) -> bool:
        """Put messages into the spool in their order; waits while it is full. False: the service ends, with some of
        them not kept.
        """
        for marks, group in groupby(messages, lambda each: each.marks):
            records = [_ENCODE(each.text) for each in group]
            while True:
                try:
                    await asyncio.wrap_future(self._spool.append(records, Origin("syslog", sender, marks)))
                    break
                except SpoolFull as error:
                    if self._context.stop.is_set():
                        self._context.health.error(f"{sender}: messages that were read are not kept: {error}")
                        return False
                    self._full = str(error)
                    await asyncio.sleep(self._context.delay)
            self._full = ""
            self._counts.update(dict.fromkeys(marks, len(records)))
        return True

    def datagram(self, data: bytes, host: str) -> None:
        """One message over UDP: kept soon, or dropped and counted."""
        address, health = plain_address(host), self._context.health
        if not self._is_sender(address):
            health.refuse(f"{address} is not among the senders")
        elif not self._rates.allow(address, time.monotonic()):
            self._drop(1, f"{address}: more than {self._config.udp_per_second} messages a second")
        elif self._datagram_bytes + len(data) > _WAITING_BYTES:
            self._drop(1, "the spool is slower than what comes over UDP")
        else:
            said = message(data[: self._limit], *([CUT] if len(data) > self._limit else []))
            if said.text:
                self._datagrams.setdefault(address, []).append(said)
                self._datagram_bytes += len(data)
                if self._flushing is None or self._flushing.done():
                    self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        while self._datagrams:
            taken, self._datagrams, self._datagram_bytes = self._datagrams, {}, 0
            await asyncio.gather(*(self._keep_some(messages, sender) for sender, messages in taken.items()))

    async def _keep_some(self, messages: list[Message], sender: str) -> None:
        for marks, group in groupby(messages, lambda each: each.marks):
            records = [_ENCODE(each.text) for each in group]
            try:
                await asyncio.wrap_future(self._spool.append(records, Origin("syslog", sender, marks)))
                self._counts.update(dict.fromkeys(marks, len(records)))
            except SpoolFull as error:
                self._drop(len(records), f"over UDP: {error}")

    def _drop(self, count: int, reason: str) -> None:
        self._counts["dropped"] += count
        for _ in range(count):
            self._context.health.refuse(f"dropped: {reason}")

    def _is_sender(self, address: str) -> bool:
        networks = self._config.senders
        return not networks or any(ip_address(address) in network for network in networks)

    def _tell(self) -> None:
        if self._full:
            self._context.health.waiting(self._full)
            return
        if missed := sum(map(lost, self._udp)):
            self._counts["dropped by the system"] = missed
        where = ", ".join(
            f"{way} {address}"
            for way in ("udp", "tcp", "tls", "relp", "relp_tls")
            for address in getattr(self._config, way)
        )
        counts = "".join(f"; {count:,} messages {name}" for name, count in sorted(self._counts.items()))
        self._context.health.running(f"listens on {where}; {len(self._connections):,} connections{counts}")

    async def _end(self) -> None:
        """Take what senders have under way, and end their connections."""
        for connection in self._connections.values():
            if connection:
                connection.no_more()
        if self._connections:
            await asyncio.wait(list(self._connections), timeout=_LAST_WORDS)
        for connection in self._connections.values():
            if connection:
                connection.close()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._connections, *([self._flushing] if self._flushing else []))


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, take: Any) -> None:
        self._take = take

    def datagram_received(self, data: bytes, address: tuple[Any, ...]) -> None:
        self._take(data, address[0])
