"""The receiver of syslog: odd messages are marked, misuse is refused, counted and told, senders wait where they can."""

import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.collect import syslog_peers as peers
from tests.collect.receiving_syslog import config, receiving, tls_files
from tests.collect.working import context_in, working
from trailkeep.collect.listening import host_port, listen, lost, plain_address, subject
from trailkeep.collect.spool import Origin, Spool
from trailkeep.collect.syslog import Rates


def send(port: int, data: bytes, host: str = "127.0.0.1") -> None:
    with socket.create_connection((host, port)) as connection:
        connection.sendall(data)


def test_a_connection_that_closes_within_a_message(tmp_path: Path) -> None:
    with receiving(tmp_path, "tcp") as (found, port):
        send(port, b"<13>whole\n<13>half")
        assert found.records(2) == ["<13>whole", "<13>half"]
    assert [line["trailkeep"].get("marks") for line in found.lines] == [None, ["unfinished"]]


def test_a_connection_that_is_reset(tmp_path: Path) -> None:
    with receiving(tmp_path, "tcp") as (found, port):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sendall(b"<13>whole\n<13>half")
        found.records(1)
        connection.close()
        assert found.records(2) == ["<13>whole", "<13>half"]


def test_marks_stand_in_the_line_and_are_counted(tmp_path: Path) -> None:
    with receiving(tmp_path, "tcp", max_message_kb=1) as (found, port):
        send(port, b"<13>" + b"x" * 2000 + b"\n<13>\xff\xfe\n<13>fine\n")
        assert found.records(3) == ["<13>" + "x" * 1020, "<13>\\xff\\xfe", "<13>fine"]
        assert [line["trailkeep"].get("marks") for line in found.lines] == [["cut"], ["escaped"], None]
        found.wait(lambda: "1 messages cut; 1 messages escaped" in found.context.health.reason)


def test_udp_is_cut_too(tmp_path: Path) -> None:
    with receiving(tmp_path, "udp", max_message_kb=1) as (found, port), socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.sendto(b"<13>" + b"x" * 2000, ("127.0.0.1", port))
        assert found.records(1) == ["<13>" + "x" * 1020]
    assert found.lines[0]["trailkeep"]["marks"] == ["cut"]


@pytest.mark.parametrize("way", ["udp", "tcp", "relp"])
def test_strangers_are_refused_and_counted(tmp_path: Path, way: str) -> None:
    with receiving(tmp_path, way, senders=["192.0.2.0/24", "127.0.0.9"]) as (found, port):
        for _ in range(3):
            if way == "udp":
                with socket.socket(type=socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"<13>a", ("127.0.0.1", port))
            else:
                send(port, b"<13>a\n")
        found.wait(lambda: found.context.health.refused == 3)
        assert found.context.health.last_error == "127.0.0.1 is not among the senders"
    assert not found.lines


def test_rate_limit_of_udp(tmp_path: Path) -> None:
    with receiving(tmp_path, "udp", udp_per_second=5) as (found, port), socket.socket(type=socket.SOCK_DGRAM) as sender:
        for number in range(200):
            sender.sendto(b"<13>%d" % number, ("127.0.0.1", port))
        found.wait(lambda: len(found.lines) + found.context.health.refused == 200)
        found.wait(lambda: "messages dropped" in found.context.health.reason)
        assert found.records(5)[:5] == [f"<13>{number}" for number in range(5)]
        assert found.context.health.last_error == "dropped: 127.0.0.1: more than 5 messages a second"


