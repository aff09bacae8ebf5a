"""Real senders of syslog, what they sent is in the spool's lines; misuse is refused, counted and told."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.collect import syslog_peers as peers
from tests.collect.working import Working, context_in, working
from trailkeep.collect.listening import host_port, listen, lost, plain_address, subject
from trailkeep.collect.spool import Origin, Spool
from trailkeep.collect.syslog import Rates, Syslog

LOCAL = ["127.0.0.0/8"]


def config(**settings: Any) -> Syslog:
    return Syslog.model_validate({"type": "syslog", "senders": LOCAL} | settings)


@contextmanager
def receiving(
    folder: Path, way: str, changes: dict[str, Any] | None = None, **settings: Any
) -> Iterator[tuple[Working, int]]:
    """A receiver that listens in one way on loopback, and its port."""
    port = peers.free_port()
    with working(config(**{way: [f"127.0.0.1:{port}"]}, **settings), folder, **(changes or {})) as found:
        found.wait(lambda: "listens on" in found.context.health.reason)
        yield found, port


def tls_files(folder: Path) -> tuple[peers.Paths, dict[str, str]]:
    made = peers.certificates(folder / "certificates")
    return made, {"certificate": str(made.server), "key": str(made.server_key), "client_ca": str(made.ca)}


def send(port: int, data: bytes, family: int = socket.AF_INET, host: str = "127.0.0.1") -> None:
    with socket.create_connection((host, port)) as connection:
        connection.sendall(data)


def logger(*arguments: str) -> None:
    subprocess.run(["logger", *arguments], check=True)


def numbered(lines: Path, count: int, start: int = 0) -> list[str]:
    """Append numbered lines to a file that a sender follows; returns them."""
    texts = [f"line {number:05}" for number in range(start, start + count)]
    with lines.open("a") as file:
        file.writelines(f"{text}\n" for text in texts)
    return texts


def ends(records: list[str], texts: list[str]) -> bool:
    return [record[-len(texts[0]) :] for record in records] == texts


@pytest.fixture(scope="session")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of a test run share."""
    return tmp_path_factory.getbasetemp().parent


@pytest.fixture
def rsyslog(temporary: Path) -> None:
    peers.rsyslog(temporary)


@pytest.mark.skipif(not shutil.which("logger"), reason="Missing on this machine: bsdutils")
class TestLogger:
    def test_udp(self, tmp_path: Path) -> None:
        with receiving(tmp_path, "udp") as (found, port):
            for style in ("--rfc3164", "--rfc5424"):
                logger("-n", "127.0.0.1", "-P", str(port), "-d", style, "-p", "auth.warning", "-t", "sudo", "two words")
            old, new = found.records(2)
        assert old.startswith("<36>") and old.endswith("sudo: two words")
        assert new.startswith("<36>1 ") and new.endswith(" two words")
        said = found.lines[0]["trailkeep"]
        assert (said["protocol"], said["sender"]) == ("syslog", "127.0.0.1")
        assert "marks" not in said

    @pytest.mark.parametrize("framing", [[], ["--octet-count"]])
    def test_tcp(self, tmp_path: Path, framing: list[str]) -> None:
        with receiving(tmp_path, "tcp") as (found, port):
            for number in range(3):
                logger("-n", "127.0.0.1", "-P", str(port), "-T", *framing, "--rfc5424", f"number {number}")
            records = sorted(record.rpartition("number ")[2] for record in found.records(3))
        assert records == ["0", "1", "2"]
        assert not any("marks" in line["trailkeep"] for line in found.lines)


