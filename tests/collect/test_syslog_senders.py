"""Real senders of syslog: logger, rsyslog and syslog-ng; what they sent is in the spool's lines."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.collect import syslog_peers as peers
from tests.collect.receiving_syslog import receiving, tls_files


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
