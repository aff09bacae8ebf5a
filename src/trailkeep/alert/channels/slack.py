"""Messages to a channel of Slack, by an incoming webhook."""

from typing import Any, Literal

from pydantic import Field

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.message import Message
from trailkeep.core.secret import Secret

_HEADER, _SECTION = 150, 3000  # characters that Slack allows


class Slack(Channel):
    """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, blocks of
    https://docs.slack.dev/reference/block-kit/blocks
    """

    type: Literal["slack"]
    url: Secret = Field(description="address of the incoming webhook")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """Slack knows no repetition: after a crash a message may be there twice."""
        body = {"text": escaped(message.headline), "blocks": blocks(message)}
        tools.http.post(tools.secret(self.url), body)


def blocks(message: Message) -> list[dict[str, Any]]:
    """The message as blocks; nothing that came from a log is markup."""
    facts = "\n".join(f"*{name}:* {escaped(value)}" for name, value in message.facts)
    sections = [facts]
    if message.others:
        sections.append("\n".join([f"*{message.more}*", *(f"• {escaped(line)}" for line in message.listed)]))
    if message.description:
        sections.append(f"*Why it matters:* {escaped(message.description)}")
    if message.steps:
        sections.append("\n".join(["*What to do:*", *(f"• {escaped(step)}" for step in message.steps)]))
    if message.link:
        sections.append(f"<{message.link}|Open the alert>")
    head = {"type": "header", "text": {"type": "plain_text", "text": _cut(message.headline, _HEADER), "emoji": False}}
    return [head, *({"type": "section", "text": {"type": "mrkdwn", "text": _cut(t, _SECTION)}} for t in sections if t)]


def escaped(text: str) -> str:
    """`text` without links, mentions and formatting of Slack's."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A zero-width space before a mark keeps it from being one, and nobody sees it.
    return "".join(f"\u200b{c}" if c in "*_~`" else c for c in text)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
