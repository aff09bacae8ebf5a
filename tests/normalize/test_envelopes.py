"""Records in the wraps they are delivered in: what is read, of which source, with what the wraps say of it."""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.normalize.events import LINE, event, event_json
from trailkeep.core.errors import InputError
from trailkeep.core.source import Source
from trailkeep.normalize.read import ObjectRecords, read_objects

A, B, FLOW = event_json(1), event_json(2), LINE.format(1)


def bridge(detail: bytes, number: int = 1) -> bytes:
    head = {"version": "0", "id": f"e{number}", "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2"}
    text = json.dumps(head | {"account": "111122223333", "time": "2024-03-01T12:00:00Z", "region": "eu-west-1"})
    return text[:-1].encode() + b', "resources": [], "detail": ' + detail + b"}"


def watch(*messages: str, kind: str = "DATA_MESSAGE") -> bytes:
    events = [{"id": str(n), "timestamp": 1709294400000 + n, "message": text} for n, text in enumerate(messages)]
    head = {"messageType": kind, "owner": "111122223333", "logGroup": "g", "logStream": "s"}
    return json.dumps(head | {"subscriptionFilters": ["f"], "logEvents": events}).encode()


def text64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sns(message: bytes) -> bytes:
    fields = {"Type": "Notification", "MessageId": "n", "TopicArn": "arn:t", "Message": message.decode()}
    return json.dumps(fields).encode()


def kinesis(*payloads: bytes) -> bytes:
    records = [
        {
            "kinesis": {"data": text64(data), "sequenceNumber": "7"},
            "eventSource": "aws:kinesis",
            "eventSourceARN": "arn:k",
        }
        for data in payloads
    ]
    return json.dumps({"Records": records}).encode()


def firehose(*payloads: bytes) -> bytes:
    records = [{"recordId": str(n), "data": text64(data)} for n, data in enumerate(payloads)]
    return json.dumps({"deliveryStreamArn": "arn:f", "records": records}).encode()


def lambda_sqs(body: bytes) -> bytes:
    return json.dumps({"Records": [{"messageId": "q", "body": body.decode(), "eventSource": "aws:sqs"}]}).encode()


def polled(*bodies: bytes) -> bytes:
    return json.dumps({"Messages": [{"MessageId": "q", "Body": body.decode()} for body in bodies]}).encode()


@pytest.fixture
def read(sources: Mapping[str, Source]) -> Any:
    return lambda data, limit=10**7: read_objects(data, "file", sources, limit=limit)


def rows(records: ObjectRecords) -> list[tuple[bytes, int, Any]]:
    return [
        (text.encode(), number, json.loads(envelope))
        for chunk in records.chunks
        for text, number, envelope in zip(
            chunk.raw.to_pylist(), chunk.numbers.to_pylist(), (chunk.envelopes or []).to_pylist(), strict=True
        )
    ]


@pytest.mark.parametrize(
    ("data", "wraps", "found"),
    [
        (bridge(A), ["eventbridge"], [A]),
        (bridge(A) + bridge(B, 2), ["eventbridge"], [A, B]),
        (gzip.compress(bridge(A) + b"\n" + bridge(B, 2)), ["eventbridge"], [A, B]),
        (sns(A), ["sns"], [A]),
        (sns(b'{"Records":[' + A + b"," + B + b"]}"), ["sns"], [A, B]),
        (polled(A, B), ["sqs"], [A, B]),
        (lambda_sqs(sns(bridge(A))), ["sqs", "sns", "eventbridge"], [A]),
        (polled(bridge(A)), ["sqs", "eventbridge"], [A]),
        (watch(A.decode(), B.decode()), ["cloudwatch_logs"], [A, B]),
        (gzip.compress(watch(A.decode())) + gzip.compress(watch(B.decode())), ["cloudwatch_logs"], [A, B]),
        (kinesis(gzip.compress(watch(A.decode()))), ["kinesis", "cloudwatch_logs"], [A]),
        (kinesis(A + B, A + b"\n" + B), ["kinesis"], [A, B, A, B]),
        (firehose(A, B), ["firehose"], [A, B]),
        (
            json.dumps({"awslogs": {"data": text64(gzip.compress(watch(A.decode())))}}).encode(),
            ["lambda", "cloudwatch_logs"],
            [A],
        ),
    ],
)
def test_json_records(read: Any, data: bytes, wraps: list[str], found: list[bytes]) -> None:
    (records,) = read(data)
    assert (records.source, records.kind, records.bad, records.part) == ("aws_cloudtrail", "events", [], "")
    assert [(text, number) for text, number, _ in rows(records)] == [(text, n) for n, text in enumerate(found)]
    assert all(envelope["wraps"] == wraps for _, _, envelope in rows(records))


