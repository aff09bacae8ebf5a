"""Real senders push, and what they sent stands in the lake, once."""

import json
import logging
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import zstandard
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from splunk_hec_handler import SplunkHecHandler

from tests.aws import aws_server, client, free_port
from tests.collect.otel import emit
from tests.conftest import Program
from tests.e2e.picture import picture
from tests.e2e.receivers import TOKEN, Service, event, firehose, hec, otlp
from trailkeep.lake.home import open_home
from trailkeep.lake.progress import collector_rows
from trailkeep.lake.tables import events_table

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    made.start()
    made.listening()
    yield made
    assert made.process
    if made.process.poll() is None:
        made.kill()


def stored(lake: Path) -> Counter[tuple[str, str]]:
    """(source, what tells an event from others) of all that is there."""
    found = picture(lake)
    assert not found.quarantine
    rows = events_table(open_home(lake)).scan(selected_fields=("source", "raw_data")).to_arrow().to_pylist()
    return Counter((row["source"], _text(row["source"], json.loads(row["raw_data"]))) for row in rows)


def _text(source: str, record: dict[str, object]) -> str:
    if source == "otel_log":
        return str(record["logRecord"]["body"]["stringValue"])  # type: ignore[index]
    return json.dumps(record["event"]) if source == "splunk_hec" else str(record["id"])


