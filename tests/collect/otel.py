"""Bodies in, log records sent by the OpenTelemetry SDK."""

import time

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, SimpleLogRecordProcessor


def emit(exporter: LogRecordExporter, *bodies: str, **attributes: str) -> None:
    """Send each body as a record of its own, and wait for the answers."""
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    for body in bodies:
        provider.get_logger("shop").emit(
            LogRecord(
                timestamp=time.time_ns(),
                severity_number=SeverityNumber.WARN,
                severity_text="WARN",
                body=body,
                attributes=attributes,
            )
        )
    provider.shutdown()
