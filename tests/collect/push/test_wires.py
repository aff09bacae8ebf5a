"""Firehose's and our own protocol, packed bodies, and the clock of the limits."""

import json
from typing import Any

import pytest

from trailkeep.collect.push.firehose import Firehose
from trailkeep.collect.push.jsonl import JsonLines
from trailkeep.collect.push.senders import Refused, Sender, Senders
from trailkeep.collect.push.wire import Call, batch_id
from trailkeep.core.secret import Secret

BODY = b'{"requestId":"r-1",\n"timestamp":1777888800000,"records":[{"data":"eHg="}]}'
ARN = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/logs"


def lines(body: bytes, kind: str) -> list[Any]:
    return [json.loads(record) for record in JsonLines().read(Call({"content-type": kind}, {}, body)).records]


def test_a_delivery_of_firehose_is_one_record_with_its_stream() -> None:
    made = Firehose(lambda: 1_777_888_801.5)
    taken = made.read(Call({}, {}, BODY))
    assert taken.batch == "r-1" and taken.records == [BODY.replace(b"\n", b"")]
    assert json.loads(taken.answer.body) == {"requestId": "r-1", "timestamp": 1_777_888_801_500}
    headers = {"x-amz-firehose-request-id": "r-1", "x-amz-firehose-source-arn": ARN}
    (record,) = made.read(Call(headers, {}, BODY)).records
    assert json.loads(record) == {"deliveryStreamArn": ARN, **json.loads(BODY)}
    assert made.read(Call({}, {}, b'{"requestId":"r-2","timestamp":1,"records":[]}')).records == []


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", BODY[:-1], BODY.replace(b"eHg=", b"\xff"), BODY.replace(b'"eHg="', b"1")]
)
def test_a_wrong_delivery_is_refused_in_firehoses_words(body: bytes) -> None:
    made = Firehose(lambda: 1.0)
    with pytest.raises(Refused) as refused:
        made.read(Call({}, {}, body))
    answer = made.refuse(refused.value, {"x-amz-firehose-request-id": "r-1"})
    told = json.loads(answer.body)
    assert answer.status == 400 and told.pop("errorMessage") and told == {"requestId": "r-1", "timestamp": 1000}
    with pytest.raises(Refused, match="not the body's"):
        made.read(Call({"x-amz-firehose-request-id": "other"}, {}, BODY))


def test_json_and_text_in_lines() -> None:
    assert lines(b'{"a":1}\r\n"text"\n{"b":\n2}', "application/x-ndjson; charset=utf-8") == [{"a": 1}, "text", {"b": 2}]
    assert lines(b'[{"a":1},{"b":2}]', "application/json") == [{"a": 1}, {"b": 2}]
    assert lines(b'{"a":[1]}', "application/json") == [{"a": [1]}]
    assert lines(b'one\r\n\n {"two"\n\xff', "text/plain") == ["one", ' {"two"', "\\xff"]
    assert lines(b"", "application/x-ndjson") == lines(b"\n", "text/plain") == []
    with pytest.raises(Refused, match="record 2 is neither"):
        lines(b'{"a":1}\n[{"b":2}]', "application/x-ndjson")


def test_ids_of_batches_are_the_senders_own() -> None:
    assert batch_id("a", None) is batch_id("a", "") is None
    assert batch_id("a", "b/c") == "a/b/c"
    with pytest.raises(Refused, match="longer than 200"):
        batch_id("a", "x" * 201)


def test_rates_refill_with_time() -> None:
    now = [0.0]
    sender = Sender(tokens=[Secret(env="X")], requests_per_second=2, megabytes_per_second=1)
    senders = Senders({"a": sender}, lambda secret: "t", 1000, lambda: now[0])
    for _ in range(2):
        senders.admit("t", "hec")
    with pytest.raises(Refused) as refused:
        senders.admit("t", "hec")
    assert (refused.value.fault, refused.value.retry_after) == ("rate", 1)
    now[0] += 0.5
    senders.admit("t", "hec").charge(5_000_000)  # large, and paid for afterwards
    now[0] += 3.9
    with pytest.raises(Refused):
        senders.admit("t", "hec")
    now[0] += 0.2
    senders.admit("t", "hec")
    now[0] += 3600
    for _ in range(2):
        senders.admit("t", "hec")
    with pytest.raises(Refused):
        senders.admit("t", "hec")


def test_tokens_can_be_replaced_in_turn() -> None:
    senders = {"a": Sender(tokens=[Secret(env="OLD"), Secret(env="NEW")]), "b": Sender(tokens=[Secret(env="B")])}
    known = Senders(senders, lambda secret: str(secret.env), 1000)
    assert [known.admit(token, "jsonl").name for token in ("OLD", "NEW", "B")] == ["a", "a", "b"]
    for wrong in ("", "old", "OLD "):
        with pytest.raises(Refused, match="not known"):
            known.admit(wrong, "jsonl")
