"""A receiver over HTTP as its senders meet it: taken and refused, limits, repeats, TLS, a full spool, the end."""

import gzip
import json
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import zstandard
from pydantic import ValidationError

from tests.collect.receiving import rig
from tests.collect.receiving_http import JSON, TOKEN, Peer, http, pki, running, token
from trailkeep.collect import spool as spool_module
from trailkeep.collect.http import HttpReceiver
from trailkeep.collect.push import receiver as receiver_module

__all__ = ["token"]
pytestmark = pytest.mark.usefixtures("token")

NDJSON = {"Content-Type": "application/x-ndjson"}
TWO = b'{"n":1}\n{"n":2}\n'
EVENT = b'{"event":"x"}'
FIREHOSE = b'{"requestId":"r-1","timestamp":1,"records":[{"data":"eHg="}]}'
OTLP = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}'
WAYS = [
    ("/v1/logs", JSON, OTLP),
    ("/services/collector/event", {}, EVENT),
    ("/services/collector/raw", {}, b"x"),
    ("/firehose", JSON, FIREHOSE),
    ("/ingest", NDJSON, TWO),
]


def test_each_protocol_is_spooled_under_its_name_and_that_of_the_sender(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with http(on) as peer:
        for path, headers, body in WAYS:
            assert peer.send(path, body, headers).status == 200
        found = on.waiting(6)
    said = [(line["trailkeep"]["protocol"], line["record"]) for line in found]
    assert said == [
        ("otlp", json.loads(OTLP)),
        ("hec", {"event": "x"}),
        ("hec", {"event": "x"}),
        ("firehose", json.loads(FIREHOSE)),
        ("jsonl", {"n": 1}),
        ("jsonl", {"n": 2}),
    ]
    assert {line["trailkeep"]["sender"] for line in found} == {"web-1"}
    assert found[3]["trailkeep"]["batch"] == "web-1/r-1"


@pytest.mark.parametrize(("path", "headers", "body"), WAYS)
@pytest.mark.parametrize("given", [None, "wrong", "Digest x"])
def test_who_is_not_known_is_refused_and_counted(
    tmp_path: Path, path: str, headers: dict[str, str], body: bytes, given: str | None
) -> None:
    on = rig(tmp_path)
    with http(on) as peer:
        more = {"Authorization": given} if given and " " in given else {}
        answer = peer.send(path, body, headers | more, token=given)
        hec_403 = path.startswith("/services") and given == "wrong"
        assert answer.status == (403 if hec_403 else 401), answer
        assert on.context.health.refused == 1 and on.context.health.last_error
        assert "127.0.0.1: " in on.context.health.last_error
        assert peer.send(path, body, headers).status == 200
        assert on.context.health.refused == 1


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"Splunk {TOKEN}", f"splunk  {TOKEN}", "Basic", "key"])
def test_tokens_come_in_many_ways(tmp_path: Path, authorization: str) -> None:
    from base64 import b64encode

    headers = {"Authorization": authorization}
    if authorization == "Basic":
        headers = {"Authorization": f"Basic {b64encode(f'x:{TOKEN}'.encode()).decode()}"}
    if authorization == "key":
        headers = {"X-Amz-Firehose-Access-Key": TOKEN}
    with http(rig(tmp_path)) as peer:
        assert peer.send("/ingest", TWO, NDJSON | headers, token=None).status == 200


