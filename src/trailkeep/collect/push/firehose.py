"""Requests of Firehose's HTTP endpoint delivery in, each as one record that holds all of its records out.

Source: Amazon Data Firehose Developer Guide, "HTTP endpoint delivery request and response specifications".
"""

import time
from collections.abc import Callable, Mapping
from typing import ClassVar

import msgspec

from trailkeep.collect.push.senders import Protocol, Refused
from trailkeep.collect.push.wire import STATUS, Answer, Call, Taken, Wire, bad_json, check_utf8, json_answer, one_line

_ID = "x-amz-firehose-request-id"


class _Record(msgspec.Struct):
    data: str


class _Body(msgspec.Struct):
    requestId: str
    timestamp: int
    records: list[_Record]


_BODY = msgspec.json.Decoder(_Body)


class Firehose(Wire):
    """The request's id is that of the batch: Firehose repeats it under the same."""

    protocol: ClassVar[Protocol] = "firehose"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now

    def read(self, call: Call) -> Taken:
        """The body as it is, with the delivery stream that the headers name."""
        check_utf8(call.body)
        try:
            body = _BODY.decode(call.body)
        except (msgspec.DecodeError, RecursionError) as error:
            bad_json(error)
        if (said := call.headers.get(_ID)) is not None and said != body.requestId:
            raise Refused("bad", f"the header's request id {said} is not the body's")
        record = one_line(call.body.strip())
        beside = {
            "deliveryStreamArn": call.headers.get("x-amz-firehose-source-arn"),
            "commonAttributes": call.headers.get("x-amz-firehose-common-attributes"),
        }
        if beside["deliveryStreamArn"]:
            named = {name: value for name, value in beside.items() if value is not None}
            record = msgspec.json.encode(named)[:-1] + b"," + record[1:]
        records = [record] if body.records else []
        return Taken(records, self._answer(200, body.requestId), batch=body.requestId)

    def refuse(self, refused: Refused, headers: Mapping[str, str]) -> Answer:
        """Firehose shows the message to who looks after the stream, and comes again."""
        return self._answer(STATUS[refused.fault], headers.get(_ID, ""), errorMessage=refused.reason)

    def _answer(self, status: int, request: str, **more: str) -> Answer:
        return json_answer(status, {"requestId": request, "timestamp": int(self._now() * 1000), **more})
