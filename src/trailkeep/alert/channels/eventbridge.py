"""Messages as events on a bus of Amazon EventBridge."""

import json
from typing import Literal

from pydantic import Field

from trailkeep.alert.channels.channel import AwsChannel, Tools
from trailkeep.alert.channels.webhook import document
from trailkeep.alert.message import Message
from trailkeep.core.errors import Later, Refused

_PASSING = {"InternalFailure", "InternalException", "ThrottlingException", "ServiceUnavailable"}


class EventBridge(AwsChannel):
    """Events of the source `trailkeep` with the detail type `Trailkeep Alert`; `detail.id` tells repetitions.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
    """

    type: Literal["eventbridge"]
    bus: str = Field(default="default", description="name or ARN of the bus")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """Needs `events:PutEvents`."""
        entry = {
            "Source": "trailkeep",
            "DetailType": "Trailkeep Alert" if message.alerts else f"Trailkeep {message.kind.title()}",
            "Detail": json.dumps({"id": uid, **document(message)}, ensure_ascii=False),
            "EventBusName": self.bus,
            "Time": message.time,
        }
        answer = self.call(tools, "events", "put_events", Entries=[entry])
        if answer.get("FailedEntryCount"):
            failed = answer["Entries"][0]
            code = failed.get("ErrorCode", "an error without a code")
            reason = f"Amazon EventBridge: {code}: {failed.get('ErrorMessage', '')}"
            raise Later(reason) if code in _PASSING else Refused(reason)