def test_what_the_envelopes_say(read: Any) -> None:
    (records,) = read(bridge(A))
    said = {"account": "111122223333", "region": "eu-west-1", "id": "e1", "time": "2024-03-01T12:00:00Z"}
    assert said.items() <= rows(records)[0][2].items()
    (records,) = read(kinesis(gzip.compress(watch(FLOW, FLOW))))
    assert rows(records)[1][2] == {
        **{"account": "111122223333", "log_group": "g", "log_stream": "s", "id": "1", "time": 1709294400001},
        **{"stream": "arn:k", "wraps": ["kinesis", "cloudwatch_logs"]},
    }


def test_lines(read: Any) -> None:
    for data in (watch(FLOW, FLOW + "\n"), kinesis(f"{FLOW}\n{FLOW}\n".encode())):
        (records,) = read(data)
        assert (records.source, records.count, records.bad) == ("aws_vpc_flow", 2, [])
        assert records.chunks[0].raw_format.startswith("version account-id")


def test_lines_of_a_transit_gateway(read: Any) -> None:
    line = f"6 TransitGateway 111122223333 tgw-0a1b tgw-attach-0a1b {'- ' * 18}170 171 NODATA IPv4{' -' * 9}"
    (records,) = read(watch(line))
    assert (records.source, records.count, records.bad) == ("aws_tgw_flow", 1, [])
    assert records.chunks[0].raw_format.startswith("version resource-type")


def test_a_control_message_holds_no_records(read: Any) -> None:
    (records,) = read(watch("checking", kind="CONTROL_MESSAGE"))
    assert (records.kind, records.reason) == ("empty", "holds no records")


def test_several_sources_are_several_objects(read: Any) -> None:
    data = watch(FLOW, A.decode(), "hello", FLOW)
    flows, calls, other = read(data)
    assert (flows.source, flows.part, [n for _, n, _ in rows(flows)]) == ("aws_vpc_flow", "#aws_vpc_flow", [0, 3])
    assert (calls.source, calls.part, [n for _, n, _ in rows(calls)]) == ("aws_cloudtrail", "#aws_cloudtrail", [1])
    assert (other.source, [n for _, n, _ in rows(other)]) == ("aws_cloudwatch_logs", [2])
    assert len({flows.sha256, calls.sha256, other.sha256}) == 3
    assert [r.sha256 for r in read(gzip.compress(data))] == [flows.sha256, calls.sha256, other.sha256]


def test_what_no_source_knows_is_kept(read: Any) -> None:
    (records,) = read(polled(A, b"hello", b'{"a": 1}'))
    assert records.count == 1
    assert [(piece.record_no, piece.reason, piece.data) for piece in records.bad] == [
        (1, "not recognised: begins with 'hello'", b"hello"),
        (2, "not recognised: a JSON record with the fields a", b'{"a": 1}'),
    ]
    assert json.loads(records.bad[0].envelope) == {"id": "q", "wraps": ["sqs"]}


def test_what_cannot_be_opened_is_kept(read: Any) -> None:
    broken = kinesis(A, b"").replace(b'"data": ""', b'"data": "?"')
    (records,) = read(broken)
    assert records.count == 1
    assert "an envelope of kinesis that cannot be opened" in records.bad[0].reason
    assert json.loads(records.bad[0].data)["kinesis"]["data"] == "?"
    assert records.bad[0].position == broken.index(b'{"kinesis"', 20)
    (records,) = read(firehose(A, gzip.compress(B)[:-9]))
    assert records.count == 1
    assert "truncated" in records.bad[0].reason


def test_bombs_and_endless_wraps(read: Any) -> None:
    data = firehose(*[gzip.compress(bytes(10**6))] * 3)
    with pytest.raises(InputError, match="decompresses to more than"):
        read(data, 2 * 10**6)
    endless = A
    for _ in range(12):
        endless = sns(endless)
    assert "more than 8 deep" in read(endless)[0].reason
    assert event(1)["eventName"]
