"""Messages to a webhook that takes `{"Content": text}`, as those of chat rooms of Amazon Chime do."""

from typing import Literal

from pydantic import Field

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.message import Message, plain
from trailkeep.core.secret import Secret

_LONGEST = 4096


class Chime(Channel):
    """https://docs.aws.amazon.com/chime/latest/ag/webhooks.html; Amazon ended Chime itself in February 2026."""

    type: Literal["chime"]
    url: Secret = Field(description="address of the webhook")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """A repetition cannot be known: after a crash a message may be there twice."""
        text = plain(message)
        text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
        tools.http.post(tools.secret(self.url), {"Content": text})
