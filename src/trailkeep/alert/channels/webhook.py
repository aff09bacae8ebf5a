"""Messages to any HTTP endpoint, signed: what comes from us can be told from what anybody else sends, once or again."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, Literal

from pydantic import Field

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.message import Message, plain
from trailkeep.core.errors import Refused
from trailkeep.core.secret import Secret


class Webhook(Channel):
    """A POST of JSON, signed after Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    type: Literal["webhook"]
    url: Secret = Field(description="address; a secret, as many hold a token")
    secret: Secret = Field(description="key of the signature: `whsec_` and Base64, or any text of 16 bytes or more")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """A status of 2xx means that it was taken."""
        body = json.dumps(document(message), ensure_ascii=False).encode()
        stamp = str(int(tools.now().timestamp()))
        headers = {
            "webhook-id": uid,
            "webhook-timestamp": stamp,
            "webhook-signature": signature(tools.secret(self.secret), uid, stamp, body),
        }
        tools.http.post(tools.secret(self.url), body, headers)


def document(message: Message) -> dict[str, Any]:
    """A message for programs: its parts, and the text for people."""
    return {**message.model_dump(mode="json"), "headline": message.headline, "text": plain(message)}


def signature(secret: str, uid: str, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 over id, timestamp and body, so that neither can be exchanged when a request is sent again."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise Refused("the secret of the webhook begins with whsec_ and is no Base64 after it") from error
    if len(key) < 16:
        raise Refused("the secret of the webhook is shorter than 16 bytes; use a longer one")
    signed = hmac.new(key, f"{uid}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"
