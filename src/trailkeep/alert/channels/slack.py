"""Messages to a channel of Slack, by an incoming webhook."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.message import Message
from trailkeep.core.secret import Secret

_HEADER, _TEXT = 150, 3000  # characters: what Slack allows, and what a person reads
_Element = dict[str, Any]


class Slack(Channel):
    """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, with blocks of rich text:
    https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
    """

    type: Literal["slack"]
    url: Secret = Field(description="address of the incoming webhook")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """Slack knows no repetition: after a crash a message may be there twice."""
        # `text` is what notifications show; without these three there is no link and no mention in it.
        text = message.headline.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        tools.http.post(tools.secret(self.url), {"text": text, "blocks": blocks(message)})


def blocks(message: Message) -> list[_Element]:
    """The message as blocks. Rich text is not searched for markup, so nothing that came from a log can be any."""
    parts: list[_Element] = []
    for number, (name, value) in enumerate(message.facts):
        parts.append(_section(_text(f"{name}: ", bold=True), _text(value + "\n" * (number + 1 < len(message.facts)))))
    if message.others:
        parts += [_section(_text(message.more, bold=True)), _list(message.listed)]
    if message.description:
        parts.append(_section(_text("\nWhy it matters: ", bold=True), _text(message.description)))
    if message.steps:
        parts += [_section(_text("\nWhat to do:", bold=True)), _list(message.steps)]
    if message.link:
        parts.append(_section({"type": "link", "url": message.link, "text": "Open the alert"}))
    head = {"type": "header", "text": {"type": "plain_text", "text": _cut(message.headline, _HEADER), "emoji": False}}
    return [head, {"type": "rich_text", "elements": parts}] if parts else [head]


def _section(*elements: _Element) -> _Element:
    return {"type": "rich_text_section", "elements": list(elements)}


def _list(lines: Iterable[str]) -> _Element:
    return {"type": "rich_text_list", "style": "bullet", "elements": [_section(_text(line)) for line in lines]}


def _text(text: str, *, bold: bool = False) -> _Element:
    return {"type": "text", "text": _cut(text, _TEXT)} | ({"style": {"bold": True}} if bold else {})


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
