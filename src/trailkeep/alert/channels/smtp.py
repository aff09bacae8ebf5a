"""Messages as mail, over a server with STARTTLS or TLS and a login."""

import smtplib
import ssl
from datetime import UTC
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.message import Message, plain
from trailkeep.core.errors import Later, Refused
from trailkeep.core.secret import Secret

_TIMEOUT = 20.0


class Smtp(Channel):
    """Mail. A repetition has the same Message-ID, by which mail servers and readers know it."""

    type: Literal["smtp"]
    host: str
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="none: for this machine only")
    ca: Path | None = Field(default=None, description="PEM file of the authority that signed the server's certificate")
    user: str | None = None
    password: Secret | None = None
    sender: str = Field(pattern=r"^[^\s@<>]+@[^\s@<>]+$", description="address that mail comes from")
    to: tuple[str, ...] = Field(min_length=1, description="addresses that mail goes to")

    @model_validator(mode="after")
    def _safe(self) -> "Smtp":
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        if self.security == "none" and self.host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("security: none is for this machine only; use starttls or tls")
        if bad := [each for each in self.to if "@" not in each or any(c.isspace() or c in "<>," for c in each)]:
            raise ValueError(f"to: no mail address: {', '.join(bad)}")
        return self

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """If the server takes the mail for some recipients only, it becomes a dead letter that names the others.

        To try again would send it once more to those who have it.
        """
        mail = EmailMessage()
        mail["Subject"] = message.headline
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.to)
        mail["Date"] = format_datetime(tools.now().astimezone(UTC))
        mail["Message-ID"] = f"<{uid}@trailkeep.invalid>"
        # Mail of one group of alerts is one conversation.
        mail["References"] = f"<{message.thread}@trailkeep.invalid>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(plain(message))
        try:
            with self._connect() as server:
                if self.user is not None and self.password is not None:
                    server.login(self.user, tools.secret(self.password))
                refused = server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            # One that may pass later is reason enough to try again: nobody has the mail yet.
            raise _error(*min(error.recipients.values()), self.host) from error
        except smtplib.SMTPResponseException as error:
            raise _error(error.smtp_code, error.smtp_error, self.host) from error
        except smtplib.SMTPNotSupportedError as error:
            raise Refused(f"{self.host}: {error}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise Later(f"{self.host}: {type(error).__name__}: {error}") from error
        if refused:
            # Others have it: to try again would send it to them once more.
            names = ", ".join(f"{name} ({code})" for name, (code, _) in refused.items())
            raise Refused(f"{self.host} took the mail, but not for {names}")

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=_TIMEOUT, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=_TIMEOUT)
        if self.security == "starttls":
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server


def _error(code: int, text: bytes | str, host: str) -> Later | Refused:
    """4xx of SMTP pass, 5xx do not (RFC 5321, 4.2.1)."""
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    reason = f"{host} answers {code}: {said}"
    return Refused(reason) if 500 <= code < 600 else Later(reason)
