"""What every receiver of pushed records does: read its senders' tokens, open its spool, listen, and end cleanly."""

import re
import ssl
from abc import abstractmethod
from ipaddress import ip_address
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from trailkeep.collect.collector import CollectorConfig, Context
from trailkeep.collect.listening import host_port
from trailkeep.collect.push.senders import Sender, Senders
from trailkeep.collect.spool import Spool
from trailkeep.core.errors import UsageError
from trailkeep.core.secret import Secret

BUSY_SECONDS = 5
"""After so many seconds a sender may come again that was refused for want of room."""

_RELOAD_SECONDS = 60.0


class Tls(BaseModel):
    """The certificate to show, and with `client_ca` who signs those that clients must show (mutual TLS)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def read(self) -> tuple[bytes, bytes, bytes | None]:
        """Key, certificate and CA as they are now. Raises UsageError where they cannot be used."""
        try:
            self.server_context()
            ca = self.client_ca and self.client_ca.expanduser().read_bytes()
            return self.key.expanduser().read_bytes(), self.certificate.expanduser().read_bytes(), ca or None
        except OSError as error:
            raise self._unusable(error) from error

    def server_context(self) -> ssl.SSLContext:
        """For TLS 1.2 and later. Raises UsageError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.load(context)
        return context

    def load(self, context: ssl.SSLContext) -> None:
        """Have a context use the files as they are now. Raises UsageError."""
        try:
            context.load_cert_chain(self.certificate.expanduser(), self.key.expanduser())
            if self.client_ca:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self.client_ca.expanduser())
        except OSError as error:  # those of OpenSSL, too
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> UsageError:
        return UsageError(f"the certificate {self.certificate}, its key or the client CA cannot be used: {error}")


class ReceiverConfig(CollectorConfig):
    """A receiver that listens for senders with tokens."""

    listen: str = Field(description="address and port")
    tls: Tls | None = None
    senders: dict[str, Sender] = Field(min_length=1)
    max_mb: float = Field(default=64, gt=0, le=1024, description="largest body, unpacked")

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        host_port(value)
        return value

    @field_validator("senders")
    @classmethod
    def _names(cls, value: dict[str, Sender]) -> dict[str, Sender]:
        wrong = [name for name in value if not re.fullmatch(r"[\w.@-]{1,64}", name)]
        if wrong:
            raise ValueError(f"{wrong[0]!r}: a name of letters, digits and any of _.@-")
        if sum(sender.anonymous for sender in value.values()) > 1:
            raise ValueError("more than one is anonymous")
        return value

    @model_validator(mode="after")
    def _not_open_to_all(self) -> "ReceiverConfig":
        guarded = _is_loopback(self.listen) or (self.tls is not None and self.tls.client_ca is not None)
        if not guarded and any(sender.anonymous for sender in self.senders.values()):
            raise ValueError("anybody could send: an anonymous sender needs a loopback address or tls.client_ca")
        return self

    @property
    def limit(self) -> int:
        """Most bytes of a body."""
        return int(self.max_mb * 1e6)

    @abstractmethod
    def serve(self, context: Context, senders: Senders, spool: Spool) -> None:
        """Take records until `context.stop` is set. Raises OSError where it cannot listen."""

    def run(self, context: Context) -> None:
        """Receive until stopped; with `once` only hand over what an earlier run has left."""
        spool = _opened(context)
        if spool is None:
            return
        try:
            if context.once:
                context.health.done("what had been received is handed over; receiving needs a run without --once")
                return
            senders = self._known(context)
            if senders and self.tls is None and not _is_loopback(self.listen):
                context.say(f"{context.name}: tokens and logs come unencrypted to {self.listen}: set `tls`")
            while senders and not context.stop.is_set():
                try:
                    self.serve(context, senders, spool)
                except OSError as error:
                    context.wait(f"cannot listen on {self.listen}: {error.strerror or error}")
        finally:
            spool.close()

    def _known(self, context: Context) -> Senders | None:
        """The senders with their tokens; waits for a store of secrets, not for a file or a variable."""

        def read(secret: Secret) -> str:
            while True:
                try:
                    return secret.read(context.aws.secret)
                except UsageError as error:
                    if secret.aws_secret is None:
                        raise
                    if not context.wait(str(error)):
                        raise _Stopped from None

        try:
            return Senders(self.senders, read, self.limit)
        except _Stopped:
            return None


def follow_files(context: Context, tls: Tls | None, used: ssl.SSLContext | None) -> None:
    """Have the context that is `used` follow its files, for a certificate that is renewed, until the service ends."""
    seen = _states(tls)
    while not context.stop.wait(_RELOAD_SECONDS):
        if tls and used and (now := _states(tls)) != seen:
            try:
                tls.load(used)
                seen = now
            except UsageError as error:  # half written; the old one goes on until the next look
                context.health.error(str(error))


def _states(tls: Tls | None) -> list[int]:
    files = [tls.certificate, tls.key, tls.client_ca] if tls else []
    return [path.expanduser().stat().st_mtime_ns for path in files if path and path.expanduser().exists()]


class _Stopped(Exception):
    """The service ends."""


def _opened(context: Context) -> Spool | None:
    """The spool of a receiver, once its disk can be used; None where the service ends first."""
    while True:
        try:
            return Spool(context)
        except OSError as error:
            if not context.wait(f"the spool {context.spool}: {error.strerror}"):
                return None


def _is_loopback(address: str) -> bool:
    host, _ = host_port(address)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