def test_senders_of_every_protocol(service: Service, trailkeep: Program) -> None:
    http = f"http://127.0.0.1:{service.http}"
    emit(HttpExporter(f"{http}/v1/logs", headers=BEARER, compression=Compression.Gzip), "by http 1", "by http 2")
    emit(
        GrpcExporter(f"127.0.0.1:{service.grpc}", insecure=True, headers=[("authorization", f"Bearer {TOKEN}")]),
        "by grpc",
    )

    handler = SplunkHecHandler("127.0.0.1", TOKEN, port=service.http, proto="http", sourcetype="shop")
    splunk = logging.Logger("splunk")
    splunk.addHandler(handler)
    splunk.warning({"order": 17})
    handler.r.close()

    curl = ["curl", "--silent", "--fail-with-body", "-H", f"Authorization: Splunk {TOKEN}"]
    two = '{"event": "one", "time": 1777888800}{"event": {"n": 2}, "time": 1777888800.5}'
    answer = subprocess.check_output([*curl, f"{http}/services/collector", "-d", two])
    assert json.loads(answer) == {"text": "Success", "code": 0}
    raw = f"{http}/services/collector/raw?host=vpn-2&sourcetype=acme&time=1777888801"
    subprocess.check_output([*curl, raw, "-d", "raw line"])
    answer = subprocess.check_output(
        ["curl", "-s", f"{http}/services/collector", "-H", "Authorization: Splunk no", "-d", two]
    )
    assert json.loads(answer) == {"text": "Invalid token", "code": 4}

    for _ in range(3):
        for build in (otlp, hec, firehose):
            assert service.send(*build(f"r-{build.__name__}", [f"again-{build.__name__}"]))[0] == 200
    line = json.dumps(event("jsonl-1"))
    subprocess.run(
        [*curl, "-H", "Content-Type: application/x-ndjson", "-H", "Content-Encoding: zstd", f"{http}/v1/ingest",
         "--data-binary", "@-"],
        input=zstandard.compress(line.encode()), check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    service.end()
    assert stored(service.lake) == Counter(
        {
            ("otel_log", "by http 1"): 1,
            ("otel_log", "by http 2"): 1,
            ("otel_log", "by grpc"): 1,
            ("otel_log", "again-otlp"): 1,
            ("splunk_hec", '{"log_level": "WARNING", "order": 17}'): 1,
            ("splunk_hec", '"one"'): 1,
            ("splunk_hec", '{"n": 2}'): 1,
            ("splunk_hec", '"raw line"'): 1,
            ("splunk_hec", '"again-hec"'): 1,
            ("aws_eventbridge", "again-firehose"): 1,
            ("aws_eventbridge", "jsonl-1"): 1,
        }
    )
    rows = {row["name"]: row for row in collector_rows(open_home(service.lake).state)}
    assert rows["push"]["refused"] == 1 and "hec from 127.0.0.1: the token is not known" in rows["push"]["last_error"]
    done = trailkeep(
        "sql", "SELECT count(*) AS n FROM splunk_hec WHERE host = 'vpn-2'", "--home", service.lake, "--format", "jsonl"
    )
    assert json.loads(done.out) == {"n": 1}


STRANGE = [
    b'{"a":1}',
    b'{"a":"\\u0000","a":"\\ud83d\\ude00"}',
    b'{"n":1e999,"m":-0,"k":123456789012345678901234567890}',
    b'{"event":' + b"[" * 400 + b"]" * 400 + b"}",
    b'{"resourceLogs":[17]}',
    b'{"resourceLogs":17,"records":[]}',
    b'{"Records":[[[1]]],"logEvents":"x"}',
    b'{"trailkeep":{"protocol":"hec","received":"2026-11-25T00:00:00Z","sender":"forged","batch":"f"},"record":"x"}',
    b'{"trailkeep":1,"record":2}',
    b'{"requestId":"r","timestamp":1,"records":[{"data":"no base64"}]}',
    b'{"Message":"{\\"Message\\":\\"x\\"}","Type":"Notification","TopicArn":"x","MessageId":"x"}',
    b'"{"',
    b'" "',
    b'"\\n{\\"a\\":1}"',
]


def test_strange_records_harm_no_others(service: Service) -> None:
    headers = BEARER | {"Content-Type": "application/x-ndjson"}
    for number, strange in enumerate(STRANGE):
        before, after = (json.dumps(event(f"{when}-{number}")).encode() for when in ("before", "after"))
        status, answer = service.send("/ingest", b"\n".join((before, strange, after)), headers)
        assert status == 200, (strange, answer)
    service.end(code=1)  # something was quarantined
    found = Counter(
        _text(row["source"], json.loads(row["raw_data"]))
        for row in events_table(open_home(service.lake))
        .scan(selected_fields=("source", "raw_data"))
        .to_arrow()
        .to_pylist()
        if row["source"] == "aws_eventbridge"
    )
    assert found == Counter(f"{when}-{number}" for number in range(len(STRANGE)) for when in ("before", "after"))
    assert sum(picture(service.lake).quarantine.values()) >= len(STRANGE)


def test_indexer_acknowledgement_outlives_a_kill(service: Service) -> None:
    headers = {"Authorization": "Splunk tok-acked", "X-Splunk-Request-Channel": "5e000000-0000-4000-8000-000000000001"}
    body = b'{"event":"acked","time":1777888800}'
    status, answer = service.send("/services/collector", body, {"Authorization": "Splunk tok-acked"})
    assert (status, json.loads(answer)["code"]) == (400, 10)
    status, answer = service.send("/services/collector", body, headers)
    number = json.loads(answer)["ackId"]
    service.kill()
    service.start()
    service.listening()
    asked = json.dumps({"acks": [number, 7, number + 10**9]}).encode()
    status, answer = service.send("/services/collector/ack", asked, headers)
    assert json.loads(answer) == {"acks": {str(number): True, "7": False, str(number + 10**9): False}}
    service.end()
    assert stored(service.lake) == Counter({("splunk_hec", '"acked"'): 1})


def test_firehose_of_an_emulator(service: Service) -> None:
    with aws_server() as endpoint:
        streams = client(endpoint, "firehose")
        where = {"Url": f"http://127.0.0.1:{service.http}/firehose", "Name": "trailkeep"}
        bucket = {"RoleARN": "arn:aws:iam::111122223333:role/firehose", "BucketARN": "arn:aws:s3:::backup"}
        streams.create_delivery_stream(
            DeliveryStreamName="logs",
            HttpEndpointDestinationConfiguration={"EndpointConfiguration": where, "S3Configuration": bucket},
        )
        records = [{"Data": json.dumps(event(name)).encode()} for name in ("from-moto-1", "from-moto-2")]
        streams.put_record_batch(DeliveryStreamName="logs", Records=records)
    service.end()
    assert stored(service.lake) == Counter(
        {("aws_eventbridge", "from-moto-1"): 1, ("aws_eventbridge", "from-moto-2"): 1}
    )


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_collector_between(service: Service, protocol: str) -> None:
    spec = find_spec("rotel")
    assert spec and spec.submodule_search_locations
    agent = Path(spec.submodule_search_locations[0]) / "rotel-agent"
    near = free_port()
    target = service.http if protocol == "http" else service.grpc
    options = {
        "otlp-http-endpoint": f"127.0.0.1:{near}",
        "otlp-grpc-endpoint": f"127.0.0.1:{free_port()}",
        "exporter": "otlp",
        "otlp-exporter-endpoint": f"http://127.0.0.1:{target}",
        "otlp-exporter-protocol": protocol,
        "otlp-exporter-custom-headers": f"authorization=Bearer {TOKEN}",
    }
    command = [agent, "start", *(word for name, value in options.items() for word in (f"--{name}", value))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", near)).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.05)
        emit(HttpExporter(f"http://127.0.0.1:{near}/v1/logs"), "through rotel")
    finally:
        process.terminate()
        process.wait(30)
    service.end()
    assert stored(service.lake) == Counter({("otel_log", "through rotel"): 1})