def test_what_the_system_drops_is_counted() -> None:
    port = peers.free_port()
    with (
        listen(f"127.0.0.1:{port}", socket.SOCK_DGRAM) as receiver,
        socket.socket(type=socket.SOCK_DGRAM) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(200):
            sender.sendto(b"x" * 1000, ("127.0.0.1", port))
        came = 0
        with suppress(BlockingIOError):
            while receiver.recv(2000):
                came += 1
        assert 0 < came < 200 and lost(receiver) == 200 - came


def test_rates() -> None:
    rates = Rates(2)
    assert [rates.allow("a", now) for now in (0, 0, 0, 0.4, 0.5, 0.6, 9, 9, 9)] == [1, 1, 0, 0, 1, 0, 1, 1, 0]
    assert rates.allow("b", 9)


def client_tls(pem: peers.Paths, name: str | None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(pem.ca))
    if name:
        made.load_cert_chain(getattr(pem, name), getattr(pem, f"{name}_key"))
    return made


@pytest.mark.parametrize("name", [None, "stranger"])
def test_tls_without_a_certificate_of_the_authority(tmp_path: Path, name: str | None) -> None:
    pem, settings = tls_files(tmp_path)
    with receiving(tmp_path, "tls", **settings) as (found, port):
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", port)) as plain,
            client_tls(pem, name).wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(b"<13>a\n")
            assert connection.recv(1) == b""  # with TLS 1.3 a client learns of it late
        found.wait(lambda: found.context.health.refused == 1)
        assert "127.0.0.1: TLS: " in str(found.context.health.last_error)
        send(port, b"<13>no TLS at all\n")
        found.wait(lambda: found.context.health.refused == 2)
    assert not found.lines


def test_renewed_certificates_are_used(tmp_path: Path) -> None:
    pem, settings = tls_files(tmp_path)

    def serial() -> int:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            client_tls(pem, "sender").wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            return int(dict(connection.getpeercert() or {})["serialNumber"], 16)  # type: ignore[call-overload]

    with receiving(tmp_path, "tls", **settings) as (found, port):
        before = serial()
        pem.server.write_text("nonsense")
        found.wait(lambda: found.context.health.last_error)
        assert serial() == before
        pem = peers.certificates(pem.folder)
        until = time.monotonic() + 20
        renewed = False
        while not renewed:
            assert time.monotonic() < until
            with suppress(ssl.SSLError):  # of the old authority
                renewed = serial() != before


def test_what_is_no_relp_is_refused(tmp_path: Path) -> None:
    with receiving(tmp_path, "relp") as (found, port):
        send(port, b"GET / HTTP/1.1\r\n\r\n")
        found.wait(lambda: found.context.health.refused == 1)
        assert "no frame of RELP" in str(found.context.health.last_error)


def test_too_many_connections(tmp_path: Path) -> None:
    with receiving(tmp_path, "tcp", max_connections=1) as (found, port):
        with socket.create_connection(("127.0.0.1", port)) as first:
            first.sendall(b"<13>a\n")
            found.records(1)
            send(port, b"<13>b\n")
            found.wait(lambda: found.context.health.refused == 1 and "1 connections" in found.context.health.reason)
        found.wait(lambda: "0 connections" in found.context.health.reason)
        send(port, b"<13>c\n")
        assert found.records(2) == ["<13>a", "<13>c"]


def test_senders_wait_while_the_spool_is_full(tmp_path: Path) -> None:
    """Nothing is committed, so that the spool fills: the sender blocks, and nothing is lost once there is room."""
    line = b"<13>" + b"x" * 1000 + b"\n"
    with receiving(tmp_path, "tcp", {"spool_limit": 20_000}) as (found, port):
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 << 10)
            connection.connect(("127.0.0.1", port))
            connection.settimeout(1)
            sent = 0
            with pytest.raises(TimeoutError):
                while True:
                    sent += connection.send(line[sent % len(line) :])
            until = time.monotonic() + 20
            while found.context.health.condition != "waiting":
                assert time.monotonic() < until
                time.sleep(0.05)
            assert "come again later" in found.context.health.reason
            whole = sent // len(line)
            connection.settimeout(None)
            found.records(whole)
        found.wait(lambda: sum(len(each["record"]) for each in found.lines) >= sent - whole - 1)
        found.wait(lambda: found.context.health.condition == "running")


def test_a_graceful_stop_keeps_what_is_under_way(tmp_path: Path) -> None:
    with receiving(tmp_path, "tcp") as (found, port):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(b"<13>a\n")
        found.records(1)
        found.context.stop.set()
        connection.sendall(b"<13>b\n")
        assert connection.recv(1) == b""  # it says that it ends
        connection.close()
    assert [line["record"] for line in found.lines] == ["<13>a", "<13>b"]


def test_an_address_in_use_is_tried_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with working(config(tcp=[f"127.0.0.1:{port}"]), tmp_path) as found:
            found.wait(lambda: found.context.health.condition == "waiting")
            assert f"127.0.0.1:{port}: Address already in use" in found.context.health.reason
            taken.close()
            found.wait(lambda: found.context.health.condition == "running")


def test_certificates_that_are_not_there(tmp_path: Path) -> None:
    _, settings = tls_files(tmp_path)
    key = Path(settings["key"])
    moved = key.rename(key.with_suffix(".away"))
    with working(config(tls=[f"127.0.0.1:{peers.free_port()}"], **settings), tmp_path) as found:
        found.wait(lambda: found.context.health.condition == "waiting")
        assert str(key) in found.context.health.reason
        key.write_text("nonsense")
        found.wait(lambda: "PEM" in found.context.health.reason)
        moved.rename(key)
        found.wait(lambda: found.context.health.condition == "running")


def test_ipv6(tmp_path: Path) -> None:
    port = peers.free_port()
    with working(config(tcp=[f"[::]:{port}"], udp=[f"[::]:{port}"], senders=["::1", "127.0.0.1"]), tmp_path) as found:
        found.wait(lambda: "listens on" in found.context.health.reason)
        for host in ("::1", "127.0.0.1"):
            send(port, b"<13>a\n", host=host)
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(b"<13>a", ("127.0.0.1", port))
        found.records(3)
    assert sorted(line["trailkeep"]["sender"] for line in found.lines) == ["127.0.0.1", "127.0.0.1", "::1"]


def test_once_hands_over_what_lies_in_the_spool(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    context.feed.close()
    spool = Spool(context)
    spool.append([b'"<13>a"'], Origin("syslog", "x")).result()
    spool.close()
    with working(config(tcp=[f"127.0.0.1:{peers.free_port()}"]), tmp_path, once=True) as found:
        assert found.records(1) == ["<13>a"]
        found.wait(lambda: found.context.health.condition == "done")


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({}, "says nowhere to listen"),
        ({"udp": ["127.0.0.1:514"], "senders": []}, "udp needs senders"),
        ({"tls": ["127.0.0.1:6514"]}, "tls needs certificate, key and client_ca"),
        ({"tcp": ["514"]}, "'514' is no address"),
        ({"tcp": ["host:0"]}, "is no address"),
        ({"tcp": ["127.0.0.1:1"], "senders": ["nobody"]}, "valid IPv4 or IPv6 network"),
    ],
)
def test_wrong_configuration(settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        config(**settings)


def test_addresses_and_subjects() -> None:
    assert host_port("[2001:db8::7]:514") == ("2001:db8::7", 514)
    assert plain_address("::ffff:192.0.2.7") == "192.0.2.7"
    assert plain_address("fe80::1%eth0") == "fe80::1"
    named = {"subject": ((("countryName", "DE"),), (("organizationName", "A, B"),), (("commonName", "x"),))}
    assert subject(named) == "CN=x,O=A\\, B,C=DE"
