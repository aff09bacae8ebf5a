"""OTLP requests become OTLP/JSON, whatever is in them; what is no log record is rejected alone."""

import json
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from trailkeep.collect.push.otlp import JSON, PROTOBUF, Otlp, records_of, status_of
from trailkeep.collect.push.senders import Refused
from trailkeep.collect.push.wire import Call, Taken


def read(body: bytes, kind: str = JSON) -> Taken:
    return Otlp().read(Call({"content-type": kind}, {}, body))


def _array(values: list[AnyValue]) -> AnyValue:
    made = AnyValue()
    made.array_value.values.extend(values)
    return made


def _pairs(values: dict[str, AnyValue]) -> AnyValue:
    made = AnyValue()
    made.kvlist_value.SetInParent()
    for key, value in values.items():
        made.kvlist_value.values.add(key=key, value=value)
    return made


VALUES = st.recursive(
    st.one_of(
        st.builds(AnyValue, string_value=st.text(st.characters(codec="utf-8"))),
        st.builds(AnyValue, bool_value=st.booleans()),
        st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
        st.builds(AnyValue, double_value=st.floats()),
        st.builds(AnyValue, bytes_value=st.binary(max_size=20)),
        st.just(AnyValue()),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(_array),
        st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3).map(_pairs),
    ),
    max_leaves=5,
)
LOGS = st.builds(
    LogRecord,
    time_unix_nano=st.integers(0, 2**64 - 1),
    severity_number=st.integers(0, 24),
    body=VALUES,
    flags=st.integers(0, 2**32 - 1),
    event_name=st.text(st.characters(codec="utf-8"), max_size=5),
)


@given(st.lists(LOGS, max_size=3))
def test_protobuf_becomes_what_googles_mapping_makes_of_it(logs: list[LogRecord]) -> None:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add(schema_url="s")
    resource.resource.attributes.add(key="host.name").value.string_value = "h"
    resource.scope_logs.add().log_records.extend(logs)
    (record,) = records_of(request.SerializeToString())
    assert b"\n" not in record
    assert json.loads(record) == json_format.MessageToDict(request, use_integers_for_enums=True)
    # And it is accepted as JSON, too.
    again = read(record)
    assert again.records == [record] and json.loads(again.answer.body) == {}


def test_ids_are_in_hex() -> None:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(trace_id=b"\x01" * 16, span_id=b"\xff" * 8)
    (record,) = records_of(request.SerializeToString())
    (log,) = json.loads(record)["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert log == {"traceId": "01" * 16, "spanId": "ff" * 8}


def test_each_resource_is_a_record() -> None:
    request = ExportLogsServiceRequest()
    for _ in range(3):
        request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "x"
    assert len(read(request.SerializeToString(), PROTOBUF).records) == 3
    assert len(read(json_format.MessageToJson(request).encode()).records) == 3
    assert read(b"", PROTOBUF).records == read(b"{}").records == []


def logs(*records: Any) -> bytes:
    return json.dumps({"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": records}]}]}, indent=1).encode()


@pytest.mark.parametrize(
    "wrong",
    [
        17,
        {"body": "text"},
        {"body": {"bytesValue": "no base64"}},
        {"body": {"intValue": "x"}},
        {"timeUnixNano": "yesterday"},
        {"attributes": [17]},
    ],
)
def test_what_is_no_log_record_is_rejected_alone(wrong: object) -> None:
    good = {"body": {"stringValue": "x"}, "newer": [1]}
    taken = read(logs(wrong, good, wrong))
    (record,) = taken.records
    assert json.loads(record)["resourceLogs"][0]["scopeLogs"][0]["logRecords"] == [good]
    partial = json.loads(taken.answer.body)["partialSuccess"]
    assert taken.answer.status == 200 and partial["rejectedLogRecords"] == "2" and partial["errorMessage"]
    assert read(logs(wrong)).records == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xff", PROTOBUF),
        (b"[]", JSON),
        (b'{"resource_logs":[]}', JSON),
        (b'{"resourceLogs":[17]}', JSON),
        (b'{"resourceLogs":[{"scopeLogs":[17]}]}', JSON),
        (b'{"resourceLogs":', JSON),
        (b'{"resourceLogs":[{"x":"\xff"}]}', JSON),
        (b"{}", "text/plain"),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(Refused):
        read(body, kind)


def test_a_refusal_is_a_status_in_the_encoding_of_the_request() -> None:
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    refused = Refused("rate", "too much", 7)
    answer = Otlp().refuse(refused, {"content-type": PROTOBUF})
    assert (answer.status, answer.type) == (429, PROTOBUF)
    assert Status.FromString(answer.body) == Status(code=8, message="too much")
    assert json.loads(Otlp().refuse(refused, {}).body) == {"code": 8, "message": "too much"}
    status = Status.FromString(status_of(14, "ü" * 200, 300))
    info = RetryInfo()
    assert status.message == "ü" * 200 and status.details[0].Unpack(info) and info.retry_delay.seconds == 300
