"""A folder to work in, figures of the receivers out: events per second that senders hear are on disk.

The service runs as its users run it and commits beside receiving; senders are a process of their own that keeps some
connections open and sends the next request when the last is answered.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from bench.figures import Figure
from bench.measure import BenchError
from bench.runs import trailkeep
from trailkeep.lake.home import open_home
from trailkeep.lake.tables import events_table

REQUESTS, EVENTS, CONNECTIONS = 300, 200, 8
_TOKEN = "benchmark"
_CONFIG = """
collect:
  push:
    type: http
    listen: 127.0.0.1:{port}
    senders: {{bench: {{tokens: [{{env: BENCH_TOKEN}}]}}}}
"""
_PATHS = {
    "OTLP/HTTP": ("/v1/logs", "application/x-protobuf"),
    "HEC": ("/services/collector/event", "application/json"),
    "JSON lines": ("/v1/ingest", "application/x-ndjson"),
}


def receive(folder: Path, rounds: int) -> Iterator[Figure]:
    """The figures of each protocol. Raises BenchError where an event is not in the lake afterwards."""
    seconds: dict[str, list[float]] = {name: [] for name in _PATHS}
    for _ in range(rounds):
        home = folder / "receivers"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        with _service(home) as port:
            for name, measured in seconds.items():
                measured.append(_sent(port, name))
        stored, sent = events_table(open_home(home / "lake")).scan().count(), REQUESTS * EVENTS * len(_PATHS)
        shutil.rmtree(home)
        if stored != sent:
            raise BenchError(f"{sent:,} events were acknowledged and {stored:,} are in the lake")
    for name, measured in seconds.items():
        yield Figure(
            f"{name} received, acknowledged on disk",
            tuple(REQUESTS * EVENTS / each for each in measured),
            "events/s",
            note=f"{REQUESTS} requests of {EVENTS} events over {CONNECTIONS} connections, commits beside it",
        )


@contextlib.contextmanager
def _service(home: Path) -> Iterator[int]:
    """The port of a running service, which is ended in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (home / "trailkeep.yaml").write_text(_CONFIG.format(port=port))
    command = trailkeep("collect", "--config", home / "trailkeep.yaml", "--home", home / "lake")
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, "BENCH_TOKEN": _TOKEN}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        while not _listens(port):
            if process.poll() is not None:
                raise BenchError(f"the service does not start: {(home / 'output').read_text()[-2000:]}")
            time.sleep(0.05)
        yield port
        process.send_signal(signal.SIGTERM)
        if process.wait(120):
            raise BenchError(f"the service ended with {process.returncode}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError, HTTPException):
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    return False


def _sent(port: int, name: str) -> float:
    """Wall seconds from the first request to the last answer."""
    command = [sys.executable, "-m", "bench.receivers", str(port), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"the senders of {name} failed: {done.stderr[-2000:]}")
    return float(done.stdout)


def _body(name: str, number: int) -> bytes:
    """A request's body, unlike all others."""
    texts = [
        f"request {number} event {each}: order {each * 7919} paid by card from 203.0.113.9" for each in range(EVENTS)
    ]
    now = time.time()
    if name == "OTLP/HTTP":
        request = ExportLogsServiceRequest()
        scope = request.resource_logs.add().scope_logs.add()
        for text in texts:
            log = scope.log_records.add(time_unix_nano=int(now * 1e9), severity_number=9, severity_text="INFO")
            log.body.string_value = text
        return bytes(request.SerializeToString())
    if name == "HEC":
        return "".join(json.dumps({"event": text, "time": now, "host": "web-1"}) for text in texts).encode()
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    event: dict[str, object] = {
        "version": "0",
        "detail-type": "paid",
        "source": "shop",
        "account": "111122223333",
        "time": at,
    }
    event |= {"region": "eu-west-1", "resources": []}
    return "\n".join(
        json.dumps(event | {"id": f"{number}-{each}", "detail": {"text": text}}) for each, text in enumerate(texts)
    ).encode()


def _send(port: int, name: str) -> float:
    path, kind = _PATHS[name]
    bodies = [_body(name, number) for number in range(REQUESTS)]
    headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": kind}

    def share(first: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        for body in bodies[first::CONNECTIONS]:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise BenchError(f"{name} was answered with {answer.status}")
        connection.close()

    begun = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(share, range(CONNECTIONS)))
    return time.monotonic() - begun


if __name__ == "__main__":
    print(_send(int(sys.argv[1]), sys.argv[2]))
