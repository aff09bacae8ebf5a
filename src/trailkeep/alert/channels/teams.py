"""Messages to a channel of Microsoft Teams, by the webhook of a workflow."""

import re
from typing import Any, Literal

from pydantic import Field

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.message import Message
from trailkeep.core.secret import Secret

_COLOURS = {"critical": "attention", "high": "attention", "medium": "warning"}
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|<>~-])")


class Teams(Channel):
    """An Adaptive Card for the workflow "Send webhook alerts to a channel".

    https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
    """

    type: Literal["teams"]
    url: Secret = Field(description="address of the workflow's webhook")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """Teams knows no repetition: after a crash a message may be there twice."""
        attachment = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": card(message),
        }
        tools.http.post(tools.secret(self.url), {"type": "message", "attachments": [attachment]})


def card(message: Message) -> dict[str, Any]:
    """The message as an Adaptive Card 1.4; nothing that came from a log is markup."""
    body: list[dict[str, Any]] = [
        {
            "type": "TextBlock",
            "text": escaped(message.headline),
            "weight": "bolder",
            "size": "medium",
            "color": _COLOURS.get(message.level, "default"),
            "wrap": True,
        },
        {"type": "FactSet", "facts": [{"title": name, "value": escaped(value)} for name, value in message.facts]},
    ]
    texts = []
    if message.others:
        texts.append("\n".join([message.more, *(f"- {escaped(line)}" for line in message.listed)]))
    if message.description:
        texts.append(f"**Why it matters:** {escaped(message.description)}")
    if message.steps:
        texts.append("\n".join(["**What to do:**", "", *(f"- {escaped(step)}" for step in message.steps)]))
    body += [{"type": "TextBlock", "text": text, "wrap": True} for text in texts]
    made: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    if message.link:
        made["actions"] = [{"type": "Action.OpenUrl", "title": "Open the alert", "url": message.link}]
    return made


def escaped(text: str) -> str:
    """`text` without links and formatting of Markdown."""
    return _MARKUP.sub(r"\\\1", text)
