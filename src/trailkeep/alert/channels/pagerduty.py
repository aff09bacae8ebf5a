"""Messages as events of PagerDuty, one incident for a group of alerts, resolved when its alerts are closed."""

from datetime import UTC
from typing import Any, ClassVar, Literal

from pydantic import Field

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.message import Message
from trailkeep.core.secret import Secret

_SEVERITIES = {"critical": "critical", "high": "error", "medium": "warning"}
_LONGEST_SUMMARY = 1024


class PagerDuty(Channel):
    """Events API v2: https://developer.pagerduty.com/docs/events-api-v2-overview

    A repetition has the same `dedup_key` and makes no second incident.
    """

    tells_closed: ClassVar[bool] = True

    type: Literal["pagerduty"]
    key: Secret = Field(description="integration key of the service")
    url: str = Field(default="https://events.pagerduty.com", description="https://events.eu.pagerduty.com in the EU")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """An incident of a heartbeat or a test resolves itself at once."""
        event: dict[str, Any] = {
            "routing_key": tools.secret(self.key),
            "event_action": "resolve" if message.kind == "closed" else "trigger",
            "dedup_key": message.thread if message.alerts else uid,
        }
        address = f"{self.url.rstrip('/')}/v2/enqueue"
        if message.kind == "closed":
            tools.http.post(address, event)
            return
        payload = {
            "summary": message.headline[:_LONGEST_SUMMARY],
            "source": message.subject or "trailkeep",
            "severity": _SEVERITIES.get(message.level, "info"),
            "timestamp": message.time.astimezone(UTC).isoformat(),
            "component": "trailkeep",
            "class": message.rule or message.kind,
            "custom_details": {
                **dict(message.facts),
                "Why it matters": message.description,
                "What to do": list(message.steps),
                "Other alerts": list(message.listed),
            },
        }
        links = [{"href": message.link, "text": "Open the alert"}] if message.link else []
        tools.http.post(address, event | {"payload": payload, "links": links, "client": "Trailkeep"})
        if not message.alerts:
            tools.http.post(address, event | {"event_action": "resolve"})
