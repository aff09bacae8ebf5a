"""Syslog lines are RFC 5424, over UDP, TCP and TLS."""

import re
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.alert.test_channels_http import UID, message, send
from tests.alert.test_channels_mail import certificate
from trailkeep.core.errors import Later

LINE = re.compile(
    r"<(?P<priority>\d+)>1 2026-11-18T12:00:00\.000Z \S+ trailkeep \d+ new "
    r"\[trailkeep@32473 (?P<data>.*)\] \ufeff(?P<text>.*)"
)


def listening(serve: Callable[[socket.socket], None]) -> tuple[int, threading.Thread]:
    """A port on which `serve` gets the first connection."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(10)

    def run() -> None:
        with server:
            serve(server.accept()[0])

    thread = threading.Thread(target=run)
    thread.start()
    return server.getsockname()[1], thread


def everything(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(4096):
        parts.append(part)
    return b"".join(parts)


def check(line: str) -> None:
    found = LINE.fullmatch(line)
    assert found, line
    assert int(found["priority"]) == 13 * 8 + 3
    data = r'subject="a\"b\]c\\d"'
    assert data in found["data"] and f'id="{UID}"' in found["data"] and 'level="high"' in found["data"]
    assert found["text"].startswith('[high] CloudTrail switched off; a"b]c\\d; 2026-11-18 12:00Z; https://')


EACH = message(subject='a"b]c\\d')


def test_udp(tmp_path: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        port = receiver.getsockname()[1]
        send(tmp_path, {"type": "syslog", "host": "127.0.0.1", "port": port, "transport": "udp"}, EACH)
        check(receiver.recv(4096).decode())


def test_tcp(tmp_path: Path) -> None:
    got: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            got.append(everything(connection))

    port, thread = listening(serve)
    send(tmp_path, {"type": "syslog", "host": "127.0.0.1", "port": port, "transport": "tcp"}, EACH)
    thread.join()
    length, _, line = got[0].partition(b" ")
    assert int(length) == len(line)
    check(line.decode())


def test_tls(tmp_path: Path) -> None:
    context, got = certificate(tmp_path), list[bytes]()

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            got.append(secure.recv(4096))

    port, thread = listening(serve)
    told = {"type": "syslog", "host": "127.0.0.1", "port": port, "ca": str(tmp_path / "ca.pem")}
    send(tmp_path, told, EACH)
    thread.join()
    check(got[0].partition(b" ")[2].decode())


def test_tls_to_a_server_that_is_not_trusted(tmp_path: Path) -> None:
    context = certificate(tmp_path)

    def serve(connection: socket.socket) -> None:
        with connection, pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(connection, server_side=True)

    port, thread = listening(serve)
    with pytest.raises(Later, match="certificate verify failed"):
        send(tmp_path, {"type": "syslog", "host": "127.0.0.1", "port": port}, EACH)
    thread.join()


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        told = {"type": "syslog", "host": "127.0.0.1", "port": taken.getsockname()[1], "transport": "tcp"}
        with pytest.raises(Later, match="Connection refused"):
            send(tmp_path, told, EACH)
