"""Messages to a channel of Microsoft Teams, by the webhook of a workflow."""

from typing import Any, Literal

from pydantic import Field

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.message import Message
from trailkeep.core.secret import Secret

_COLOURS = {"critical": "attention", "high": "attention", "medium": "warning"}
_Element = dict[str, Any]


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


def card(message: Message) -> _Element:
    """The message as an Adaptive Card 1.4. Text runs know no Markdown, so nothing that came from a log can be any.

    https://adaptivecards.io/explorer/TextRun.html
    """
    colour = _COLOURS.get(message.level, "default")
    body = [_line({"text": message.headline, "weight": "bolder", "size": "medium", "color": colour})]
    body += [_line(_bold(f"{name}: "), {"text": value}) for name, value in message.facts]
    if message.others:
        body += [_line(_bold(message.more)), *(_line({"text": f"• {line}"}) for line in message.listed)]
    if message.description:
        body.append(_line(_bold("Why it matters: "), {"text": message.description}))
    if message.steps:
        body += [_line(_bold("What to do:")), *(_line({"text": f"• {step}"}) for step in message.steps)]
    made: _Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    if message.link:
        made["actions"] = [{"type": "Action.OpenUrl", "title": "Open the alert", "url": message.link}]
    return made


def _line(*runs: _Element) -> _Element:
    return {"type": "RichTextBlock", "spacing": "small", "inlines": [{"type": "TextRun", **run} for run in runs]}


def _bold(text: str) -> _Element:
    return {"text": text, "weight": "bolder"}
