"""What every channel is made of: its part of the configuration, what it works with, and how it says that it failed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from trailkeep.alert.channels.http import Http
from trailkeep.alert.message import Message
from trailkeep.aws import Aws, AwsError, code_of, described, is_about_credentials, is_lasting
from trailkeep.core.errors import Later, Refused
from trailkeep.core.secret import Secret


@dataclass
class Tools:
    """What channels work with; threads share it."""

    aws: Aws
    http: Http = field(default_factory=Http)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def secret(self, secret: Secret) -> str:
        """A secret. Raises UsageError where it is not there."""
        return secret.read(self.aws.secret)


class Channel(BaseModel):
    """What all channels may be told. Each type adds its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tells_closed: ClassVar[bool] = False
    """Whether it is told that an alert was closed: there is something to close on the other side."""

    type: str
    enabled: bool = True

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """Hand over `message`; returns once the other side has taken it. `uid` is the same at each try.

        Raises Later where another try may succeed, Refused where none can.
        """
        raise NotImplementedError


class AwsChannel(Channel):
    """A channel that is a service of AWS."""

    account: str | None = Field(default=None, description="name in `accounts:`; the credentials at hand otherwise")
    region: str | None = None

    def call(self, tools: Tools, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """The answer of an operation. Raises Later or Refused."""
        try:
            client = tools.aws.client(service, self.account, self.region)
            answer: dict[str, Any] = getattr(client, operation)(**arguments)
        except AwsError as error:
            reason = f"AWS {service} {operation}: {described(error)}"
            if _lasting(error):
                raise Refused(reason) from error
            raise Later(reason) from error
        return answer


_LASTING = {
    "NotFound",
    "NotFoundException",
    "InvalidParameter",
    "AuthorizationError",
    "KMSNotFound",
    "EndpointDisabled",
}


def _lasting(error: Exception) -> bool:
    return not is_about_credentials(error) and (is_lasting(error) or code_of(error) in _LASTING)
