"""Messages as syslog of RFC 5424, over UDP, TCP or TLS."""

import os
import socket
import ssl
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Literal

from pydantic import Field

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.message import Message, brief
from trailkeep.core.errors import Later

_SEVERITIES = {"critical": 2, "high": 3, "medium": 4, "low": 5, "informational": 6}
_TIMEOUT = 10.0
_FAREWELL = 1.0
_LONGEST_DATAGRAM = 2048  # RFC 5424, 6.1: what receivers should take
_ELEMENT = "trailkeep@32473"  # the number that RFC 5612 sets aside: Trailkeep has none of its own


class Syslog(Channel):
    """A line for each message, facts as structured data. https://www.rfc-editor.org/rfc/rfc5424

    Syslog acknowledges nothing: what a receiver loses after it took the bytes, and any datagram, is not noticed.
    """

    type: Literal["syslog"]
    host: str
    port: int = Field(default=6514, ge=1, le=65535, description="514 is usual for UDP and TCP")
    transport: Literal["udp", "tcp", "tls"] = "tls"
    ca: Path | None = Field(default=None, description="PEM file of the authority that signed the server's certificate")
    facility: int = Field(default=13, ge=0, le=23, description="13 is log audit")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """Over TCP and TLS by octet counting (RFC 6587, RFC 5425), a connection for each message."""
        data = line(message, uid, self.facility)
        try:
            if self.transport == "udp":
                self._send_datagram(data)
            else:
                self._send_stream(f"{len(data)} ".encode() + data)
        except OSError as error:
            raise Later(f"{self.host}:{self.port}: {type(error).__name__}: {error}") from error

    def _send_datagram(self, data: bytes) -> None:
        where = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(where[0], socket.SOCK_DGRAM) as sender:
            # A cut must not leave half a character.
            sender.sendto(data[:_LONGEST_DATAGRAM].decode(errors="ignore").encode(), where[4])

    def _send_stream(self, frame: bytes) -> None:
        with socket.create_connection((self.host, self.port), timeout=_TIMEOUT) as plain:
            if self.transport == "tcp":
                plain.sendall(frame)
                plain.shutdown(socket.SHUT_WR)
                return
            context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
            with context.wrap_socket(plain, server_hostname=self.host) as secure:
                secure.sendall(frame)
                secure.settimeout(_FAREWELL)
                # In TLS 1.3 a server's refusal comes only now; but many servers just end, or never do.
                with suppress(ssl.SSLEOFError, ssl.SSLZeroReturnError, TimeoutError, ConnectionError):
                    secure.unwrap()


def line(message: Message, uid: str, facility: int) -> bytes:
    """The message as RFC 5424 has it; its text is one line."""
    priority = facility * 8 + _SEVERITIES[message.level]
    stamp = message.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    host = "".join(c for c in socket.gethostname() if "!" <= c <= "~")[:255] or "-"
    data = {
        "id": uid,
        "kind": message.kind,
        "level": message.level,
        "thread": message.thread,
        "rule": message.rule,
        "subject": message.subject,
        "alert": str(message.alerts[0]) if message.alerts else None,
        "accounts": ",".join(message.accounts[:20]),
    }
    inside = " ".join(f'{name}="{_escaped(value)}"' for name, value in data.items() if value)
    head = f"<{priority}>1 {stamp} {host} trailkeep {os.getpid()} {message.kind}"
    return f"{head} [{_ELEMENT} {inside}] \ufeff{brief(message)}".encode()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