def test_a_token_in_the_query_is_none(tmp_path: Path) -> None:
    with http(rig(tmp_path)) as peer:
        assert peer.send(f"/ingest?token={TOKEN}", TWO, NDJSON, token=None).status == 401
        answers = [
            peer.send(f"/services/collector/event?token={each}", EVENT, token=None).json for each in (TOKEN, "wrong")
        ]
        assert [each["code"] for each in answers] == [16, 4]


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "zstd", "identity"])
def test_bodies_come_packed(tmp_path: Path, encoding: str) -> None:
    import zlib

    packed = {
        "gzip": gzip.compress(TWO[:8]) + gzip.compress(TWO[8:]),
        "x-gzip": gzip.compress(TWO),
        "deflate": zlib.compress(TWO),
        "zstd": zstandard.compress(TWO[:8]) + zstandard.compress(TWO[8:]),
        "identity": TWO,
    }[encoding]
    on = rig(tmp_path)
    with http(on) as peer:
        assert peer.send("/ingest", packed, NDJSON | {"Content-Encoding": encoding}).json == {"records": 2}
        assert len(on.waiting(2)) == 2


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, bytes])
def test_what_is_too_large_is_refused_packed_or_not(tmp_path: Path, pack: Any) -> None:
    encoding = {gzip.compress: "gzip", zstandard.compress: "zstd"}.get(pack, "identity")
    on = rig(tmp_path)
    with http(on, max_mb=1) as peer:
        bomb = pack(b'"' + b"x" * 1_000_001 + b'"')
        answer = peer.send("/ingest", bomb, NDJSON | {"Content-Encoding": encoding})
        assert (answer.status, answer.json) == (413, {"error": "the body is larger than 1,000,000 bytes"})
        assert on.context.health.refused == 1
        assert peer.send("/ingest", TWO, NDJSON).status == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\x1f\x8bbroken", {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(TWO, mtime=0)[:-9], {"Content-Encoding": "gzip"}, 400),
        (b"broken", {"Content-Encoding": "zstd"}, 400),
        (TWO, {"Content-Encoding": "br"}, 415),
        (TWO, {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b'{"n":1}\n{"n":', {}, 400),
        (b'{"n":"\xff"}', {}, 400),
        (b'{"n":NaN}', {}, 400),
        (b"[" * 100_000, {}, 400),
        (b"17", {}, 400),
        (TWO, {"Idempotency-Key": "x" * 201}, 400),
    ],
)
def test_what_cannot_be_read_is_refused_whole(
    tmp_path: Path, body: bytes, headers: dict[str, str], status: int
) -> None:
    on = rig(tmp_path)
    with http(on) as peer:
        answer = peer.send("/ingest", body, NDJSON | headers)
        assert answer.status == status and answer.json["error"]
        assert on.context.health.refused == 1 and on.context.health.errors == 0
        assert list(on.context.spool.iterdir()) == []


