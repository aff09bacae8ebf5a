"""OTLP for logs over gRPC in, records on disk and an answer out.

Source: OpenTelemetry Protocol Specification, OTLP/gRPC: UNAVAILABLE, and RESOURCE_EXHAUSTED with RetryInfo, tell a
sender to come again.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Literal

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from pydantic import Field

from trailkeep.collect.collector import Context
from trailkeep.collect.push.otlp import CODES, records_of, status_of
from trailkeep.collect.push.receiver import BUSY_SECONDS, ReceiverConfig, Tls
from trailkeep.collect.push.senders import Refused, Senders, token_of
from trailkeep.collect.push.wire import batch_id
from trailkeep.collect.spool import Origin, Spool, SpoolFull
from trailkeep.core.errors import UsageError

_SERVICE, _METHOD = "opentelemetry.proto.collector.logs.v1.LogsService", "Export"
_DETAILS = "grpc-status-details-bin"
_THREADS = 32  # requests that wait for the disk together
_STREAMS = 16  # requests of one connection at a time
_GRACE_SECONDS = 10
_STATUS = {status.value[0]: status for status in grpc.StatusCode}
_SUCCESS: bytes = ExportLogsServiceResponse().SerializeToString()


class OtlpGrpcReceiver(ReceiverConfig):
    """Logs pushed by OTLP over gRPC."""

    receives: ClassVar[bool] = True

    type: Literal["otlp_grpc"]
    listen: str = Field(default="127.0.0.1:4317", description="address and port")
    max_mb: float = Field(default=16, gt=0, le=1024, description="largest request, unpacked")

    def serve(self, context: Context, senders: Senders, spool: Spool) -> None:
        """Serve until `context.stop` is set."""
        handler = grpc.unary_unary_rpc_method_handler(_Export(context, senders, spool))  # bytes in, bytes out
        server = grpc.server(
            ThreadPoolExecutor(_THREADS, f"{context.name}-export"),
            handlers=[grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: handler})],
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", self.limit),
                ("grpc.max_concurrent_streams", _STREAMS),
            ],
        )
        try:
            if self.tls:
                server.add_secure_port(self.listen, _credentials(self.tls, context))
            else:
                server.add_insecure_port(self.listen)
        except RuntimeError as error:
            raise OSError(str(error)) from error
        server.start()
        context.went_well()
        context.health.running(f"listening on {self.listen}")
        context.stop.wait()
        server.stop(_GRACE_SECONDS).wait()


def _credentials(tls: Tls, context: Context) -> Any:
    """Credentials of a server that follow the files, for a certificate that is renewed."""
    last = tls.read()

    def fetch() -> Any:
        nonlocal last
        try:
            now = tls.read()
        except UsageError as error:  # half written; the old one goes on
            context.health.error(str(error))
            return None
        if now == last:
            return None
        last = now
        return _certificates(now)

    return grpc.dynamic_ssl_server_credentials(_certificates(last), fetch, tls.client_ca is not None)


def _certificates(read: tuple[bytes, bytes, bytes | None]) -> Any:
    key, certificate, ca = read
    return grpc.ssl_server_certificate_configuration([(key, certificate)], root_certificates=ca)


class _Export:
    """Takes the bytes of a request."""

    def __init__(self, context: Context, senders: Senders, spool: Spool) -> None:
        self._context = context
        self._senders = senders
        self._spool = spool

    def __call__(self, request: bytes, call: Any) -> bytes:
        headers = {name: value for name, value in call.invocation_metadata() if isinstance(value, str)}
        try:
            self._take(request, headers)
        except Refused as refused:
            self._context.health.refuse(f"otlp over gRPC from {call.peer()}: {refused.reason}")
            code = CODES[refused.fault]
            call.set_trailing_metadata(((_DETAILS, status_of(code, refused.reason, refused.retry_after)),))
            call.abort(_STATUS[code], refused.reason)
        return _SUCCESS

    def _take(self, request: bytes, headers: dict[str, str]) -> None:
        sender = self._senders.admit(token_of(headers), "otlp")
        if len(request) > sender.limit:
            raise Refused("large", f"the request is larger than {sender.limit:,} bytes")
        sender.charge(len(request))
        records = records_of(request)
        if not records:
            return
        batch = batch_id(sender.name, headers.get("idempotency-key"))
        try:
            self._spool.append(records, Origin("otlp", sender.name), batch).result()
        except SpoolFull as full:
            raise Refused("busy", str(full), BUSY_SECONDS) from full
