"""A proxy before an AWS endpoint that throttles, breaks connections, delays and repeats, as its owner says."""

import http.client
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SLOW_DOWN = (
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


@dataclass
class Faults:
    """How often what goes wrong, between 0 and 1; and what hears of every message and its deletion."""

    rng: random.Random
    throttled: float = 0
    broken: float = 0
    reset: float = 0
    received: Callable[[str, str], None] = lambda receipt, body: None
    deleted: Callable[[str], None] = lambda receipt: None
    counts: dict[str, int] = field(default_factory=dict)
    defects: list[str] = field(default_factory=list)
    """Exceptions of those who hear."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def happens(self, name: str) -> bool:
        """Whether the fault happens this time."""
        with self.lock:
            hit = self.rng.random() < getattr(self, name)
            self.counts[name] = self.counts.get(name, 0) + hit
            return hit


@contextmanager
def faulty(endpoint: str, faults: Faults) -> Iterator[str]:
    """A running proxy before `endpoint`; gives its own."""
    target = urlsplit(endpoint).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            action = (self.headers.get("X-Amz-Target") or "").rpartition(".")[2]
            if action == "DeleteMessage":
                self.tell(faults.deleted, json.loads(body)["ReceiptHandle"])
            fetched = self.command == "GET"
            if fetched and faults.happens("reset"):
                self.close_connection = True
                return
            if fetched and faults.happens("throttled"):
                self.answer(503, {"Content-Type": "application/xml"}, SLOW_DOWN)
                return
            status, headers, answer = self.forward(body)
            if action == "ReceiveMessage" and status == 200:
                for message in json.loads(answer).get("Messages", []):
                    self.tell(faults.received, message["ReceiptHandle"], message["Body"])
            cut = fetched and len(answer) > 100 and faults.happens("broken")
            self.answer(status, headers, answer, len(answer) // 2 if cut else None)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

        def tell(self, listener: Callable[..., None], *what: str) -> None:
            try:
                listener(*what)
            except Exception as error:  # noqa: BLE001 the test looks at them
                faults.defects.append(f"{type(error).__name__}: {error}")

        def forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection(target, timeout=60)
            try:
                kept = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                connection.request(self.command, self.path, body, kept)
                answer = connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            finally:
                connection.close()

        def answer(self, status: int, headers: dict[str, str], body: bytes, cut: int | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                    self.send_header(name, value)
            length = headers.get("Content-Length", str(len(body))) if self.command == "HEAD" else str(len(body))
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[:cut])
            self.close_connection = cut is not None

        def log_message(self, format: str, *args: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            return  # a client that was killed

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
