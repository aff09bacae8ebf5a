"""A receiver at work in a thread, and requests to it."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from tests.aws import free_port
from tests.collect.receiving import Rig
from trailkeep.collect.http import HttpReceiver
from trailkeep.collect.push.receiver import ReceiverConfig

TOKEN = "s3cret-of-web-1"
JSON = {"Content-Type": "application/json"}


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@contextmanager
def running(on: Rig, config: ReceiverConfig) -> Iterator[None]:
    """The receiver, listening."""
    thread = threading.Thread(target=config.run, args=(on.context,))
    thread.start()
    try:
        while not on.context.health.reason.startswith("listening") and thread.is_alive():
            threading.Event().wait(0.01)
        assert thread.is_alive(), on.context.health
        yield
    finally:
        on.context.stop.set()
        on.context.feed.close()
        thread.join(30)
        assert not thread.is_alive()


@contextmanager
def http(on: Rig, **config: Any) -> Iterator["Peer"]:
    """An HTTP receiver and a client of it."""
    port = free_port()
    known = {"type": "http", "listen": f"127.0.0.1:{port}", "senders": {"web-1": {"tokens": [{"env": "WEB_1"}]}}}
    with running(on, HttpReceiver.model_validate(known | config)):
        yield Peer(port)


class Peer:
    """A client that sends what it is told to, right or wrong."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.tls = tls

    def send(
        self,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        token: str | None = TOKEN,
        method: str = "POST",
    ) -> Reply:
        """One request on a connection of its own; its token as Bearer unless `headers` say otherwise."""
        known = {} if token is None else {"Authorization": f"Bearer {token}"}
        if self.tls:
            connection: HTTPConnection = HTTPSConnection("localhost", self.port, timeout=30, context=self.tls)
        else:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, known | (headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_1", TOKEN)


class Pki(NamedTuple):
    """A certificate authority, a server and a client that it signed."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def pki(folder: Path) -> Pki:
    """Fresh keys and certificates for localhost."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())

    def signed(subject: str, key: ec.EllipticCurvePrivateKey, ca: bool) -> x509.Certificate:
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("Trailkeep test CA"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=ca, crl_sign=ca, **usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )
        return builder.sign(ca_key, hashes.SHA256())

    made = Pki(*(folder / f"{each}.pem" for each in Pki._fields))
    made.ca.write_bytes(signed("Trailkeep test CA", ca_key, True).public_bytes(serialization.Encoding.PEM))
    for certificate, place in ((made.server, made.server_key), (made.client, made.client_key)):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate.write_bytes(signed(certificate.stem, key, False).public_bytes(serialization.Encoding.PEM))
        place.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return made
