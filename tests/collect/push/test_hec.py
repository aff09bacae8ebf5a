"""HEC's events in all the ways they come, and its codes for all that is wrong with them."""

import json
from typing import Any

import pytest

from trailkeep.collect.push.hec import AckNumbers, HecAcks, HecEvents, HecRaw
from trailkeep.collect.push.senders import Refused
from trailkeep.collect.push.wire import Call, Wire

CHANNEL = {"x-splunk-request-channel": "5e000000-0000-4000-8000-000000000001"}
NUMBERS = AckNumbers(lambda: 1_777_888_800 * 10**9)


def events(body: bytes) -> list[Any]:
    return [json.loads(record) for record in HecEvents(NUMBERS).read(Call({}, {}, body)).records]


def code(wire: Wire, call: Call) -> dict[str, Any]:
    with pytest.raises(Refused) as refused:
        wire.read(call)
    answer = wire.refuse(refused.value, {})
    assert answer.status == 400
    told: dict[str, Any] = json.loads(answer.body)
    return told


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":"a"}{"event":{"b":1}}',
        b'{"event":"a"}\n\n{"event":{"b":1}}\n',
        b' {"event":"a"} \r\n {"event":\n {"b":1}} ',
        b'[{"event":"a"},{"event":{"b":1}}]',
    ],
)
def test_objects_stand_one_after_the_other(body: bytes) -> None:
    assert events(body) == [{"event": "a"}, {"event": {"b": 1}}]
    assert not [r for r in HecEvents(NUMBERS).read(Call({}, {}, body)).records if b"\n" in r]


@pytest.mark.parametrize(
    ("body", "wanted", "number"),
    [
        (b"", 5, None),
        (b" \n", 5, None),
        (b'{"event":', 6, None),
        (b'{"event":"\xff"}', 6, None),
        (b'{"event":"a"} 17', 6, 1),
        (b'{"event":"a"}{"time":1}', 12, 1),
        (b'{"event":""}', 13, 0),
        (b'{"event":null}', 13, 0),
        (b'{"event":"a","fields":[]}', 15, 0),
        (b'{"event":"a","fields":{"x":{"y":1}}}', 15, 0),
    ],
)
def test_what_is_wrong_has_its_code(body: bytes, wanted: int, number: int | None) -> None:
    told = code(HecEvents(NUMBERS), Call({}, {}, body))
    assert told["code"] == wanted and told["text"]
    assert told.get("invalid-event-number") == number


def test_raw_lines_take_what_the_query_says() -> None:
    query = {"host": "h", "sourcetype": "s", "channel": "c", "time": "1777888800"}
    taken = HecRaw(NUMBERS).read(Call({}, query, b"one \r\n\n{two}\n\xff"))
    known = {"time": "1777888800", "host": "h", "sourcetype": "s"}
    assert [json.loads(record) for record in taken.records] == [
        {"event": line, **known} for line in ("one ", "{two}", "\\xff")
    ]
    assert code(HecRaw(NUMBERS), Call({}, {}, b"\n"))["code"] == 5


def test_acknowledgements() -> None:
    numbers = AckNumbers(lambda: 1_777_888_800 * 10**9)
    given = []
    for _ in range(3):
        taken = HecEvents(numbers).read(Call(CHANNEL, {}, b'{"event":"a"}', acks=True))
        given.append(json.loads(taken.answer.body)["ackId"])
    assert given == sorted(set(given))
    asked = json.dumps({"acks": [*given, given[-1] + 1, 0, -1]}).encode()
    answer = HecAcks(numbers).read(Call({}, {"channel": next(iter(CHANNEL.values()))}, asked, acks=True))
    assert answer.records == []
    assert list(json.loads(answer.answer.body)["acks"].values()) == [True] * 3 + [False] * 3
    assert code(HecAcks(numbers), Call(CHANNEL, {}, asked))["code"] == 14
    assert code(HecAcks(numbers), Call(CHANNEL, {}, b"{}", acks=True))["code"] == 6
    for headers, wanted in (({}, 10), ({"x-splunk-request-channel": "x"}, 11)):
        assert code(HecEvents(numbers), Call(headers, {}, b'{"event":"a"}', acks=True))["code"] == wanted
        assert code(HecAcks(numbers), Call(headers, {}, asked, acks=True))["code"] == wanted
