"""Requests to Splunk's HTTP Event Collector in, its events out, and answers with its codes.

Source: Splunk Enterprise, "Format events for HTTP Event Collector", "Troubleshoot HTTP Event Collector", "About HTTP
Event Collector Indexer Acknowledgment". Requests are answered once they are on disk, so an acknowledgement is true from
the start: its number is the time it was given, and nothing about it has to be kept.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from trailkeep.collect.push.senders import Fault, Protocol, Refused
from trailkeep.collect.push.wire import (
    STATUS,
    Answer,
    Call,
    Taken,
    Wire,
    bad_json,
    check_utf8,
    elements,
    is_a,
    json_answer,
    json_values,
    one_line,
    text_lines,
)

HEALTHY = json_answer(200, {"text": "HEC is healthy", "code": 17})
UNHEALTHY = json_answer(503, {"text": "HEC is unhealthy, queues are full", "code": 18})

_TEXTS = {
    0: "Success",
    1: "Token disabled",
    2: "Token is required",
    3: "Invalid authorization",
    4: "Invalid token",
    5: "No data",
    6: "Invalid data format",
    9: "Server is busy",
    10: "Data channel is missing",
    11: "Invalid data channel",
    12: "Event field is required",
    13: "Event field cannot be blank",
    14: "ACK is disabled",
    15: "Error in handling indexed fields",
    16: "Query string authorization is not enabled",
    26: "HEC queue at capacity",
}
_STATUS = {0: 200, 1: 403, 2: 401, 3: 401, 4: 403, 9: 503, 26: 429}  # all others: 400
_CODES: dict[Fault, int] = {
    "no token": 2,
    "no such scheme": 3,
    "unknown token": 4,
    "forbidden": 1,
    "bad": 6,
    "busy": 9,
    "rate": 26,
}
_FIRST_ACK = 1_600_000_000_000_000  # microseconds since 1970: none was given before
_BLANK = (b'""', b"null")


class _Event(msgspec.Struct):
    event: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    fields: dict[str, Any] | None = None


_EVENT = msgspec.json.Decoder(_Event)


class _Acks(msgspec.Struct):
    acks: list[int]


_ACKS = msgspec.json.Decoder(_Acks)


class AckNumbers:
    """Numbers for acknowledgements, each larger than all before, those of earlier processes too."""

    def __init__(self, now: Callable[[], int] = time.time_ns) -> None:
        self._now = now
        self._last = 0
        self._lock = threading.Lock()

    def give(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, self._now() // 1000)
            return self._last

    def given(self, number: int) -> bool:
        """Whether a request with this number may have been acknowledged."""
        return _FIRST_ACK <= number <= max(self._last, self._now() // 1000)


class _Hec(Wire):
    protocol: ClassVar[Protocol] = "hec"

    def __init__(self, numbers: AckNumbers) -> None:
        self._numbers = numbers

    def refuse(self, refused: Refused, headers: Mapping[str, str]) -> Answer:
        """The code that says what was wrong, and with which event."""
        code = _CODES.get(refused.fault)
        number = None
        if isinstance(refused.detail, tuple):
            code, number = refused.detail
        if code is None:
            return json_answer(STATUS[refused.fault], {"text": refused.reason, "code": 6})
        told: dict[str, Any] = {"text": _TEXTS[code], "code": code}
        if number is not None:
            told["invalid-event-number"] = number
        return json_answer(_STATUS.get(code, 400), told)

    def _taken(self, call: Call, records: list[bytes]) -> Taken:
        if not records:
            raise _refused(5)
        told: dict[str, Any] = {"text": _TEXTS[0], "code": 0}
        if call.acks:
            _channel(call)
            told["ackId"] = self._numbers.give()
        return Taken(records, json_answer(200, told))


class HecEvents(_Hec):
    """`/services/collector/event`: JSON objects, one after the other."""

    def read(self, call: Call) -> Taken:
        """Each object is a record."""
        _only_in_header(call)
        records: list[bytes] = []
        for value in json_values(call.body):
            for each in elements(value):
                _check(each, len(records))
                records.append(one_line(each))
        return self._taken(call, records)


class HecRaw(_Hec):
    """`/services/collector/raw`: lines of text; what is known of them stands in the query."""

    def read(self, call: Call) -> Taken:
        """Each line becomes an event."""
        _only_in_header(call)
        names = ("time", "host", "source", "sourcetype", "index")
        known = {name: call.query[name] for name in names if call.query.get(name)}
        return self._taken(call, [msgspec.json.encode({"event": line, **known}) for line in text_lines(call.body)])


class HecAcks(_Hec):
    """`/services/collector/ack`: which of these requests are safe."""

    def read(self, call: Call) -> Taken:
        """Holds no records."""
        _only_in_header(call)
        if not call.acks:
            raise _refused(14)
        _channel(call)
        check_utf8(call.body)
        try:
            asked = _ACKS.decode(call.body)
        except (msgspec.DecodeError, RecursionError) as error:
            bad_json(error)
        return Taken([], json_answer(200, {"acks": {str(each): self._numbers.given(each) for each in asked.acks}}))


def _check(value: msgspec.Raw, number: int) -> None:
    """Raises Refused where a value is no event."""
    if not is_a(value, b"{"):
        raise _refused(6, number)
    try:
        event = _EVENT.decode(value)
    except msgspec.ValidationError:
        raise _refused(15, number) from None
    if event.event is msgspec.UNSET:
        raise _refused(12, number)
    if bytes(event.event) in _BLANK:
        raise _refused(13, number)
    if any(isinstance(each, dict) for each in (event.fields or {}).values()):
        raise _refused(15, number)


def _only_in_header(call: Call) -> None:
    if "token" in call.query and "authorization" not in call.headers:
        raise _refused(16)


def _channel(call: Call) -> None:
    """Raises Refused unless the request names its channel, a GUID."""
    said = call.headers.get("x-splunk-request-channel") or call.query.get("channel")
    if not said:
        raise _refused(10)
    try:
        UUID(said)
    except ValueError:
        raise _refused(11) from None


def _refused(code: int, number: int | None = None) -> Refused:
    where = "" if number is None else f" (event {number})"
    return Refused("bad", f"HEC: {_TEXTS[code]}{where}", detail=(code, number))
