"""Messages to a topic of Amazon SNS: mail, SMS, Lambda, queues and whatever else subscribes to it."""

import json
from typing import Literal

from pydantic import Field

from trailkeep.alert.channels.channel import AwsChannel, Tools
from trailkeep.alert.channels.webhook import document
from trailkeep.alert.message import Message, brief, plain
from trailkeep.core.errors import Refused

_LONGEST_SUBJECT = 100


class Sns(AwsChannel):
    """People get text, SMS one line, programs (Lambda, SQS, HTTP, Firehose) JSON.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """

    type: Literal["sns"]
    topic: str = Field(pattern=r"^arn:aws[\w-]*:sns:[\w-]+:\d{12}:[\w.-]+$", description="ARN of the topic")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """Needs `sns:Publish`, and `kms:GenerateDataKey` for an encrypted topic."""
        machine = json.dumps(document(message), ensure_ascii=False)
        texts = {"default": plain(message), "sms": brief(message, 160)}
        texts |= dict.fromkeys(("lambda", "sqs", "http", "https", "firehose"), machine)
        attributes = {"level": message.level, "kind": message.kind, "rule": message.rule, "id": uid}
        arguments = {
            "TopicArn": self.topic,
            "Subject": _subject(message.headline),
            "Message": json.dumps(texts, ensure_ascii=False),
            "MessageStructure": "json",
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
            },
        }
        if self.topic.endswith(".fifo"):
            arguments |= {"MessageGroupId": message.thread, "MessageDeduplicationId": uid}
        region = self.topic.split(":")[3]
        channel = self if self.region else self.model_copy(update={"region": region})
        if not channel.call(tools, "sns", "publish", **arguments).get("MessageId"):
            raise Refused("Amazon SNS gives no number for the message")


def _subject(text: str) -> str:
    """ASCII, at most 100 characters, no line breaks, beginning with a letter, digit or punctuation mark."""
    plain_text = "".join(c if " " <= c <= "~" else "?" for c in text)
    return plain_text if len(plain_text) <= _LONGEST_SUBJECT else plain_text[: _LONGEST_SUBJECT - 3] + "..."
