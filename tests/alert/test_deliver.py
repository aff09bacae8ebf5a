"""Alerts reach people at least once, whatever the other side does, and no channel waits for another."""

import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from tests.alert.inbox import Answer, Inbox
from tests.alert.office import NOON, Office, config, office, signal, webhook
from trailkeep.alert import outbox
from trailkeep.alert.desk import decide
from trailkeep.core.errors import LakeError, Later, Refused


@pytest.fixture
def hook(tmp_path: Path, web: Inbox) -> Office:
    return office(tmp_path, config(channels={"hook": webhook(web.url, tmp_path)}))


def test_an_alert_is_sent_once(hook: Office, web: Inbox) -> None:
    hook.alert(signal())
    assert hook.run() == {"sent": 1}
    assert hook.run(days=1) == {}
    hook.alert(signal())  # the same event again
    assert hook.run() == {}
    assert web.texts == ["[high] Title of r"]
    assert hook.rows() == [("hook", "new", "sent")]


def test_what_fails_is_tried_again_later_each_time_under_the_same_id(hook: Office, web: Inbox) -> None:
    web.answer = lambda _: Answer(503, b"down")
    hook.alert(signal())
    assert hook.run() == {"failed": 1}
    assert hook.run() == {}  # not yet due
    assert hook.run(seconds=5) == {"failed": 1}
    assert hook.run(seconds=5) in ({}, {"failed": 1})  # between 5 and 10 seconds
    web.answer = lambda _: Answer()
    assert hook.run(seconds=20) == {"sent": 1}
    assert len({request.headers["webhook-id"] for request in web.requests}) == 1
    (row,) = hook.listed()
    assert row["tries"] >= 3 and row["last_error"] is None
    assert hook.said[0] == "channel hook: 127.0.0.1 answers 503: down; it is tried again"


@pytest.mark.parametrize("header", ["90", "Wed, 18 Nov 2026 12:01:30 GMT"])
def test_retry_after_is_obeyed(hook: Office, web: Inbox, header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        @staticmethod
        def now(_: object) -> object:
            return NOON

    monkeypatch.setattr("trailkeep.alert.channels.http.datetime", Clock)
    web.answer = lambda _: Answer(429, b"slow down", {"Retry-After": header})
    hook.alert(signal())
    hook.run()
    web.answer = lambda _: Answer()
    assert hook.run(seconds=89) == {}
    assert hook.run(seconds=1) == {"sent": 1}


def test_what_is_refused_is_a_dead_letter_until_it_is_redriven(hook: Office, web: Inbox) -> None:
    web.answer = lambda _: Answer(403, b"invalid token")
    hook.alert(signal())
    assert hook.run() == {"dead": 1}
    assert hook.run(days=1) == {}
    (row,) = outbox.by_channel(hook.home.state, hook.now)
    assert (row["dead"], row["last_error"]) == (1, "127.0.0.1 answers 403: invalid token")
    assert "a message is a dead letter" in hook.said[0]
    web.answer = lambda _: Answer()
    assert outbox.redrive(hook.home.state, "nobody", hook.now) == 0
    assert outbox.redrive(hook.home.state, "hook", hook.now) == 1
    assert hook.run() == {"sent": 1}


def test_what_fails_too_often_is_a_dead_letter(tmp_path: Path, web: Inbox) -> None:
    each = office(tmp_path, config(channels={"hook": webhook(web.url, tmp_path)}, tries=3))
    web.answer = lambda _: Answer(500)
    each.alert(signal())
    assert [each.run(hours=2) for _ in range(4)] == [{"failed": 1}, {"failed": 1}, {"dead": 1}, {}]
    assert each.listed()[0]["last_error"] == "given up after 3 tries: 127.0.0.1 answers 500: ok"


def test_a_bad_message_does_not_hold_up_the_next(hook: Office, web: Inbox) -> None:
    web.answer = lambda request: Answer(500 if request.json["subject"] == "alice" else 200)
    hook.alert(signal("alice", at=NOON - timedelta(minutes=1)), signal("bob"))
    assert hook.run() == {"failed": 1}
    assert hook.run(seconds=1) == {"sent": 1}
    assert web.requests[-1].json["subject"] == "bob"


def test_a_channel_that_hangs_delays_no_other(tmp_path: Path, web: Inbox, other: Inbox) -> None:
    channels = {"stuck": webhook(web.url, tmp_path, "stuck"), "fine": webhook(other.url, tmp_path, "fine")}
    each = office(tmp_path, config(channels=channels), timeout=120)
    release, stop = threading.Event(), threading.Event()
    web.answer = lambda _: Answer(stall=release)
    thread = threading.Thread(target=each.deliverer.run, args=(stop,))
    thread.start()
    try:
        until = time.monotonic() + 60
        for number in range(5):
            each.alert(signal(f"user {number}"))
            while len(other.requests) <= number:
                assert time.monotonic() < until
                time.sleep(0.01)
        assert len(web.requests) == 1
    finally:
        stop.set()
        release.set()
        thread.join()
    states = {state for channel, _, state in each.rows() if channel == "fine"}
    assert states == {"sent"}


def test_an_answer_that_drips_is_given_up(tmp_path: Path) -> None:
    drips = 0

    def drip(server: socket.socket) -> None:
        nonlocal drips
        with server, server.accept()[0] as connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while drips < 1000:
                connection.sendall(b".")
                drips += 1
                time.sleep(0.02)

    server = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=drip, args=(server,))
    thread.start()
    address = f"http://127.0.0.1:{server.getsockname()[1]}"
    each = office(tmp_path, config(channels={"hook": webhook(address, tmp_path)}), timeout=0.5)
    each.alert(signal())
    assert each.run() == {"failed": 1}
    assert "the answer takes longer than" in each.listed()[0]["last_error"]
    thread.join()
    assert drips < 1000