@pytest.mark.usefixtures("rsyslog")
class TestRsyslog:
    @pytest.mark.parametrize("framing", ["octet-counted", "traditional"])
    def test_tcp(self, tmp_path: Path, framing: str) -> None:
        with receiving(tmp_path, "tcp") as (found, port):
            action = f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" tcp_framing="{framing}")'
            with peers.rsyslogd(tmp_path / "rsyslog", action) as lines:
                texts = numbered(lines, 500)
                found.records(500)
        assert ends([line["record"] for line in found.lines], texts)
        assert found.lines[0]["record"].startswith("<134>")

    def test_mutual_tls(self, tmp_path: Path) -> None:
        pem, settings = tls_files(tmp_path)
        files = (
            f'defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="{pem.ca}" '
            f'defaultNetstreamDriverCertFile="{pem.sender}" defaultNetstreamDriverKeyFile="{pem.sender_key}"'
        )
        with receiving(tmp_path, "tls", **settings) as (found, port):
            action = (
                f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" '
                'template="RSYSLOG_SyslogProtocol23Format" tcp_framing="octet-counted" '
                'streamDriver="ossl" streamDriverMode="1" streamDriverAuthMode="x509/name"'
                ' streamDriverPermittedPeers="localhost")'
            )
            with peers.rsyslogd(tmp_path / "rsyslog", action, files) as lines:
                texts = numbered(lines, 500)
                found.records(500)
        assert ends([line["record"] for line in found.lines], texts)
        assert found.lines[0]["record"].startswith("<134>1 ")
        assert {line["trailkeep"]["sender"] for line in found.lines} == {"CN=web-1,O=Example\\, Inc."}

    def test_relp(self, tmp_path: Path) -> None:
        with receiving(tmp_path, "relp") as (found, port):
            action = f'module(load="omrelp")\naction(type="omrelp" target="127.0.0.1" port="{port}")'
            with peers.rsyslogd(tmp_path / "rsyslog", action) as lines:
                texts = numbered(lines, 1000)
                found.records(1000)
        assert ends([line["record"] for line in found.lines], texts)

    def test_relp_over_mutual_tls(self, tmp_path: Path) -> None:
        pem, settings = tls_files(tmp_path)
        with receiving(tmp_path, "relp_tls", **settings) as (found, port):
            action = (
                'module(load="omrelp" tls.tlslib="openssl")\n'
                f'action(type="omrelp" target="127.0.0.1" port="{port}" tls="on" tls.caCert="{pem.ca}" '
                f'tls.myCert="{pem.sender}" tls.myPrivKey="{pem.sender_key}" tls.authMode="name" '
                'tls.permittedPeer=["localhost"])'
            )
            with peers.rsyslogd(tmp_path / "rsyslog", action) as lines:
                texts = numbered(lines, 300)
                found.records(300)
        assert ends([line["record"] for line in found.lines], texts)
        assert {line["trailkeep"]["sender"] for line in found.lines} == {"CN=web-1,O=Example\\, Inc."}


class TestSyslogNg:
    def test_tcp(self, tmp_path: Path, temporary: Path) -> None:
        with receiving(tmp_path, "tcp") as (found, port):
            destination = f'network("127.0.0.1" port({port}) transport("tcp"));'
            with peers.syslog_ng_daemon(temporary, tmp_path / "ng", destination) as lines:
                texts = numbered(lines, 300)
                found.records(300)
        assert ends([line["record"] for line in found.lines], texts)

    def test_mutual_tls(self, tmp_path: Path, temporary: Path) -> None:
        pem, settings = tls_files(tmp_path)
        with receiving(tmp_path, "tls", **settings) as (found, port):
            destination = (
                f'syslog("127.0.0.1" port({port}) transport("tls") tls(ca-file("{pem.ca}") '
                f'cert-file("{pem.sender}") key-file("{pem.sender_key}") peer-verify(required-trusted)));'
            )
            with peers.syslog_ng_daemon(temporary, tmp_path / "ng", destination) as lines:
                texts = numbered(lines, 300)
                found.records(300)
        assert ends([line["record"] for line in found.lines], texts)
        assert {line["trailkeep"]["sender"] for line in found.lines} == {"CN=web-1,O=Example\\, Inc."}


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
