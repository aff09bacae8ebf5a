"""Each kind of envelope that came later: answers of AWS APIs, Kinesis aggregation, OTLP, and our receivers' spool."""

import gzip
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.normalize.events import LINE, event_json
from tests.normalize.test_envelopes import read, rows, text64, watch
from trailkeep.core.source import Source
from trailkeep.normalize.read import read_objects
from trailkeep.normalize.wraps import kpl

__all__ = ["read"]
A, B, FLOW = event_json(1), event_json(2), LINE.format(1)


def listed(message: str, **more: Any) -> dict[str, Any]:
    return {"timestamp": 1709294400000, "message": message, "ingestionTime": 1709294400001, **more}


def lookup(*texts: bytes) -> list[dict[str, str]]:
    return [{"EventId": "x", "EventName": "y", "CloudTrailEvent": text.decode()} for text in texts]


def lake_row(text: bytes) -> list[dict[str, str]]:
    return [{"eventID": "x"}, {"eventJson": text.decode()}]


def field(number: int, data: bytes) -> bytes:
    assert len(data) < 1 << 14
    return bytes([number << 3 | 2, len(data) & 0x7F | 0x80, len(data) >> 7]) + data


def aggregated(*records: bytes) -> bytes:
    inner = [b"\x08\x00\x10\x01" + field(3, data) + field(4, field(1, b"tag")) for data in records]
    message = field(1, b"partition") + b"".join(field(3, record) for record in inner)
    return b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message).digest()


def got(*payloads: bytes, **more: Any) -> bytes:
    records = [{"SequenceNumber": "7", "Data": text64(data), "PartitionKey": "p"} for data in payloads]
    return json.dumps({"Records": records, "NextShardIterator": "n", "MillisBehindLatest": 0, **more}).encode()


def otlp(*bodies: Any, resource: dict[str, str] | None = None) -> bytes:
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in (resource or {}).items()]
    logs = [{"timeUnixNano": "1709294400000000000", "body": body} for body in bodies]
    scopes = [{"scope": {"name": "s"}, "logRecords": logs}]
    return json.dumps({"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": scopes}]}).encode()


def spooled(record: bytes, protocol: str = "jsonl") -> bytes:
    head = {"protocol": protocol, "received": "2024-03-01T12:00:00Z", "sender": "s", "batch": "b"}
    return b'{"trailkeep":' + json.dumps(head).encode() + b',"record":' + record + b"}\n"


def as_text(data: bytes) -> bytes:
    return json.dumps(data.decode()).encode()


@pytest.mark.parametrize(
    ("data", "wraps", "found"),
    [
        (json.dumps(listed(A.decode())).encode() + b"\n", ["cloudwatch_logs"], [A]),
        (
            json.dumps({"events": [listed(A.decode()), listed(B.decode())], "searchedLogStreams": []}).encode(),
            ["cloudwatch_logs"],
            [A, B],
        ),
        (
            json.dumps({"nextForwardToken": "f", "events": [listed(A.decode())], "nextBackwardToken": "b"}).encode(),
            ["cloudwatch_logs"],
            [A],
        ),
        (
            json.dumps({"requestId": "r", "timestamp": 1, "records": [{"data": text64(A)}]}).encode(),
            ["firehose"],
            [A],
        ),
        (got(A, gzip.compress(B)), ["kinesis"], [A, B]),
        (got(aggregated(A, B), A), ["kinesis"], [A, B, A]),
        (got(gzip.compress(watch(A.decode()))), ["kinesis", "cloudwatch_logs"], [A]),
        (json.dumps({"Events": lookup(A, B), "NextToken": "n"}).encode(), ["cloudtrail_lookup"], [A, B]),
        (b"".join(json.dumps(one).encode() + b"\n" for one in lookup(A, B)), ["cloudtrail_lookup"], [A, B]),
        (
            json.dumps({"QueryStatus": "FINISHED", "QueryResultRows": [lake_row(A), lake_row(B)]}).encode(),
            ["cloudtrail_lake"],
            [A, B],
        ),
        (otlp({"stringValue": A.decode()}) + b"\n" + otlp({"stringValue": B.decode()}), ["otlp"], [A, B]),
        (spooled(A) + spooled(as_text(B)), ["trailkeep"], [A, B]),
        (spooled(otlp({"stringValue": A.decode()}), "otlp"), ["trailkeep", "otlp"], [A]),
        (spooled(b'{"event":' + A + b"}", "hec"), ["trailkeep", "splunk_hec"], [A]),
        (spooled(b'{"time":1,"event":' + as_text(A) + b"}", "hec"), ["trailkeep", "splunk_hec"], [A]),
        (
            spooled(json.dumps({"requestId": "r", "timestamp": 1, "records": [{"data": text64(A)}]}).encode()),
            ["trailkeep", "firehose"],
            [A],
        ),
    ],
)
def test_records(read: Any, data: bytes, wraps: list[str], found: list[bytes]) -> None:
    (records,) = read(data)
    assert (records.source, records.kind, records.bad, records.part) == ("aws_cloudtrail", "events", [], "")
    assert [(text, number) for text, number, _ in rows(records)] == [(text, n) for n, text in enumerate(found)]
    assert all(envelope["wraps"] == wraps for _, _, envelope in rows(records))


