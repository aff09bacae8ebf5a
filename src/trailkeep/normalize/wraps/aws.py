"""Envelopes of AWS services and of their answers."""

from collections.abc import Iterator

import msgspec

from trailkeep.normalize.records import Slice
from trailkeep.normalize.wraps import kpl
from trailkeep.normalize.wraps.kind import (
    ARRAY,
    FIELDS,
    TEXT,
    Facts,
    Fields,
    Kind,
    Open,
    Part,
    content,
    facts_of,
    unpacked,
)

_ROWS = msgspec.json.Decoder(list[list[dict[str, str]]])
_LIST = msgspec.json.Decoder(list[Fields])


class _LogEvent(msgspec.Struct):
    message: str
    id: str | int | None = None
    eventId: str | None = None
    timestamp: int | None = None
    logStreamName: str | None = None
    logGroupIdentifier: str | None = None


_LOG_EVENT = msgspec.json.Decoder(_LogEvent)


def _eventbridge(record: Slice, fields: Fields) -> Iterator[Part]:
    facts = facts_of(fields, account="account", region="region", id="id", time="time", source="source")
    yield Part(fields["detail"], facts | facts_of(fields, detail_type="detail-type"), record)


def _cloudwatch_logs(record: Slice, fields: Fields) -> Iterator[Part]:
    if TEXT.decode(fields["messageType"]) != "DATA_MESSAGE":
        return  # a control message: the service asks whether it is heard
    facts = facts_of(fields, account="owner", log_group="logGroup", log_stream="logStream")
    for raw in ARRAY.decode(fields["logEvents"]):
        yield _log_event(raw, facts)


def _log_event(raw: Slice, facts: Facts) -> Part:
    event = _LOG_EVENT.decode(raw)
    said = {"id": event.id or event.eventId, "time": event.timestamp}
    said |= {"log_group": event.logGroupIdentifier, "log_stream": event.logStreamName}
    return Part(event.message, facts | {name: value for name, value in said.items() if value is not None}, raw)


def _listed_log_event(record: Slice, fields: Fields) -> Iterator[Part]:
    yield _log_event(record, {})


def _list_in(name: str) -> Open:
    def members(record: Slice, fields: Fields) -> Iterator[Part]:
        return map(Part, ARRAY.decode(fields[name]))

    return members


def _sns(record: Slice, fields: Fields) -> Iterator[Part]:
    facts = facts_of(fields, id="MessageId", time="Timestamp", topic="TopicArn")
    yield Part(TEXT.decode(fields["Message"]), facts)


def _sns_to_lambda(record: Slice, fields: Fields) -> Iterator[Part]:
    return _sns(record, FIELDS.decode(fields["Sns"]))


def _sqs(record: Slice, fields: Fields) -> Iterator[Part]:
    for message in _LIST.decode(fields["Messages"]):
        yield Part(TEXT.decode(message["Body"]), facts_of(message, id="MessageId"))


def _sqs_to_lambda(record: Slice, fields: Fields) -> Iterator[Part]:
    yield Part(TEXT.decode(fields["body"]), facts_of(fields, id="messageId", queue="eventSourceARN"))


def _kinesis_to_lambda(record: Slice, fields: Fields) -> Iterator[Part]:
    event = FIELDS.decode(fields["kinesis"])
    facts = facts_of(event, id="sequenceNumber", time="approximateArrivalTimestamp")
    facts |= facts_of(fields, stream="eventSourceARN")
    return (Part(data, facts) for data in kpl.records(unpacked(event["data"])))


def _kinesis(record: Slice, fields: Fields) -> Iterator[Part]:
    facts = facts_of(fields, id="SequenceNumber", time="ApproximateArrivalTimestamp")
    return (Part(data, facts) for data in kpl.records(unpacked(fields["Data"])))


def _firehose(record: Slice, fields: Fields) -> Iterator[Part]:
    facts = facts_of(fields, stream="deliveryStreamArn", request="requestId", time="timestamp")
    for one in _LIST.decode(fields["records"]):
        said = facts_of(one, id="recordId", time="approximateArrivalTimestamp")
        yield Part(unpacked(one["data"]), facts | said)


def _logs_to_lambda(record: Slice, fields: Fields) -> Iterator[Part]:
    yield Part(unpacked(FIELDS.decode(fields["awslogs"])["data"]))


def _lookup(record: Slice, fields: Fields) -> Iterator[Part]:
    yield Part(TEXT.decode(fields["CloudTrailEvent"]))  # the other fields repeat what is in it


def _lake(record: Slice, fields: Fields) -> Iterator[Part]:
    """Rows of a query of CloudTrail Lake, lists of objects of one column; that of eventJson has the event whole."""
    for row in _ROWS.decode(fields["QueryResultRows"]):
        columns = {name.lower(): text for column in row for name, text in column.items()}
        yield Part(columns["eventjson"])


def _lake_row(record: Slice, fields: Fields) -> Iterator[Part]:
    """A row of a saved result of CloudTrail Lake, which is a CSV file; other columns repeat what is in the event."""
    (name,) = {"eventJson", "eventjson"}.intersection(fields)
    yield Part(content(fields[name]))


def _kind(name: str, fields: str, open: Open, only: str | None = None) -> Kind:
    return Kind(name, frozenset(fields.split()), open, frozenset(only.split()) if only else None)


_ANSWER = "ResponseMetadata NextToken nextToken"
KINDS = (
    _kind("eventbridge", "detail-type detail", _eventbridge),
    _kind("cloudwatch_logs", "messageType logGroup logEvents", _cloudwatch_logs),
    _kind("cloudwatch_logs", "timestamp message ingestionTime", _listed_log_event),
    _kind("", "events", _list_in("events"), f"events searchedLogStreams nextForwardToken nextBackwardToken {_ANSWER}"),
    _kind("sns", "Type Message TopicArn", _sns),
    _kind("sns", "EventSource Sns", _sns_to_lambda),
    _kind("sqs", "Messages", _sqs, f"Messages {_ANSWER}"),
    _kind("sqs", "messageId body eventSource", _sqs_to_lambda),
    _kind("kinesis", "kinesis eventSource", _kinesis_to_lambda),
    _kind("kinesis", "SequenceNumber Data PartitionKey", _kinesis),
    _kind("", "Records MillisBehindLatest", _list_in("Records")),
    _kind("firehose", "deliveryStreamArn records", _firehose),
    _kind("firehose", "requestId timestamp records", _firehose, "requestId timestamp records"),
    _kind("lambda", "awslogs", _logs_to_lambda),
    _kind("cloudtrail_lookup", "EventId CloudTrailEvent", _lookup),
    _kind("cloudtrail_lake", "QueryResultRows", _lake),
    _kind("cloudtrail_lake", "eventJson", _lake_row),
    _kind("cloudtrail_lake", "eventjson", _lake_row),
    _kind("", "Events", _list_in("Events"), f"Events {_ANSWER}"),
)
