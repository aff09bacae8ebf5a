"""Messages to the hundred services that Apprise knows: Telegram, Matrix, ntfy, Pushover, Signal and others."""

from typing import Any, Literal

from pydantic import Field

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.message import Message, plain
from trailkeep.core.errors import Later, Refused
from trailkeep.core.secret import Secret

_KINDS = {"critical": "failure", "high": "failure", "medium": "warning"}


class Apprise(Channel):
    """Needs `pip install 'trailkeep[apprise]'`. Addresses: https://github.com/caronc/apprise/wiki

    Apprise says only whether it worked: every failure is tried again.
    """

    type: Literal["apprise"]
    url: Secret = Field(description="address of Apprise's, such as `tgram://bottoken/ChatID`")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """Each service cuts what is too long for it."""
        service: Any = _library().Apprise()
        if not service.add(tools.secret(self.url)):
            raise Refused("Apprise does not know an address like `url`; its wiki shows those it knows")
        kind = _KINDS.get(message.level, "info")
        if not service.notify(title=message.headline, body=plain(message), body_format="text", notify_type=kind):
            raise Later("Apprise could not hand over the message; it does not say why")


def _library() -> Any:
    try:
        import apprise
    except ImportError as error:
        raise Refused("Apprise is not installed: pip install 'trailkeep[apprise]'") from error
    return apprise