def test_what_they_say(read: Any) -> None:
    resource = {"cloud.account.id": "111122223333", "cloud.region": "eu-west-1", "host.name": "h", "service.name": "v"}
    (records,) = read(otlp({"stringValue": FLOW}, resource=resource | {"cloudwatch.log.group.name": "g"}))
    assert records.source == "aws_vpc_flow"
    said = {"account": "111122223333", "region": "eu-west-1", "host": "h", "service": "v", "log_group": "g"}
    assert rows(records)[0][2] == {**said, "time": 1709294400000, "wraps": ["otlp"]}
    hec = json.dumps({"event": FLOW, "host": "h", "sourcetype": "t", "fields": {"a": 1}}).encode()
    (records,) = read(spooled(hec, "hec"))
    said = {"protocol": "hec", "received": "2024-03-01T12:00:00Z", "sender": "s", "batch": "b", "host": "h"}
    assert rows(records)[0][2] == {**said, "sourcetype": "t", "fields": {"a": 1}, "wraps": ["trailkeep", "splunk_hec"]}


def test_the_event_around_what_no_source_knows(read: Any) -> None:
    (records,) = read(otlp({"stringValue": "x"}, {"kvlistValue": {"values": []}}, {"intValue": "5"}, {}))
    assert (records.source, records.count, records.bad) == ("otel_log", 4, [])
    around = json.loads(rows(records)[0][0])
    assert around["scope"] == {"name": "s"}
    assert around["logRecord"]["body"] == {"stringValue": "x"}
    (records,) = read(spooled(b'{"event":"x","index":"i"}', "hec"))
    assert (records.source, [text for text, *_ in rows(records)]) == ("splunk_hec", [b'{"event":"x","index":"i"}'])
    (records,) = read(json.dumps({"events": [listed("x"), listed("")], "nextToken": "t"}).encode())
    assert (records.source, records.count) == ("aws_cloudwatch_logs", 2)


def test_an_event_around_several_is_taken_once(read: Any) -> None:
    """An application that logs what it was called with: a list in a log event."""
    message = json.dumps({"Records": [{"a": 1}, {"a": 2}, json.loads(A)]})
    calls, other = sorted(read(watch(message, "x")), key=lambda records: records.source)
    assert (calls.source, calls.count, other.source, other.count) == ("aws_cloudtrail", 1, "aws_cloudwatch_logs", 2)
    assert calls.bad == other.bad == []


def test_lines_of_the_receivers(read: Any) -> None:
    (records,) = read(spooled(as_text(FLOW.encode()), "syslog") + spooled(b'"hello"', "syslog"))
    assert (records.source, records.count) == ("aws_vpc_flow", 1)
    assert [piece.reason for piece in records.bad] == ["not recognised: begins with 'hello'"]
    assert read(b'{"event":"x","host":"h"}')[0].kind == "unknown"  # not from our receiver


def test_what_is_wrapped_cannot_say_how_it_was_received(read: Any) -> None:
    (records,) = read(spooled(A) + spooled(spooled(B).strip()))
    assert [text for text, *_ in rows(records)] == [A]
    assert records.bad[0].data == spooled(B).strip()
    assert records.bad[0].reason == "not recognised: a JSON record with the fields record, trailkeep"


@pytest.mark.parametrize("damage", [lambda data: data[:-1] + b"?", lambda data: data[:9] + data[30:]])
def test_damaged_aggregated_records_are_kept(read: Any, damage: Any) -> None:
    data = damage(aggregated(A, B))
    with pytest.raises(ValueError, match="MD5"):
        kpl.records(data)
    (records,) = read(got(data, A))
    assert records.count == 1
    assert "an envelope of kinesis that cannot be opened: its aggregated records" in records.bad[0].reason
    assert text64(data).encode() in records.bad[0].data


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\x1a\x7fab", "ends within a field"),
        (b"\x1a\xff", "ends within a number"),
        (b"\x1f", "unknown wire type 7"),
    ],
)
def test_malformed_aggregated_records(message: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        kpl.records(b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message).digest())


@pytest.mark.parametrize("body", [{"stringValue": 5}, {"arrayValue": []}, {"intValue": "x"}, {"bytesValue": "?"}])
def test_malformed_otlp_is_kept(read: Any, body: Any) -> None:
    assert "an envelope of otlp that cannot be opened" in read(otlp(body))[0].reason


def test_a_message_with_line_ends_is_one_record(sources: Mapping[str, Source]) -> None:
    text = "<14>Nov 17 08:00:00 web-1 app[7]: first\n second\n third"
    line = json.dumps({"trailkeep": {"protocol": "syslog", "received": "2026-11-17T08:00:01Z"}, "record": text})
    (read,) = read_objects(f"{line}\n{line}\n".encode(), "spool", sources, limit=10**6)
    assert (read.source, read.count, read.bad) == ("syslog", 2, [])
    assert read.chunks[0].raw[0].as_py() == text


def test_a_saved_result_of_cloudtrail_lake(sources: Mapping[str, Source]) -> None:
    quoted = ['"' + event_json(n).decode().replace('"', '""') + '"' for n in (1, 2)]
    for head, cells in (("eventJson", quoted), ("eventid,eventjson", [f"e{n},{q}" for n, q in enumerate(quoted)])):
        data = "\n".join([head, *cells, ""]).encode()
        (found,) = read_objects(gzip.compress(data), "result_1.csv.gz", sources, limit=10**6)
        assert (found.source, found.bad) == ("aws_cloudtrail", [])
        assert [text for text, *_ in rows(found)] == [event_json(1), event_json(2)]
    (found,) = read_objects(b"eventJson\nnone\n", "result_2.csv", sources, limit=10**6)
    assert (found.kind, found.count) == ("unknown", 0)
