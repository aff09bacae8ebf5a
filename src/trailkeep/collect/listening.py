"""An address in, connections out: each is read piece by piece, and the next only when the one before is dealt with.

So whoever cannot be served at once is made to wait by TCP itself, and what is in memory is bounded.
"""

import asyncio
import socket
import ssl
import sys
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

_BACKLOG = 256
_UDP_BUFFER = 8 << 20
_HANDSHAKE_SECONDS = 15.0
_SO_MEMINFO = 55  # of Linux; the ninth number is that of drops
_UNSENT = 1 << 20  # answers that a sender does not read
_SHORT = {
    "commonName": "CN",
    "organizationalUnitName": "OU",
    "organizationName": "O",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "countryName": "C",
    "domainComponent": "DC",
}


def host_port(text: str) -> tuple[str, int]:
    """`192.0.2.7:514` or `[2001:db8::7]:514` as host and port. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is no address; write 192.0.2.7:514, [2001:db8::7]:514 or 0.0.0.0:514")
    return host.removeprefix("[").removesuffix("]"), int(port)


def listen(address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """A socket that listens. Raises OSError."""
    host, port = host_port(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if kind == socket.SOCK_STREAM:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=host == "::")
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # inherited: dead senders are noticed
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    else:
        listening = socket.socket(family, kind)
        try:
            if host == "::":
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER)  # the system may allow less
            listening.bind((host, port))
        except OSError:
            listening.close()
            raise
    listening.setblocking(False)
    return listening


def lost(listening: socket.socket) -> int:
    """How many datagrams the system has dropped because nobody read them in time."""
    said = listening.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 9 * 4)
    return int.from_bytes(said[32:36], sys.byteorder)


def plain_address(text: str) -> str:
    """An address as people write it: that of IPv4 where it came in the form of IPv6."""
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


@dataclass(frozen=True)
class Certificates:
    """Files in PEM: ours, its key, and the authority that senders' certificates must be from."""

    certificate: Path
    key: Path
    client_ca: Path

    def state(self) -> tuple[int, ...]:
        """Changes when the files do. Raises OSError."""
        return tuple(path.stat().st_mtime_ns for path in (self.certificate, self.key, self.client_ca))

    def context(self) -> ssl.SSLContext:
        """For a server that asks for certificates. Raises OSError where a file is missing or wrong."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.verify_mode = ssl.CERT_REQUIRED
        for path in (self.certificate, self.key, self.client_ca):
            path.open("rb").close()  # the errors of ssl name no file
        made.load_cert_chain(self.certificate, self.key)
        made.load_verify_locations(self.client_ca)
        return made


def subject(certificate: Any) -> str:
    """The subject of what `getpeercert` gives, as RFC 4514 writes it: `CN=web-1,O=Example`."""
    parts = [
        "+".join(f"{_SHORT.get(name, name)}={_escaped(value)}" for name, value in names)
        for names in certificate["subject"]
    ]
    return ",".join(reversed(parts))


def _escaped(value: str) -> str:
    return "".join(f"\\{each}" if each in ',+"\\<>;=' else each for each in value)


class Connection(asyncio.Protocol):
    """One connection; nothing is read from its socket until what was read before has been taken by `read`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._held = b""
        self._ended = False
        self._changed = asyncio.Event()

    @classmethod
    async def accepted(cls, accepted: socket.socket, tls: ssl.SSLContext | None) -> "Connection":
        """Over a socket that was accepted. Raises OSError where the handshake of TLS fails."""
        made = cls()
        seconds = _HANDSHAKE_SECONDS if tls else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: made, accepted, ssl=tls, ssl_handshake_timeout=seconds
            )
        except BaseException:
            accepted.close()
            raise
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio says."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """As asyncio says."""
        self._held += data
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()
        self._changed.set()

    def connection_lost(self, error: Exception | None) -> None:
        """As asyncio says."""
        self._ended = True
        self._changed.set()

    async def read(self) -> bytes:
        """The next bytes; none at the end, however that came."""
        assert self._transport
        if not self._held and not self._ended:
            self._changed.clear()
            if not self._transport.is_closing():
                self._transport.resume_reading()
            await self._changed.wait()
        data, self._held = self._held, b""
        return data

    def write(self, data: bytes) -> None:
        """Send an answer; ends the connection where its other side reads none."""
        assert self._transport
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > _UNSENT:
            self._transport.abort()

    def no_more(self) -> None:
        """Say that we shall end, and read on."""
        if self._transport and self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """End the connection, once what was written is sent."""
        if self._transport:
            self._transport.close()

    def subject(self) -> str | None:
        """Of the other side's certificate."""
        assert self._transport
        certificate = self._transport.get_extra_info("peercert")
        return subject(certificate) if certificate else None