def test_a_redirect_is_not_followed(hook: Office, web: Inbox, other: Inbox) -> None:
    web.answer = lambda _: Answer(307, headers={"Location": other.url})
    hook.alert(signal())
    assert hook.run() == {"dead": 1}
    assert not other.requests


def test_a_large_answer_is_not_read(hook: Office, web: Inbox) -> None:
    web.answer = lambda _: Answer(body=b"x" * (8 << 20))
    hook.alert(signal())
    assert hook.run() == {"sent": 1}


def test_nobody_there_and_the_address_is_in_no_error(tmp_path: Path) -> None:
    each = office(tmp_path, config(channels={"hook": webhook("http://127.0.0.1:1/very/secret?token=abc", tmp_path)}))
    each.alert(signal())
    assert each.run() == {"failed": 1}
    (row,) = each.listed()
    assert row["last_error"].startswith("127.0.0.1: NewConnectionError")
    assert not any(text in row["last_error"] + each.said[0] for text in ("secret", "abc"))


def test_alerts_go_nowhere_in_the_clear(tmp_path: Path) -> None:
    each = office(tmp_path, config(channels={"hook": webhook("http://192.0.2.1/x", tmp_path)}))
    each.alert(signal())
    assert each.run() == {"dead": 1}
    assert "must begin with https://" in each.listed()[0]["last_error"]


def test_a_secret_that_is_missing_is_said_and_waited_for(hook: Office, web: Inbox, tmp_path: Path) -> None:
    (tmp_path / "hook.url").rename(tmp_path / "away")
    hook.alert(signal())
    assert hook.run() == {"failed": 1}
    assert "hook.url, which holds a secret: No such file or directory" in hook.said[0]
    (tmp_path / "away").rename(tmp_path / "hook.url")
    assert hook.run(minutes=1) == {"sent": 1}


