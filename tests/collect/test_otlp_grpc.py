"""OTLP over gRPC as its senders meet it: the SDK's exporter, a bare channel, TLS, limits, a full spool, the end."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from tests.aws import free_port
from tests.collect.otel import emit
from tests.collect.receiving import Rig, rig
from tests.collect.receiving_http import TOKEN, pki, running, token
from trailkeep.collect.otlp_grpc import OtlpGrpcReceiver

__all__ = ["token"]
pytestmark = pytest.mark.usefixtures("token")
EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@contextmanager
def receiver(on: Rig, **config: Any) -> Iterator[str]:
    """The address of a receiver at work."""
    address = f"127.0.0.1:{free_port()}"
    known = {"type": "otlp_grpc", "listen": address, "senders": {"web-1": {"tokens": [{"env": "WEB_1"}]}}}
    with running(on, OtlpGrpcReceiver.model_validate(known | config)):
        yield address


def request(*bodies: str) -> bytes:
    made = ExportLogsServiceRequest()
    scope = made.resource_logs.add().scope_logs.add()
    for body in bodies:
        scope.log_records.add(trace_id=b"\x5b" * 16, time_unix_nano=1_777_888_800_000_000_123).body.string_value = body
    return made.SerializeToString()


def export(channel: grpc.Channel, body: bytes, *more: tuple[str, str], token: str | None = TOKEN, **how: Any) -> bytes:
    metadata = [*more, *([] if token is None else [("authorization", f"Bearer {token}")])]
    return bytes(channel.unary_unary(EXPORT)(body, metadata=metadata, timeout=30, **how))


def refused(channel: grpc.Channel, body: bytes, token: str | None = TOKEN) -> tuple[grpc.StatusCode, Status]:
    with pytest.raises(grpc.RpcError) as error:
        export(channel, body, token=token)
    details = dict(error.value.trailing_metadata() or []).get("grpc-status-details-bin", b"")
    return error.value.code(), Status.FromString(details)


def test_a_request_is_spooled_and_repeats_are_not(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with receiver(on) as address, grpc.insecure_channel(address) as channel:
        for _ in range(2):
            answer = export(channel, request("x", "y"), ("idempotency-key", "k-1"), compression=grpc.Compression.Gzip)
            assert ExportLogsServiceResponse.FromString(answer) == ExportLogsServiceResponse()
        assert export(channel, request("z")) == b""
        assert export(channel, b"") == b""
        first, second = on.waiting(2)
    assert (first["trailkeep"]["sender"], first["trailkeep"]["batch"]) == ("web-1", "web-1/k-1")
    (log, _) = first["record"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert log == {"traceId": "5b" * 16, "timeUnixNano": "1777888800000000123", "body": {"stringValue": "x"}}
    assert second["record"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"] == {"stringValue": "z"}


def test_the_exporter_of_the_sdk_is_understood(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with receiver(on) as address:
        exporter = OTLPLogExporter(endpoint=address, insecure=True, headers=[("authorization", f"Bearer {TOKEN}")])
        emit(exporter, "order 17 failed", user="dora")
        (line,) = on.waiting(1)
    log = line["record"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert log["body"] == {"stringValue": "order 17 failed"} and log["severityNumber"] == 13
    assert {"key": "user", "value": {"stringValue": "dora"}} in log["attributes"]


def test_refusals_have_the_codes_of_the_specification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLOW", "HEC"):
        monkeypatch.setenv(name, name)
    senders = {
        "web-1": {"tokens": [{"env": "WEB_1"}], "max_mb": 0.01},
        "slow": {"tokens": [{"env": "SLOW"}], "requests_per_second": 0.001},
        "hec": {"tokens": [{"env": "HEC"}], "protocols": ["hec"]},
    }
    on = rig(tmp_path)
    with receiver(on, senders=senders, max_mb=1) as address, grpc.insecure_channel(address) as channel:
        code = grpc.StatusCode
        assert refused(channel, request("x"), token=None)[0] == code.UNAUTHENTICATED
        assert refused(channel, request("x"), token="wrong")[0] == code.UNAUTHENTICATED
        assert refused(channel, request("x"), token="HEC")[0] == code.PERMISSION_DENIED
        assert refused(channel, b"\xff\xff")[0] == code.INVALID_ARGUMENT
        assert refused(channel, request("x" * 20_000))[0] == code.INVALID_ARGUMENT
        export(channel, request("x"), token="SLOW")
        status, details = refused(channel, request("x"), token="SLOW")
        assert status == code.RESOURCE_EXHAUSTED and details.code == status.value[0]
        info = RetryInfo()
        assert details.details[0].Unpack(info) and 900 < info.retry_delay.seconds <= 1000
        assert "slow sends more than it may" in details.message
        assert on.context.health.refused == 6
        bomb = gzip.compress(request("x" * 50_000_000))
        assert len(bomb) < 1_000_000
        with pytest.raises(grpc.RpcError) as error:
            export(channel, request("x" * 50_000_000), compression=grpc.Compression.Gzip)
        assert error.value.code() == code.RESOURCE_EXHAUSTED
        export(channel, request("x"))


def test_a_full_spool_asks_to_come_again(tmp_path: Path) -> None:
    on = rig(tmp_path, spool_limit=1000)
    with receiver(on) as address, grpc.insecure_channel(address) as channel:
        export(channel, request("x" * 1000))
        status, details = refused(channel, request("y"))
        assert status == grpc.StatusCode.UNAVAILABLE
        info = RetryInfo()
        assert details.details[0].Unpack(info) and info.retry_delay.seconds == 5
        on.settle(on.take())
        export(channel, request("y"))


def test_mutual_tls_with_a_certificate_that_is_renewed(tmp_path: Path) -> None:
    keys = pki(tmp_path / "pki")
    tls = {"certificate": str(keys.server), "key": str(keys.server_key), "client_ca": str(keys.ca)}
    on = rig(tmp_path)
    with receiver(on, tls=tls) as address:
        target = address.replace("127.0.0.1", "localhost")

        def channel(ca: bytes, *mine: bytes) -> grpc.Channel:
            return grpc.secure_channel(target, grpc.ssl_channel_credentials(ca, *mine))

        mine = (keys.client_key.read_bytes(), keys.client.read_bytes())
        first_ca = keys.ca.read_bytes()
        with channel(first_ca, *mine) as known, channel(first_ca) as stranger:
            assert export(known, request("x")) == b""
            assert refused(stranger, request("x"))[0] == grpc.StatusCode.UNAVAILABLE
        renewed = pki(tmp_path / "pki")
        mine = (renewed.client_key.read_bytes(), renewed.client.read_bytes())
        with channel(renewed.ca.read_bytes(), *mine) as known:
            assert export(known, request("y")) == b""
        assert len(on.waiting(2)) == 2


def test_a_port_in_use_is_waited_for(tmp_path: Path) -> None:
    import socket
    import threading

    on = rig(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        config = OtlpGrpcReceiver.model_validate(
            {
                "type": "otlp_grpc",
                "listen": f"127.0.0.1:{other.getsockname()[1]}",
                "senders": {"web-1": {"tokens": [{"env": "WEB_1"}]}},
            }
        )
        thread = threading.Thread(target=config.run, args=(on.context,))
        thread.start()
        while on.context.health.condition != "waiting":
            threading.Event().wait(0.01)
        assert "cannot listen on" in on.context.health.reason
    while on.context.health.condition != "running":
        threading.Event().wait(0.01)
    on.context.stop.set()
    on.context.feed.close()
    thread.join(30)
    assert not thread.is_alive()
