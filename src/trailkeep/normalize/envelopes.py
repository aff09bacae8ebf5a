"""A JSON record that wraps others in, what it wraps out: records and lines as received, each with its envelope.

The envelope is compact JSON: `wraps` (outermost first) and what the wraps say of the record: `account`, `region`,
`log_group`, `log_stream`, `id`, `time`; of two wraps the inner one is believed. Topics, queues and streams stand under
their own names: their account and region are not those of the record.

What is wrapped may be of no known source while what is around it is: an event of EventBridge, a log event of
CloudWatch Logs, a log record of OTLP. So a message has that `around` it, too.
"""

import base64
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from trailkeep.normalize.decompress import decompress
from trailkeep.normalize.formats.json_records import is_utf8, top_fields
from trailkeep.normalize.formats.json_salvage import JsonRecords
from trailkeep.normalize.records import Slice

_DEPTH = 8
_RECORDS = "Records"

Facts = dict[str, Any]
_Fields = dict[str, msgspec.Raw]
_Parts = Iterator[tuple[Slice, Facts] | tuple[Slice, Facts, Slice]]  # what is wrapped, facts, what is around it


@dataclass(frozen=True)
class Message:
    """What an envelope wraps: a JSON object or a line of text; `fault` says why it is neither."""

    data: Slice
    envelope: str | None = None
    fault: str = ""
    around: Slice | None = None


class _LogEvent(msgspec.Struct):
    id: str | int | None = None
    timestamp: int | None = None
    message: str = ""


_FIELDS = msgspec.json.Decoder(_Fields)
_LIST = msgspec.json.Decoder(list[_Fields])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_LOG_EVENT = msgspec.json.Decoder(_LogEvent)
_ITSELF = b""  # what is around a payload is the envelope itself


def _facts(fields: _Fields, **names: str) -> Facts:
    """The values of the fields `names`, as facts under the names they are given."""
    return {fact: msgspec.json.decode(fields[name]) for fact, name in names.items() if name in fields}


def _eventbridge(fields: _Fields) -> _Parts:
    facts = _facts(fields, account="account", region="region", id="id", time="time", source="source")
    yield fields["detail"], facts | _facts(fields, detail_type="detail-type"), _ITSELF


def _cloudwatch_logs(fields: _Fields) -> _Parts:
    if _TEXT.decode(fields["messageType"]) != "DATA_MESSAGE":
        return  # a control message: the service asks whether it is heard
    facts = _facts(fields, account="owner", log_group="logGroup", log_stream="logStream")
    for raw in _ARRAY.decode(fields["logEvents"]):
        event = _LOG_EVENT.decode(raw)
        yield event.message.encode(), facts | {"id": event.id, "time": event.timestamp}, raw


def _sns(fields: _Fields) -> _Parts:
    facts = _facts(fields, id="MessageId", time="Timestamp", topic="TopicArn")
    yield _TEXT.decode(fields["Message"]).encode(), facts


def _sns_to_lambda(fields: _Fields) -> _Parts:
    return _sns(_FIELDS.decode(fields["Sns"]))


def _sqs(fields: _Fields) -> _Parts:
    for message in _LIST.decode(fields["Messages"]):
        yield _TEXT.decode(message["Body"]).encode(), _facts(message, id="MessageId")


def _sqs_to_lambda(fields: _Fields) -> _Parts:
    yield _TEXT.decode(fields["body"]).encode(), _facts(fields, id="messageId", queue="eventSourceARN")


def _kinesis(fields: _Fields) -> _Parts:
    record = _FIELDS.decode(fields["kinesis"])
    facts = _facts(record, id="sequenceNumber", time="approximateArrivalTimestamp")
    yield _base64(record["data"]), facts | _facts(fields, stream="eventSourceARN")


def _firehose(fields: _Fields) -> _Parts:
    facts = _facts(fields, stream="deliveryStreamArn")
    for record in _LIST.decode(fields["records"]):
        yield _base64(record["data"]), facts | _facts(record, id="recordId", time="approximateArrivalTimestamp")


def _logs_to_lambda(fields: _Fields) -> _Parts:
    yield _base64(_FIELDS.decode(fields["awslogs"])["data"]), {}


def _base64(value: msgspec.Raw) -> bytes:
    return base64.b64decode(_TEXT.decode(value), validate=True)


class _Kind(NamedTuple):
    name: str
    fields: frozenset[str]
    open: Callable[[_Fields], _Parts]