def test_quiet_hours_hold_back_what_can_wait(tmp_path: Path, web: Inbox) -> None:
    quiet = [{"hours": "22:00-07:00", "zone": "Europe/Berlin", "unless": "critical"}]
    each = office(tmp_path, config(channels={"hook": webhook(web.url, tmp_path)}, quiet=quiet))
    each.now = NOON.replace(hour=23)
    each.alert(signal("alice"), signal("bob", rule="worst", level="critical"))
    assert each.run() == {"sent": 1}
    assert each.run(hours=6, minutes=59) == {}  # 06:59 in Berlin
    assert each.run(minutes=1) == {"sent": 1}
    assert web.texts == ["[critical] Title of worst", "[high] Title of r"]


def test_what_is_closed_before_it_is_sent_is_not_sent(tmp_path: Path, web: Inbox) -> None:
    each = office(tmp_path, config(channels={"hook": webhook(web.url, tmp_path)}, quiet=[{"hours": "11:00-13:00"}]))
    each.alert(signal())
    each.run()
    decide(each.home.state, 1, "closed", "dana", "planned", each.now)
    assert each.run(hours=2) == {"void": 1}
    assert each.rows() == [("hook", "new", "void")] and not web.requests


def test_nobody_acknowledges_and_the_next_one_is_told(tmp_path: Path, web: Inbox, other: Inbox) -> None:
    channels = {"team": webhook(web.url, tmp_path, "team"), "boss": webhook(other.url, tmp_path, "boss")}
    steps = [{"after": "15m", "to": ["boss"]}]
    each = office(tmp_path, config(channels=channels, routes=[{"to": ["team"]}], escalate=steps))
    each.alert(signal("alice"), signal("bob"), signal("carol", level="medium"))
    each.run()
    decide(each.home.state, 2, "acked", "dana", None, each.now)
    assert each.run(minutes=14) == {}
    assert each.run(minutes=1) == {"sent": 1}
    assert each.run(days=1) == {}
    assert other.texts == ["[high] Nobody has acknowledged: Title of r"]
    assert other.requests[0].json["subject"] == "alice"


def test_an_escalation_that_waits_is_dropped_once_somebody_looks(tmp_path: Path, web: Inbox, other: Inbox) -> None:
    channels = {"team": webhook(web.url, tmp_path, "team"), "boss": webhook(other.url, tmp_path, "boss")}
    steps = [{"after": "15m", "to": ["boss"]}]
    each = office(tmp_path, config(channels=channels, routes=[{"to": ["team"]}], escalate=steps))
    other.answer = lambda _: Answer(503)
    each.alert(signal())
    each.run()
    assert each.run(minutes=15) == {"failed": 1}
    decide(each.home.state, 1, "acked", "dana", None, each.now)
    assert each.run(minutes=15) == {"void": 1}


def test_an_incident_is_resolved_when_all_its_alerts_are_closed(tmp_path: Path, web: Inbox) -> None:
    (tmp_path / "key").write_text("R0UT1NG")
    told = {"type": "pagerduty", "key": {"file": str(tmp_path / "key")}, "url": web.url}
    each = office(tmp_path, config(channels={"phone": told}))
    each.alert(signal(rule="r"), signal(rule="s"), signal("bob", at=NOON + timedelta(seconds=1)))
    assert each.run() == {"sent": 2}
    decide(each.home.state, 1, "closed", "dana", "planned", each.now)
    decide(each.home.state, 3, "acked", "dana", None, each.now)
    assert each.run(minutes=1) == {}
    decide(each.home.state, 2, "closed", "dana", "planned", each.now)
    assert [each.run(minutes=1) for _ in range(2)] == [{"sent": 1}, {}]
    alice = next(r.json["dedup_key"] for r in web.requests if r.json["payload"]["source"] == "alice")
    assert web.requests[-1].json == {"routing_key": "R0UT1NG", "event_action": "resolve", "dedup_key": alice}