def test_unknown_paths_and_methods_are_counted(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with http(on) as peer:
        assert peer.send("/v1/traces", b"x").status == 404
        assert peer.send("/ingest", method="GET").status == 405
        assert on.context.health.refused == 2


def test_a_repeated_request_is_kept_once_for_its_sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_2", "other")
    senders = {name: {"tokens": [{"env": name.upper().replace("-", "_")}]} for name in ("web-1", "web-2")}
    on = rig(tmp_path)
    with http(on, senders=senders) as peer:
        for path, headers, body in (WAYS[0], WAYS[1], WAYS[4]):
            key = {"Idempotency-Key": f"k{path}"}
            answers = [peer.send(path, body, headers | key) for _ in range(3)]
            assert [each.status for each in answers] == [200] * 3
            assert len({each.body for each in answers}) == 1
        for _ in range(2):
            assert peer.send("/firehose", FIREHOSE, JSON).status == 200
        assert peer.send("/firehose", FIREHOSE, JSON, token="other").status == 200
        found = on.waiting(6)
        assert [line["trailkeep"]["sender"] for line in found] == ["web-1"] * 5 + ["web-2"]


def test_limits_of_a_sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("slow", "small", "hec"):
        monkeypatch.setenv(name.upper(), name)
    senders = {
        "slow": {"tokens": [{"env": "SLOW"}], "requests_per_second": 0.001},
        "small": {"tokens": [{"env": "SMALL"}], "megabytes_per_second": 0.000001, "max_mb": 0.001},
        "hec": {"tokens": [{"env": "HEC"}], "protocols": ["hec"]},
    }
    on = rig(tmp_path)
    with http(on, senders=senders) as peer:
        assert peer.send("/ingest", TWO, NDJSON, token="slow").status == 200
        for path, headers, body in WAYS:
            answer = peer.send(path, body, headers, token="slow")
            assert answer.status == 429 and 900 < int(answer.headers["retry-after"]) <= 1000
        assert peer.send("/ingest", b'"%s"' % (b"x" * 1000), NDJSON, token="small").status == 413
        assert peer.send("/ingest", TWO, NDJSON, token="small").status == 200
        assert peer.send("/ingest", TWO, NDJSON, token="small").status == 429
        assert peer.send("/ingest", TWO, NDJSON, token="hec").status == 403
        assert peer.send("/services/collector", EVENT, token="hec").status == 200
        assert on.context.health.refused == 8


def test_a_full_spool_asks_to_come_again(tmp_path: Path) -> None:
    on = rig(tmp_path, spool_limit=1000)
    with http(on) as peer:
        assert peer.send("/healthz", method="GET", token=None).json == {"status": "ok"}
        assert peer.send("/ingest", b'"%s"' % (b"x" * 1000), NDJSON).status == 200
        for path, headers, body in WAYS:
            answer = peer.send(path, body, headers)
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert peer.send("/services/collector", EVENT).json == {"text": "Server is busy", "code": 9}
        assert peer.send("/healthz", method="GET", token=None).status == 503
        assert peer.send("/services/collector/health", method="GET", token=None).json["code"] == 18
        on.settle(on.take())
        assert peer.send("/ingest", TWO, NDJSON).status == 200
        assert peer.send("/services/collector/health", method="GET", token=None).json["code"] == 17


def test_memory_is_bounded_by_what_is_read_at_a_time(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with http(on, in_flight_mb=1) as peer, socket.create_connection(("127.0.0.1", peer.port)) as slow:
        head = f"POST /ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 900000\r\n\r\n"
        slow.sendall(head.encode() + b"x" * 899_999)
        while not on.context.health.refused:  # one or the other, once most of the first has come
            peer.send("/ingest", b'"%s"' % (b"x" * 200_000), NDJSON)
        assert "too much is being received" in str(on.context.health.last_error)


def test_who_hangs_up_is_counted(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with http(on) as peer:
        with socket.create_connection(("127.0.0.1", peer.port)) as gone:
            head = f"POST /ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n"
            gone.sendall(head.encode() + b"x")
        while not on.context.health.refused:
            threading.Event().wait(0.01)
        assert "hung up" in str(on.context.health.last_error)
        assert list(on.context.spool.iterdir()) == []


def test_an_answer_waits_for_the_disk_and_the_end_waits_for_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_sync, go_on = threading.Event(), threading.Event()
    real = spool_module.os.fdatasync

    def slow(descriptor: int) -> None:
        at_sync.set()
        assert go_on.wait(20)
        real(descriptor)

    monkeypatch.setattr(spool_module.os, "fdatasync", slow)
    on = rig(tmp_path)
    answers = []
    with http(on) as peer:
        client = threading.Thread(target=lambda: answers.append(peer.send("/ingest", TWO, NDJSON)))
        client.start()
        assert at_sync.wait(20)
        on.context.stop.set()
        assert not answers
        go_on.set()
        client.join(20)
    assert [each.status for each in answers] == [200]
    assert len(list(on.context.spool.iterdir())) == 1  # nobody takes it now: for the next start


def test_once_hands_over_what_was_left_and_ends(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with http(on) as peer:
        assert peer.send("/ingest", TWO, NDJSON).status == 200
    again = rig(tmp_path, once=True)
    config = HttpReceiver(type="http", senders={"web-1": {"tokens": [{"env": "WEB_1"}]}})  # type: ignore[dict-item]
    config.run(again.context)
    assert again.context.health.condition == "done"
    assert len(again.waiting(2)) == 2


def test_a_port_in_use_is_waited_for(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = HttpReceiver.model_validate(
            {"type": "http", "listen": f"127.0.0.1:{port}", "senders": {"web-1": {"tokens": [{"env": "WEB_1"}]}}}
        )
        thread = threading.Thread(target=config.run, args=(on.context,))
        thread.start()
        while on.context.health.condition != "waiting":
            threading.Event().wait(0.01)
        assert "Address already in use" in on.context.health.reason
    while on.context.health.condition != "running":
        threading.Event().wait(0.01)
    assert Peer(port).send("/ingest", TWO, NDJSON).status == 200
    on.context.stop.set()
    on.context.feed.close()
    thread.join(30)
    assert not thread.is_alive()


def test_mutual_tls(tmp_path: Path) -> None:
    keys = pki(tmp_path / "pki")
    tls = {"certificate": str(keys.server), "key": str(keys.server_key), "client_ca": str(keys.ca)}
    on = rig(tmp_path)
    with http(on, tls=tls) as peer:
        context = ssl.create_default_context(cafile=str(keys.ca))
        context.load_cert_chain(keys.client, keys.client_key)
        assert Peer(peer.port, context).send("/ingest", TWO, NDJSON).status == 200
        assert Peer(peer.port, context).send("/ingest", TWO, NDJSON, token="wrong").status == 401
        stranger = ssl.create_default_context(cafile=str(keys.ca))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Peer(peer.port, stranger).send("/ingest", TWO, NDJSON)
        old = ssl.create_default_context(cafile=str(keys.ca))
        old.load_cert_chain(keys.client, keys.client_key)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert Peer(peer.port, old).send("/ingest", TWO, NDJSON).status == 200
        assert len(on.waiting(4)) == 4


def test_a_certificate_that_is_renewed_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "_RELOAD_SECONDS", 0.02)
    keys = pki(tmp_path / "pki")
    on = rig(tmp_path)
    with http(on, tls={"certificate": str(keys.server), "key": str(keys.server_key)}) as peer:
        assert (
            Peer(peer.port, ssl.create_default_context(cafile=str(keys.ca))).send("/ingest", TWO, NDJSON).status == 200
        )
        good = keys.server_key.read_bytes()
        keys.server_key.write_bytes(b"half written")
        while not on.context.health.errors:
            threading.Event().wait(0.01)
        keys.server_key.write_bytes(good)
        renewed = pki(tmp_path / "pki")
        while True:
            try:
                context = ssl.create_default_context(cafile=str(renewed.ca))
                assert Peer(peer.port, context).send("/ingest", TWO, NDJSON).status == 200
                break
            except ssl.SSLError:
                threading.Event().wait(0.01)


def test_a_missing_secret_or_certificate_ends_the_collector_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trailkeep.core.errors import UsageError

    config = {"type": "http", "senders": {"web-1": {"tokens": [{"env": "WEB_1"}]}}}
    tls = {"certificate": str(tmp_path / "none.pem"), "key": str(tmp_path / "none.key")}
    with pytest.raises(UsageError, match=r"none\.pem"):
        HttpReceiver.model_validate(config | {"tls": tls, "listen": "127.0.0.1:1"}).run(rig(tmp_path).context)
    monkeypatch.delenv("WEB_1")
    with pytest.raises(UsageError, match="WEB_1"):
        HttpReceiver.model_validate(config).run(rig(tmp_path).context)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"listen": "8088"}, "is no address"),
        ({"listen": "127.0.0.1:99999"}, "is no address"),
        ({"senders": {}}, "at least 1"),
        ({"senders": {"a/b": {"anonymous": True}}}, "a name of letters"),
        ({"senders": {"a": {}}}, "either `tokens` or"),
        ({"senders": {"a": {"anonymous": True}, "b": {"anonymous": True}}}, "more than one is anonymous"),
        ({"listen": "0.0.0.0:8088", "senders": {"a": {"anonymous": True}}}, "anybody could send"),
        ({"senders": {"a": {"tokens": ["plain"]}}}, "a secret is never written down here"),
        ({"senders": {"a": {"anonymous": True, "protocols": ["syslog"]}}}, "'otlp'"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        HttpReceiver.model_validate({"type": "http", "senders": {"a": {"anonymous": True}}} | changes)


def test_an_anonymous_sender_needs_no_token_but_no_wrong_one_either(tmp_path: Path) -> None:
    with http(rig(tmp_path), senders={"near": {"anonymous": True}}) as peer:
        assert peer.send("/ingest", TWO, NDJSON, token=None).status == 200
        assert peer.send("/ingest", TWO, NDJSON, token="x").status == 401


def test_ipv6_and_the_warning_without_tls(tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    said: list[str] = []
    on = rig(tmp_path, say=said.append)
    from tests.aws import free_port

    port = free_port()
    config = HttpReceiver.model_validate(
        {"type": "http", "listen": f"[::]:{port}", "senders": {"web-1": {"tokens": [{"env": "WEB_1"}]}}}
    )
    with running(on, config):
        assert said == [f"push: tokens and logs come unencrypted to [::]:{port}: set `tls`"]
        with socket.create_connection(("::1", port)):
            pass
