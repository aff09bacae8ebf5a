"""Mail goes to a real server, over STARTTLS or TLS and with a login, or not at all."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.alert.test_channels_http import UID, message, send
from tests.aws import free_port
from trailkeep.core.errors import Later, Refused

NOW = datetime.now(UTC)


def certificate(folder: Path) -> ssl.SSLContext:
    """A certificate for this machine, signed by itself, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kind = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


class Postman:
    """Takes mail, or answers what the test wants."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuses: dict[str, str] = {}
        self.answer = "250 OK"

    async def handle_RCPT(self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:
        assert session.ssl is not None and session.authenticated
        if self.answer.startswith("250"):
            content = cast(bytes, envelope.content)
            self.mails.append(cast(EmailMessage, message_from_bytes(content, policy=policy.default)))
        return self.answer


def check(_: SMTP, __: Session, ___: Envelope, ____: str, login: Any) -> AuthResult:
    return AuthResult(success=(login.login, login.password) == (b"trailkeep", b"hunter2"), handled=False)


@pytest.fixture
def postman(tmp_path: Path) -> Iterator[tuple[Postman, dict[str, Any]]]:
    """A server with STARTTLS and login, and the channel to it."""
    handler = Postman()
    options = {"tls_context": certificate(tmp_path), "require_starttls": True}
    options |= {"auth_required": True, "authenticator": check}
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port, **options)
    controller.start()
    told = {
        "type": "smtp",
        "host": "127.0.0.1",
        "port": port,
        "ca": str(tmp_path / "ca.pem"),
        "user": "trailkeep",
        "password": "secret:hunter2",
        "sender": "trailkeep@example.com",
        "to": ["soc@example.com", "dana@example.com"],
    }
    try:
        yield handler, told
    finally:
        controller.stop()


Fixture = tuple[Postman, dict[str, Any]]


def test_mail(tmp_path: Path, postman: Fixture) -> None:
    handler, told = postman
    send(tmp_path, told, message(title="Größe geändert"))
    (mail,) = handler.mails
    assert mail["Subject"] == "[high] Größe geändert"
    assert (mail["From"], mail["To"]) == ("trailkeep@example.com", "soc@example.com, dana@example.com")
    assert mail["Message-ID"] == f"<{UID}@trailkeep.invalid>"
    assert mail["References"] == f"<{'f' * 32}@trailkeep.invalid>"
    assert mail["Date"] == "Wed, 18 Nov 2026 12:00:00 +0000"
    text = mail.get_content()
    assert "Who:  alice" in text and "https://trailkeep.example.com/alerts/7" in text


@pytest.mark.parametrize(
    ("answer", "error"),
    [("451 try later", Later), ("452 full", Later), ("554 spam", Refused), ("552 too large", Refused)],
)
def test_answers(tmp_path: Path, postman: Fixture, answer: str, error: type[Exception]) -> None:
    handler, told = postman
    handler.answer = answer
    with pytest.raises(error, match=answer.replace(" ", ": ", 1)):
        send(tmp_path, told, message())


def test_one_recipient_that_there_is_not(tmp_path: Path, postman: Fixture) -> None:
    handler, told = postman
    handler.refuses = {"dana@example.com": "550 no such user"}
    with pytest.raises(Refused, match=r"took the mail, but not for dana@example.com \(550\)"):
        send(tmp_path, told, message())
    assert len(handler.mails) == 1
    handler.refuses["soc@example.com"] = "450 busy"
    with pytest.raises(Later, match="450: busy"):
        send(tmp_path, told, message())


def test_a_wrong_password(tmp_path: Path, postman: Fixture) -> None:
    _, told = postman
    with pytest.raises(Refused, match="535") as error:
        send(tmp_path, told | {"password": "secret:wrong"}, message())
    assert "wrong" not in str(error.value)


def test_a_server_that_is_not_trusted(tmp_path: Path, postman: Fixture) -> None:
    handler, told = postman
    del told["ca"]
    with pytest.raises(Later, match="certificate verify failed"):
        send(tmp_path, told, message())
    assert not handler.mails


def test_a_server_without_starttls_gets_no_password(tmp_path: Path, postman: Fixture) -> None:
    handler, told = postman
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        with pytest.raises(Refused, match="STARTTLS extension not supported"):
            send(tmp_path, told | {"port": port}, message())
    finally:
        controller.stop()


def test_a_server_that_is_not_there(tmp_path: Path, postman: Fixture) -> None:
    _, told = postman
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Later, match="Connection refused"):
            send(tmp_path, told | {"port": taken.getsockname()[1]}, message())
