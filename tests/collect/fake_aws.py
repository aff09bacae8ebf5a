"""An AWS on loopback that says what a test wants, in the protocols that boto3 speaks, and keeps what it was asked.

For what the emulator has not: LookupEvents, findings of GuardDuty, late events, throttling, expired credentials, broken
connections, a clock of its own. Who asks (account) and where (region) is told from the signature.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest

OWNER = "111122223333"
"""The account of the credentials at hand."""
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
_STS = '<{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{0}Result>{1}</{0}Result></{0}Response>'
_REST = [
    ("GET", r"/detector", "ListDetectors"),
    ("POST", r"/detector/(?P<DetectorId>[^/]+)/findings", "ListFindings"),
    ("POST", r"/detector/(?P<DetectorId>[^/]+)/findings/get", "GetFindings"),
    ("POST", r"/findings", "GetFindings"),
    ("POST", r"/findings/import", "BatchImportFindings"),
]


class Fault(Exception):
    """An error of AWS."""

    def __init__(self, code: str, status: int = 400, message: str = "as the test wants") -> None:
        self.code, self.status, self.message = code, status, message
        super().__init__(code)


class Reset(Exception):
    """The connection breaks."""


@dataclass(frozen=True)
class Call:
    """A request: what was asked, by whom and where."""

    operation: str
    account: str
    region: str
    body: dict[str, Any]


Answer = Callable[[Call], dict[str, Any]]


@dataclass
class FakeAws:
    """`answers` by operation; `faults` are raised first, one a call; `ahead`: seconds by which its clock is ahead."""

    answers: dict[str, Answer] = field(default_factory=dict)
    faults: dict[str, list[Exception]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    ahead: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> float:
        """Seconds since 1970 by its clock."""
        return time.time() + self.ahead

    def count(self, operation: str) -> int:
        """How often this was asked."""
        return Counter(call.operation for call in self.calls)[operation]

    def answer(self, call: Call) -> dict[str, Any]:
        """What it says to a request."""
        with self.lock:
            self.calls.append(call)
            if self.faults.get(call.operation):
                raise self.faults[call.operation].pop(0)
        if call.operation not in self.answers:
            raise Fault("InvalidAction", message=f"the test has no answer to {call.operation}")
        return self.answers[call.operation](call)


@contextmanager
def fake_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    """A running one, to which the program's AWS clients are sent."""
    fake = FakeAws()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": fake}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
        "AWS_ACCESS_KEY_ID": f"AKIA{OWNER}",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    fake: FakeAws
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(datetime.fromtimestamp(self.fake.now(), UTC), usegmt=True)

    def do_GET(self) -> None:
        self._reply(b"")

    def do_POST(self) -> None:
        self._reply(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _reply(self, sent: bytes) -> None:
        found = _CREDENTIAL.search(self.headers.get("Authorization", ""))
        key, region, _ = found.groups() if found else ("", "", "")
        account = key[4:]
        try:
            if "x-www-form-urlencoded" in self.headers.get("Content-Type", ""):
                form = dict(parse_qsl(sent.decode()))
                self._send(200, "text/xml", self._sts(Call(form["Action"], account, region, form)).encode())
            else:
                said = self.fake.answer(self._json_call(sent, account, region))
                self._send(200, "application/x-amz-json-1.1", json.dumps(said, default=datetime.timestamp).encode())
        except Fault as fault:
            self._refuse(fault)
        except Reset:
            self.close_connection = True
            self.connection.close()
        except Exception as error:  # noqa: BLE001 a fault of the test must not look like a broken connection
            self._refuse(Fault("ValidationException", message=f"the test: {error!r}"))

    def _json_call(self, sent: bytes, account: str, region: str) -> Call:
        body = json.loads(sent or b"{}")
        if target := self.headers.get("X-Amz-Target"):
            return Call(target.rpartition(".")[2], account, region, body)
        path = unquote(self.path.partition("?")[0])
        for method, pattern, operation in _REST:
            if method == self.command and (match := re.fullmatch(pattern, path)):
                return Call(operation, account, region, body | match.groupdict())
        raise Fault("UnknownOperationException", 404)

    def _sts(self, call: Call) -> str:
        if call.operation not in self.fake.answers:
            self.fake.answers |= {"GetCallerIdentity": _identity, "AssumeRole": _assumed}
        said = self.fake.answer(call)
        return _STS.format(call.operation, said["xml"])

    def _refuse(self, fault: Fault) -> None:
        headers = {"x-amzn-errortype": fault.code, "x-amzn-query-error": f"{fault.code};Sender"}
        if "x-www-form-urlencoded" in self.headers.get("Content-Type", ""):
            text = f"<Code>{fault.code}</Code><Message>{fault.message}</Message>"
            body, kind = f"<ErrorResponse><Error>{text}</Error></ErrorResponse>".encode(), "text/xml"
        else:
            said = {"__type": fault.code, "message": fault.message}
            body, kind = json.dumps(said).encode(), "application/x-amz-json-1.1"
        self._send(fault.status, kind, body, headers)

    def _send(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _identity(call: Call) -> dict[str, Any]:
    return {"xml": f"<Account>{call.account}</Account><UserId>u</UserId><Arn>arn:aws:iam::{call.account}:root</Arn>"}


def _assumed(call: Call) -> dict[str, Any]:
    account = call.body["RoleArn"].split(":")[4]
    return {
        "xml": f"<Credentials><AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
        "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
    }


def paged(items: list[Any], call: Call, size: int, token: str) -> tuple[list[Any], dict[str, str]]:
    """A page of `items`, and the token of the next one."""
    start = int(call.body.get(token) or 0)
    more = {token: str(start + size)} if start + size < len(items) else {}
    return items[start : start + size], more


def iso(moment: float) -> str:
    """A time as AWS writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
