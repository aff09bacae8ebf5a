"""Log records of OpenTelemetry as OTLP/JSON, of a request or as the collector writes them to files.

The event around a body is the log record with its resource and scope: `{"resource", "scope", "logRecord"}`.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from trailkeep.core.otlp import EMPTY, AnyValue, Attributes
from trailkeep.normalize.records import Slice
from trailkeep.normalize.wraps.kind import Facts, Fields, Kind, Part

_NONE = msgspec.Raw(b"null")
# Fact -> the attributes of a resource that tell it, as the semantic conventions name them.
_TOLD_BY = {
    "account": ("cloud.account.id",),
    "region": ("cloud.region",),
    "log_group": ("aws.log.group.names", "aws.log.group.name", "cloudwatch.log.group.name"),
    "log_stream": ("aws.log.stream.names", "aws.log.stream.name", "cloudwatch.log.stream"),
    "host": ("host.name",),
    "service": ("service.name",),
}


class _Scope(msgspec.Struct):
    scope: msgspec.Raw = _NONE
    logRecords: list[msgspec.Raw] = []


class _Resource(msgspec.Struct):
    resource: msgspec.Raw = _NONE
    scopeLogs: list[_Scope] = []


class _LogRecord(msgspec.Struct):
    body: AnyValue | None = None
    timeUnixNano: str | int = 0
    observedTimeUnixNano: str | int = 0


_RESOURCES = msgspec.json.Decoder(list[_Resource])
_ATTRIBUTES = msgspec.json.Decoder(Attributes | None)
_LOG_RECORD = msgspec.json.Decoder(_LogRecord)


def _logs(record: Slice, fields: Fields) -> Iterator[Part]:
    for one in _RESOURCES.decode(fields["resourceLogs"]):
        facts = _facts(one.resource)
        for scope in one.scopeLogs:
            head = b'{"resource":%b,"scope":%b,"logRecord":' % (bytes(one.resource), bytes(scope.scope))
            for raw in scope.logRecords:
                log = _LOG_RECORD.decode(raw)
                nanoseconds = int(log.timeUnixNano) or int(log.observedTimeUnixNano)
                said = facts | {"time": nanoseconds // 1_000_000} if nanoseconds else facts
                yield Part(_body(log.body or EMPTY), said, b"%b%b}" % (head, bytes(raw)))


def _facts(resource: msgspec.Raw) -> Facts:
    told = _ATTRIBUTES.decode(resource) or Attributes()
    values = {pair.key: _text(pair.value.plain()) for pair in told.attributes}
    found = {fact: next(filter(None, map(values.get, names)), None) for fact, names in _TOLD_BY.items()}
    return {fact: value for fact, value in found.items() if value}


def _text(value: Any) -> str:
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value or "")


def _body(body: AnyValue) -> msgspec.Raw | str | bytes:
    if body.stringValue is not None:
        return body.stringValue
    value = body.plain()
    return value or b"" if value is None or isinstance(value, bytes) else msgspec.Raw(msgspec.json.encode(value))


KINDS = (Kind("otlp", frozenset({"resourceLogs"}), _logs),)
