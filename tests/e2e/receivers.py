"""`trailkeep collect` with receivers, as a process; senders of the protocols that come again until they are heard."""

import base64
import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from tests.aws import free_port
from tests.e2e.program import kill_group, start

TOKEN = "tok-1"
CONFIG = """
commit: {{seconds: {seconds}}}
collect:
  push: &receiver
    type: http
    listen: 127.0.0.1:{http}
    senders:
      shop: {{tokens: [{{file: {token}}}]}}
      near: {{anonymous: true, protocols: [firehose]}}
      acked: {{tokens: [{{file: {acked}}}], acks: true}}
  otlp:
    type: otlp_grpc
    listen: 127.0.0.1:{grpc}
    senders:
      shop: {{tokens: [{{file: {token}}}]}}
"""


class Service:
    """The program with its configuration in `folder`; it can be killed and started again."""

    def __init__(self, folder: Path, seconds: float = 0.3) -> None:
        self.lake = folder / "lake"
        self.http, self.grpc = free_port(), free_port()
        config = folder / "trailkeep.yaml"
        self.command = ("collect", "--config", config, "--home", self.lake)
        (folder / "token").write_text(TOKEN)
        (folder / "acked").write_text("tok-acked")
        config.write_text(
            CONFIG.format(
                seconds=seconds, http=self.http, grpc=self.grpc, token=folder / "token", acked=folder / "acked"
            )
        )
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the program; it listens some seconds later."""
        self.process = start(*self.command)

    def listening(self) -> None:
        """Wait until it listens."""
        assert self.process
        while True:
            with contextlib.suppress(OSError, HTTPException):
                if self.send("/healthz", b"", {}, method="GET")[0] == 200:
                    return
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)

    def kill(self) -> None:
        """End it without any warning."""
        assert self.process
        kill_group(self.process)

    def end(self, code: int = 0) -> str:
        """End it as a service is ended; gives what it said."""
        assert self.process
        self.process.terminate()
        out, err = self.process.communicate(timeout=60)
        assert "Traceback" not in err, err
        assert self.process.returncode == code, out + err
        return out + err

    def send(
        self, path: str, body: bytes, headers: dict[str, str], method: str = "POST", timeout: float = 20
    ) -> tuple[int, bytes]:
        """One request."""
        connection = HTTPConnection("127.0.0.1", self.http, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()


Build = Callable[[str, list[str]], tuple[str, bytes, dict[str, str]]]


def otlp(batch: str, texts: list[str]) -> tuple[str, bytes, dict[str, str]]:
    """A request of OTLP/JSON."""
    logs = [{"timeUnixNano": str(time.time_ns()), "body": {"stringValue": text}} for text in texts]
    body = {"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": logs}]}]}
    return "/v1/logs", json.dumps(body).encode(), _headers(batch) | {"Content-Type": "application/json"}


def hec(batch: str, texts: list[str]) -> tuple[str, bytes, dict[str, str]]:
    """A request to the HTTP Event Collector."""
    events = "".join(json.dumps({"event": text, "time": time.time()}) for text in texts)
    return "/services/collector/event", events.encode(), _headers(batch)


def event(name: str) -> dict[str, Any]:
    """An event of EventBridge."""
    return {
        "version": "0",
        "id": name,
        "detail-type": "t",
        "source": "shop",
        "account": "111122223333",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": "eu-west-1",
        "resources": [],
        "detail": {},
    }


def firehose(batch: str, texts: list[str]) -> tuple[str, bytes, dict[str, str]]:
    """A delivery of Firehose, of events of EventBridge."""
    records = [{"data": base64.b64encode(json.dumps(event(text)).encode()).decode()} for text in texts]
    body = {"requestId": batch, "timestamp": int(time.time() * 1000), "records": records}
    headers = {"X-Amz-Firehose-Request-Id": batch, "X-Amz-Firehose-Access-Key": TOKEN}
    return "/firehose", json.dumps(body).encode(), headers | {"Content-Type": "application/json"}


def _headers(batch: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": batch}


class Client(threading.Thread):
    """Sends batches one after the other, each again and again until it is acknowledged."""

    def __init__(self, service: Service, build: Build, per_batch: int = 3) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self.wrong: list[Any] = []
        self.repeats = 0
        self.finish = threading.Event()
        self._service = service
        self._build = build
        self._per_batch = per_batch

    def run(self) -> None:
        """Send until `finish` is set and the last batch is acknowledged."""
        for number in self._numbers():
            batch = f"{self._build.__name__}-{number}"
            texts = [f"{batch}-{each}" for each in range(self._per_batch)]
            request = self._build(batch, texts)
            while True:
                with contextlib.suppress(OSError, HTTPException):
                    status, answer = self._service.send(*request)
                    if status == 200:
                        break
                    if status != 503:
                        self.wrong.append((status, answer))
                        return
                self.repeats += 1
                time.sleep(0.03)
            self.acknowledged += texts

    def _numbers(self) -> Iterator[int]:
        number = 0
        while not self.finish.is_set():
            yield number
            number += 1
