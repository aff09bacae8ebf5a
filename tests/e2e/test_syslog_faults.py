"""A receiver of syslog that is killed again and again while senders send: what it had is in the lake, once, in order.

Over TCP a sender never learns what was lost at a kill: what lay in the socket's buffers, and at most what was being
written. That is measured here and bounded. Over RELP nothing is lost that was acknowledged.
"""

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.collect import syslog_peers as peers
from tests.e2e.picture import picture
from tests.e2e.program import succeed
from tests.e2e.records import record
from tests.e2e.syslog_receiver import RECEIVE_BUFFER, receive
from trailkeep.lake.home import create_home

KILLS, SENDERS, SEED = 33, 3, 5
ENOUGH = 500  # records acknowledged, for as many kills as that takes
SEND_BUFFER = 16 << 10
ONE_READ = 256 << 10  # of asyncio
# What the system counts in a buffer is twice what it was asked for.
BOUND = 2 * RECEIVE_BUFFER + 2 * SEND_BUFFER + ONE_READ
RULE = """title: None\nid: 6b6f62a6-0000-4000-8000-000000000000\nstatus: test\nlevel: low
logsource: {product: aws, service: cloudtrail}\ndetection: {s: {eventName: NeverHappens}, condition: s}\n"""


class Receiver:
    """The receiver, started again as often as it is killed."""

    def __init__(self, config: dict[str, Any], spool: Path) -> None:
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(["tests.e2e.syslog_receiver"])
        self._arguments = (config, spool)
        self.process: BaseProcess | None = None

    def start(self) -> None:
        self.process = self._context.Process(target=receive, args=self._arguments)
        self.process.start()

    def kill(self) -> None:
        assert self.process and self.process.is_alive()
        self.process.kill()
        self.process.join()


@contextmanager
def threads(*targets: Any) -> Iterator[None]:
    """Threads that run through the block; their faults fail the test."""
    faults: list[BaseException] = []

    def guarded(target: Any) -> None:
        try:
            target()
        except BaseException as error:  # noqa: BLE001 told by the test's own thread
            faults.append(error)

    running = [threading.Thread(target=guarded, args=(target,), daemon=True) for target in targets]
    for each in running:
        each.start()
    yield
    for each in running:
        each.join(30)
        assert not each.is_alive()
    assert not faults, faults


class Numbers:
    """Numbers that no two senders have in common."""

    def __init__(self) -> None:
        self._next = 0
        self._lock = threading.Lock()

    def take(self) -> int:
        with self._lock:
            self._next += 1
            return self._next


def line(number: int) -> bytes:
    return json.dumps(record(number), separators=(",", ":")).encode()


def connect(port: int, stop: threading.Event) -> socket.socket | None:
    while not stop.is_set():
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        made.settimeout(10)
        try:
            made.connect(("127.0.0.1", port))
            return made
        except OSError:
            made.close()
            time.sleep(0.005)
    return None


class Tcp:
    """Sends lines over TCP and never sends one again; what it sent over each connection."""

    def __init__(self, port: int, numbers: Numbers, stop: threading.Event) -> None:
        self.connections: list[list[int]] = []
        self._port, self._numbers, self._stop = port, numbers, stop

    def run(self) -> None:
        while connection := connect(self._port, self._stop):
            sent: list[int] = []
            self.connections.append(sent)
            with connection, suppress(OSError):
                while not self._stop.is_set():
                    number = self._numbers.take()
                    data = line(number)
                    connection.sendall(data + b"\n" if len(self.connections) % 2 else b"%d %s" % (len(data), data))
                    sent.append(number)
                    if number % 50 == 0:
                        time.sleep(0.01)


class Relp:
    """Sends over RELP, many at a time, and again what was not acknowledged."""

    def __init__(self, port: int, numbers: Numbers, stop: threading.Event) -> None:
        self.acknowledged: set[int] = set()
        self.sent_again = 0
        self._port, self._numbers, self._stop = port, numbers, stop
        self._waiting: list[int] = []

    def run(self) -> None:
        while connection := connect(self._port, self._stop):
            with connection, suppress(OSError), connection.makefile("rb") as answers:
                self._talk(connection, answers)

    def _talk(self, connection: socket.socket, answers: Any) -> None:
        connection.sendall(b"1 open 30 relp_version=0\ncommands=syslog\n")
        if b" 200 OK" not in answers.readline() or not all(answers.readline() for _ in range(3)):
            return
        self.sent_again += len(self._waiting)
        number = 1
        while not self._stop.is_set():
            self._waiting += [self._numbers.take() for _ in range(20 - len(self._waiting))]
            numbered = dict(enumerate(self._waiting, number + 1))
            number += len(numbered)
            frames = ((key, line(value)) for key, value in numbered.items())
            connection.sendall(b"".join(b"%d syslog %d %s\n" % (key, len(data), data) for key, data in frames))
            for _ in range(len(numbered)):
                answer = answers.readline().split(b" ", 3)
                if len(answer) < 4:
                    return
                assert answer[1:] == [b"rsp", b"6", b"200 OK\n"]
                self.acknowledged.add(numbered[int(answer[0])])
                self._waiting.remove(numbered[int(answer[0])])


def spooled(folder: Path) -> list[dict[str, Any]]:
    """The lines in a spool, in their order, without a batch that a kill cut."""
    found = []
    for path in sorted(folder.iterdir()):
        batch: list[dict[str, Any]] = []
        for text in path.read_bytes().split(b"\n"):
            with suppress(msgspec.DecodeError):
                batch.append(msgspec.json.decode(text))
            if batch and batch[0]["trailkeep"]["parts"] == len(batch):
                found += batch
                batch = []
    return found