_KINDS = (
    _Kind("eventbridge", frozenset({"detail-type", "detail"}), _eventbridge),
    _Kind("cloudwatch_logs", frozenset({"messageType", "logGroup", "logEvents"}), _cloudwatch_logs),
    _Kind("sns", frozenset({"Type", "Message", "TopicArn"}), _sns),
    _Kind("sns", frozenset({"EventSource", "Sns"}), _sns_to_lambda),
    _Kind("sqs", frozenset({"Messages"}), _sqs),
    _Kind("sqs", frozenset({"messageId", "body", "eventSource"}), _sqs_to_lambda),
    _Kind("kinesis", frozenset({"kinesis", "eventSource"}), _kinesis),
    _Kind("firehose", frozenset({"deliveryStreamArn", "records"}), _firehose),
    _Kind("lambda", frozenset({"awslogs"}), _logs_to_lambda),
)


def is_envelope(fields: Collection[str]) -> bool:
    """Whether a record with these fields wraps others."""
    return _kind(fields) is not None


def _kind(fields: Collection[str]) -> _Kind | None:
    return next((kind for kind in _KINDS if kind.fields.issubset(fields)), None)


class Unwrapper:
    """Opens envelopes, those in them too; all that they hide in compressed form is bounded by one limit."""

    def __init__(self, split: Callable[[bytes], JsonRecords], lists: Collection[str], limit: int) -> None:
        """`split` finds the records in JSON; `lists` are names of fields that may hold many."""
        self._split = split
        self._lists = {_RECORDS, *lists}
        self._room = limit

    def open(
        self, record: Slice, facts: Facts | None = None, depth: int = 0, around: Slice | None = None
    ) -> Iterator[Message]:
        """What `record` wraps, or itself. Raises InputError where that unpacks to more than the limit."""
        facts = facts or {}
        fields = top_fields(record)
        kind = _kind(fields)
        if kind is None:
            if depth and not self._lists.isdisjoint(fields):
                yield from self._json(bytes(record), facts, depth, around)
            else:
                yield _message(record, facts, around=around)
            return
        try:
            parts = list(kind.open(_FIELDS.decode(record)))
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            yield _message(record, facts, f"an envelope of {kind.name} that cannot be opened: {error}")
            return
        wraps = [*facts.get("wraps", ()), kind.name]
        for payload, said, *outside in parts:
            beside = (outside[0] or record) if outside else None
            known = facts | {name: value for name, value in said.items() if value is not None} | {"wraps": wraps}
            if depth >= _DEPTH:
                yield _message(payload, known, f"envelopes within envelopes, more than {_DEPTH} deep")
            elif isinstance(payload, msgspec.Raw):
                yield from self.open(payload, known, depth + 1, beside)
            else:
                yield from self._payload(bytes(payload), known, depth + 1, beside)

    def _payload(self, data: bytes, facts: Facts, depth: int, around: Slice | None) -> Iterator[Message]:
        """The records in a payload, which may be compressed; with something `around` it, text is a single record."""
        plain = decompress(data, self._room)
        if plain.data is not data:
            self._room -= len(plain.data)
        if plain.damage:
            yield _message(data, facts, plain.damage.reason)
            return
        if not is_utf8(plain.data):
            yield _message(data, facts, "neither text nor JSON: invalid UTF-8")
            return
        if top_fields(plain.data):
            yield from self.open(plain.data.strip(), facts, depth, around)
        elif _is_json(plain.data):
            yield from self._json(plain.data, facts, depth, around)
        else:
            for line in plain.data.splitlines() if around is None else [plain.data.rstrip(b"\r\n")]:
                if line.strip():
                    yield _message(line, facts, "a line with NUL bytes" if b"\0" in line else "", around)

    def _json(self, data: bytes, facts: Facts, depth: int, around: Slice | None) -> Iterator[Message]:
        """The records in JSON that may hold many; where it holds none but itself, that record."""
        found = self._split(data)
        if [*map(bytes, found.raws)] == [data]:
            yield _message(data, facts, around=around)
            return
        for raw in found.raws:
            yield from self.open(raw, facts, depth)
        for piece in found.bad:
            yield _message(piece.data, facts, piece.reason)


def _is_json(data: bytes) -> bool:
    """Whether to read text as JSON: a line may begin with a bracket, as in `[ERROR] no such file`."""
    begin = data.lstrip()[:1]
    if begin != b"[":
        return begin == b"{"
    try:
        return bool(_ARRAY.decode(data))
    except msgspec.DecodeError:
        return False


def _message(data: Slice, facts: Facts, fault: str = "", around: Slice | None = None) -> Message:
    return Message(data, msgspec.json.encode(facts).decode() if facts else None, fault, around)