def test_a_heartbeat_comes_every_day(tmp_path: Path, web: Inbox) -> None:
    each = office(
        tmp_path, config(channels={"hook": webhook(web.url, tmp_path)}, heartbeat={"every": "24h", "to": ["hook"]})
    )
    assert [each.run(hours=hours) for hours in (0, 6, 18, 24)] == [{"sent": 1}, {}, {"sent": 1}, {"sent": 1}]
    assert web.texts[0] == "Trailkeep is alive, and its messages reach you"


def test_a_test_message_is_sent_at_once_or_fails_at_once(hook: Office, web: Inbox) -> None:
    hook.deliverer.test("hook")
    assert web.texts == ["Test message of Trailkeep to the channel hook"]
    web.answer = lambda _: Answer(404)
    with pytest.raises(Refused, match=r"127\.0\.0\.1 answers 404"):
        hook.deliverer.test("hook")
    web.answer = lambda _: Answer(500)
    with pytest.raises(Later):
        hook.deliverer.test("hook")
    assert hook.rows() == [("hook", "test", "sent"), ("hook", "test", "void"), ("hook", "test", "void")]


def test_only_one_process_sends(hook: Office) -> None:
    with hook.home.exclusive("alerts"):
        with pytest.raises(LakeError, match="another process does `alerts`"):
            hook.deliverer.once()
        stop = threading.Event()
        thread = threading.Thread(target=hook.deliverer.run, args=(stop,))
        thread.start()
        while not hook.said:
            time.sleep(0.01)
        stop.set()
        thread.join()
    assert hook.said == ["another process sends the alerts of this lake; this one will when that ends"]


def test_a_fault_of_a_channel_is_no_end(hook: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault in the code")

    monkeypatch.setattr(type(hook.config.channels["hook"]), "send", broken)
    hook.alert(signal())
    assert hook.run() == {"failed": 1}
    assert hook.listed()[0]["last_error"] == "ZeroDivisionError: a fault in the code"


def test_old_messages_are_forgotten_and_dead_letters_stay(hook: Office, web: Inbox) -> None:
    hook.alert(signal("alice"))
    hook.run()
    web.answer = lambda _: Answer(400)
    hook.alert(signal("bob", at=NOON))
    hook.run()
    hook.run(days=91)
    assert hook.rows() == [("hook", "new", "dead")]


def test_an_expired_suppression_is_told(tmp_path: Path, web: Inbox) -> None:
    gone = [{"rules": ["r"], "until": (NOON - timedelta(days=1)).date(), "reason": "CHG-12"}]
    each = office(tmp_path, config(channels={"hook": webhook(web.url, tmp_path)}, suppressions=gone))
    assert each.said == ["the suppression until 2026-11-17 (CHG-12) is over; take it out of alerts.suppressions"]
    each.alert(signal())
    assert each.run() == {"sent": 1}


def test_the_proxy_that_the_environment_names_is_used(
    tmp_path: Path, web: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", web.url)
    monkeypatch.delenv("no_proxy", raising=False)
    each = office(tmp_path, config(channels={"hook": webhook("http://localhost:1/in", tmp_path)}))
    each.alert(signal())
    assert each.run() == {"sent": 1}
    assert web.requests[0].path == "http://localhost:1/in"
    monkeypatch.setenv("no_proxy", "localhost")
    direct = office(tmp_path / "direct", each.config)
    direct.alert(signal())
    assert direct.run() == {"failed": 1}


def test_what_nobody_delivers_is_told(tmp_path: Path, web: Inbox) -> None:
    each = office(tmp_path, config(channels={"hook": webhook(web.url, tmp_path)}))
    each.alert(signal())
    assert outbox.unrouted(each.home.state, each.now + timedelta(minutes=5)) == 0  # nobody was ever told of anything
    each.run()
    each.alert(signal("bob"))
    assert outbox.unrouted(each.home.state, each.now + timedelta(minutes=5)) == 1
    web.answer = lambda _: Answer(503)
    each.run()
    (row,) = outbox.by_channel(each.home.state, each.now)
    assert (row["waiting"], row["failing_since"], row["last_sent"]) == (1, NOON, NOON)