def number_in(text: str) -> int:
    return int(json.loads(text)["eventID"].rpartition("-")[2])


def test_kills(tmp_path: Path) -> None:
    rng, numbers, stop = random.Random(SEED), Numbers(), threading.Event()
    lake, config, rules = tmp_path / "lake", tmp_path / "trailkeep.yaml", tmp_path / "rules"
    rules.mkdir()
    (rules / "rule.yml").write_text(RULE)
    ports = {way: peers.free_port() for way in ("tcp", "udp", "relp")}
    settings: dict[str, Any] = {"type": "syslog", "senders": ["127.0.0.1"]}
    settings |= {way: [f"127.0.0.1:{port}"] for way, port in ports.items()}
    config.write_text(json.dumps({"rules": [str(rules)], "collect": {"syslog": settings}}))
    spool = lake / "spool/received/syslog"
    receiver = Receiver(settings, spool)
    tcp = [Tcp(ports["tcp"], numbers, stop) for _ in range(SENDERS)]
    relp = Relp(ports["relp"], numbers, stop)
    datagrams: list[int] = []

    def udp() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            while not stop.wait(0.002):
                datagrams.append(numbers.take())
                sender.sendto(line(datagrams[-1]), ("127.0.0.1", ports["udp"]))

    succeed("collect", "--config", config, "--home", lake, "--once")  # makes the lake
    with threads(*(each.run for each in tcp), relp.run, udp):
        kills = 0
        while kills < KILLS or (len(relp.acknowledged) < ENOUGH and kills < 20 * KILLS):
            receiver.start()
            time.sleep(rng.uniform(0.1, 0.45))
            receiver.kill()
            kills += 1
        stop.set()
    kept = spooled(spool)
    succeed("collect", "--config", config, "--home", lake, "--once")
    found = picture(lake)
    assert not found.quarantine and not list(spool.iterdir())
    texts = [each["record"] for each in kept if "marks" not in each["trailkeep"]]
    stored = Counter(number for number, _ in found.events.elements())
    assert stored == Counter(json.loads(text)["eventID"] for text in texts)

    in_spool = list(map(number_in, texts))
    order = {number: place for place, number in enumerate(in_spool)}
    lost, connections, worst = 0, 0, 0
    for sent in (each for sender in tcp for each in sender.connections if each):
        got = [number for number in sent if number in order]
        assert got == sent[: len(got)], "a hole in what a connection sent"
        assert got == sorted(got, key=order.__getitem__), "another order"
        missing = sum(len(line(number)) for number in sent[len(got) :])
        assert missing <= BOUND
        lost, worst, connections = lost + len(sent) - len(got), max(worst, missing), connections + 1
    assert Counter(number for number in in_spool if number not in relp.acknowledged).most_common(1)[0][1] < 5
    assert relp.acknowledged <= set(order)
    came = len(set(datagrams) & set(order))
    total = sum(len(sent) for sender in tcp for sent in sender.connections)
    print(
        f"\n{kills} kills. TCP: {total:,} lines over {connections} connections, {lost:,} lost, at most {worst:,} bytes "
        f"at a kill (bound {BOUND:,}). RELP: {len(relp.acknowledged):,} acknowledged, none lost, {relp.sent_again:,} "
        f"sent again. UDP: {came:,} of {len(datagrams):,} came."
    )
    assert came and total > ENOUGH and len(relp.acknowledged) >= ENOUGH


def test_rsyslog_over_relp_loses_nothing(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every line is an event of the lake."""
    peers.rsyslog(tmp_path_factory.getbasetemp().parent)
    port, rng, lake, config = peers.free_port(), random.Random(SEED), tmp_path / "lake", tmp_path / "trailkeep.yaml"
    settings, spool = {"type": "syslog", "relp": [f"127.0.0.1:{port}"]}, lake / "spool/received/syslog"
    create_home(lake)
    config.write_text(json.dumps({"rules": [], "collect": {"syslog": settings}}))
    receiver = Receiver(settings, spool)
    action = (
        f'module(load="omrelp")\naction(type="omrelp" target="127.0.0.1" port="{port}" timeout="5" '
        'action.resumeInterval="1" action.resumeRetryCount="-1" queue.type="LinkedList")'
    )
    texts: list[str] = []
    with peers.rsyslogd(tmp_path / "rsyslog", action) as lines:
        for _ in range(5):
            receiver.start()
            with lines.open("a") as file:
                for _ in range(200):
                    texts.append(f"line {len(texts):05}")
                    file.write(texts[-1] + "\n")
            time.sleep(rng.uniform(0.3, 1.5))
            receiver.kill()
        receiver.start()
        until = time.monotonic() + 40
        while not set(texts) <= (came := {each["record"][-10:] for each in spooled(spool)}):
            assert time.monotonic() < until, f"{len(set(texts) - came)} lines have not come"
            time.sleep(0.2)
        receiver.kill()
    succeed("collect", "--config", config, "--home", lake, "--once")
    said = succeed("sql", "SELECT source, raw_data FROM events", "--home", lake, "--format", "jsonl").stdout
    rows = list(map(json.loads, said.splitlines()))
    assert {row["source"] for row in rows} == {"syslog"}
    assert sorted({row["raw_data"][-10:] for row in rows}) == texts
    print(f"\n{len(texts)} lines, {len(rows) - len(texts)} of them twice")
