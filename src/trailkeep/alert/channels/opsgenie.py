"""Messages as alerts of Opsgenie (and Jira Service Management, which has its API), closed when ours are."""

from typing import ClassVar, Literal
from urllib.parse import quote

from pydantic import Field

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.message import Message, plain
from trailkeep.core.secret import Secret

_PRIORITIES = {"critical": "P1", "high": "P2", "medium": "P3", "low": "P4", "informational": "P5"}


class Opsgenie(Channel):
    """Alert API: https://docs.opsgenie.com/docs/alert-api

    A repetition has the same `alias` and makes no second alert.
    """

    tells_closed: ClassVar[bool] = True

    type: Literal["opsgenie"]
    key: Secret = Field(description="API key of the integration")
    url: str = Field(default="https://api.opsgenie.com", description="https://api.eu.opsgenie.com in the EU")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """An alert of a heartbeat or a test closes itself at once."""
        headers = {"Authorization": f"GenieKey {tools.secret(self.key)}"}
        alias = message.thread if message.alerts else uid
        address = f"{self.url.rstrip('/')}/v2/alerts"
        close = f"{address}/{quote(alias, safe='')}/close?identifierType=alias"
        if message.kind == "closed":
            tools.http.post(close, {"source": "Trailkeep"}, headers)
            return
        body = {
            "message": message.headline[:130],
            "alias": alias,
            "description": plain(message)[:15000],
            "details": dict(message.facts),
            "tags": [tag[:50] for tag in message.tags][:20],
            "entity": (message.subject or "")[:512],
            "source": "Trailkeep",
            "priority": _PRIORITIES[message.level],
        }
        tools.http.post(address, body, headers)
        if not message.alerts:
            tools.http.post(close, {"source": "Trailkeep"}, headers)
