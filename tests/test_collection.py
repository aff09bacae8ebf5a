"""The commit loop of collectors: a full disk, a locked database, files that are gone, records that break everything."""

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tests.e2e.picture import picture
from tests.e2e.records import document, event_uid, good
from trailkeep import pipeline
from trailkeep.cli import setup
from trailkeep.collect.collector import CollectorConfig, Context
from trailkeep.collect.config import CollectConfig, Commit
from trailkeep.collect.feed import Delivery, Fate
from trailkeep.collect.files import LogFile
from trailkeep.collect.spool import Origin, Spool
from trailkeep.collection import Collection
from trailkeep.detect.rules import load_rules
from trailkeep.lake.home import Home, create_home
from trailkeep.lake.progress import KeptProgress, Position
from trailkeep.pipeline import Outcome, Worker, settings_of

READING = setup.reading_of(None, None, 100)


class Files(CollectorConfig):
    """Delivers files that are there already, each with a position; keeps what became of them."""

    files: list[Path]
    fates: dict[str, Fate] = {}  # noqa: RUF012 of a model, which copies it

    def run(self, context: Context) -> None:
        for path in self.files:
            name = path.name

            def settled(fate: Fate, name: str = name) -> None:
                self.fates[name] = fate

            file = LogFile(path, f"s3://logs/{name}", path.stat().st_size)
            context.deliver(Delivery(context.name, file, settled, (Position(context.name, name, 1),)))
        for path in self.files:
            if path.name.startswith("gone"):
                path.unlink()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return create_home(tmp_path / "lake")


def written(folder: Path, **contents: bytes) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in contents]


def collection(
    home: Home, collectors: dict[str, CollectorConfig], say: Callable[[str], None] = print, *, once: bool = True
) -> Collection:
    settings = settings_of(home, READING, setup.matcher_of(None, dict(READING.sources)))
    config = CollectConfig(commit=Commit(seconds=0.3), collect=collectors)
    return Collection(settings, config, once=once, say=say, delay=0.01)


def uids(home: Home) -> list[str]:
    return sorted(uid for uid, _ in picture(home.path).events.elements())


def broken(monkeypatch: pytest.MonkeyPatch, breaks: Callable[[list[LogFile]], Exception | None]) -> None:
    """Workers that raise what `breaks` gives for their files."""
    run = Worker.run

    def failing(self: Worker, batch_id: str, number: int, files: list[LogFile]) -> Outcome:
        if error := breaks(files):
            raise error
        return run(self, batch_id, number, files)

    monkeypatch.setattr(pipeline.Worker, "run", failing)


def test_a_file_that_is_gone_leaves_the_batch_and_its_position_stays(home: Home, tmp_path: Path) -> None:
    files = Files(
        type="files", files=written(tmp_path / "x", a=document(*good(2)), gone=b"{}", b=document(*good(2, 2)))
    )
    said: list[str] = []
    report = collection(home, {"f": files}, said.append).run()
    assert files.fates == {"a": "stored", "gone": "failed", "b": "stored"}
    assert uids(home) == [event_uid(n) for n in range(4)]
    assert KeptProgress(home.state).positions("f") == {"a": 1, "b": 1}
    assert report.counts["commits"] == 1
    assert "s3://logs/gone: cannot be read: No such file or directory" in said


def test_a_full_disk_is_waited_for(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [OSError(28, "No space left on device")] * 3
    broken(monkeypatch, lambda files: failures.pop() if failures else None)
    files = Files(type="files", files=written(tmp_path / "x", a=document(*good(2))))
    said: list[str] = []
    run = collection(home, {"f": files}, said.append)
    run.run()
    assert files.fates == {"a": "stored"}
    assert said == ["the commit waits: [Errno 28] No space left on device"] * 3
    assert uids(home) == [event_uid(0), event_uid(1)]


@pytest.mark.parametrize("database", ["state.db", "catalog.db"])
def test_a_locked_database_is_waited_for(home: Home, tmp_path: Path, database: str) -> None:
    event.listen(home.state, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=50"))
    home.state.dispose()
    first = Files(type="files", files=written(tmp_path / "x", a=document(*good(1))))
    collection(home, {"f": first}).run()  # from here on there is a catalog
    said: list[str] = []
    other = sqlite3.connect(home.path / database, isolation_level=None, check_same_thread=False)

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 2:
            other.execute("ROLLBACK")

    class Locking(Files):
        def run(self, context: Context) -> None:
            other.execute("BEGIN IMMEDIATE")
            super().run(context)

    files = Locking(type="files", files=written(tmp_path / "x", b=document(*good(2, 1))))
    collection(home, {"f": files}, say).run()
    other.close()
    assert files.fates == {"b": "stored"}
    assert len(said) == 2
    assert all("the commit waits" in text and "database is locked" in text for text in said)
    assert uids(home) == [event_uid(n) for n in range(3)]
    assert KeptProgress(home.state).positions("f") == {"a": 1, "b": 1}


def test_what_is_given_up_is_kept_even_if_the_database_is_locked(home: Home, tmp_path: Path) -> None:
    event.listen(home.state, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=50"))
    home.state.dispose()
    context = _context(home, tmp_path)
    other = sqlite3.connect(home.path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor() as pool:
        kept = pool.submit(context.give_up, "s3://logs/a", "not there", {"bucket": "logs"})
        until = time.monotonic() + 30
        while context.health.condition != "waiting":
            assert time.monotonic() < until
            time.sleep(0.01)
        assert context.health.reason == "the state database cannot be written to: database is locked"
        other.execute("ROLLBACK")
        assert kept.result(30)
    assert context.kept.all_given_up("old") == {"s3://logs/a"}
    other.execute("BEGIN IMMEDIATE")
    context.stop.set()
    assert not context.settle("s3://logs/a")
    other.close()


def test_a_collector_that_a_fault_ended_begins_again(home: Home, tmp_path: Path) -> None:
    failures = [ZeroDivisionError("x")] * 3
    over = threading.Event()

    class Failing(Files):
        def run(self, context: Context) -> None:
            if failures:
                raise failures.pop()
            super().run(context)
            over.set()

    files = Failing(type="files", files=written(tmp_path / "x", a=document(*good(2))))
    said: list[str] = []
    run = collection(home, {"f": files}, said.append, once=False)
    thread = threading.Thread(target=run.run)
    thread.start()
    assert over.wait(60)
    run.stop.set()
    thread.join(60)
    assert said == ["f: failed: ZeroDivisionError: x"] * 3
    assert files.fates == {"a": "stored"}
    assert run.report.failed_collectors == []


def test_one_that_breaks_everything_goes_to_the_quarantine_alone(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = ZeroDivisionError("by a record that nobody thought of")
    broken(monkeypatch, lambda files: poison if any(file.key.endswith("bad") for file in files) else None)
    good_ones = {name: document(*good(2, number * 2)) for number, name in enumerate("abcd")}
    files = Files(type="files", files=written(tmp_path / "x", **good_ones, bad=b"\xff poison"))
    collection(home, {"f": files}).run()
    assert set(files.fates.values()) == {"stored"}
    assert uids(home) == [event_uid(n) for n in range(8)]
    ((key, _, _, reason, whole, data),) = picture(home.path).quarantine
    assert (key, whole, data) == ("s3://logs/bad", True, b"\xff poison")
    assert reason == "cannot be stored: ZeroDivisionError: by a record that nobody thought of"
    assert len(KeptProgress(home.state).positions("f")) == 5


def test_a_stop_ends_a_commit_that_waits(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()

    def full(files: list[LogFile]) -> Exception:
        tried.set()
        return OSError(28, "No space left on device")

    broken(monkeypatch, full)
    files = Files(type="files", files=written(tmp_path / "x", a=document(*good(2))))
    run = collection(home, {"f": files}, lambda text: None)
    thread = threading.Thread(target=run.run)
    thread.start()
    assert tried.wait(60)
    run.stop.set()
    thread.join(60)
    assert not thread.is_alive()
    assert files.fates == {"a": "failed"}
    assert KeptProgress(home.state).positions("f") == {}


def _said_with_a_detector_of(value: str, home: Home, tmp_path: Path) -> list[str]:
    asks = f"baseline: {{by: [principal], warm_up: 1d, method: {{type: first_seen, value: {value}}}}}"
    (tmp_path / "d.yml").write_text(f"title: New\nid: new\n{asks}\n")
    matcher = setup.matcher_of(load_rules([tmp_path / "d.yml"]), dict(READING.sources))
    files = Files(type="files", files=written(tmp_path / "x", a=document(*good(2))))
    config = CollectConfig(commit=Commit(seconds=0.3), collect={"f": files})
    said: list[str] = []
    Collection(settings_of(home, READING, matcher), config, once=True, say=said.append).run()
    return said


def test_detectors_look_at_the_end_of_a_run_with_once(home: Home, tmp_path: Path) -> None:
    assert _said_with_a_detector_of("region", home, tmp_path) == []
    (key,) = KeptProgress(home.state).positions("baselines")
    assert key.startswith("new@")


def test_what_cannot_run_is_said_once_when_it_starts(home: Home, tmp_path: Path) -> None:
    said = _said_with_a_detector_of("src_country", home, tmp_path)
    assert said == ["1 of the baselines cannot run until trailkeep.yaml names a file for `geo.country`: New"]
    assert not KeptProgress(home.state).positions("baselines")


def test_what_a_receiver_acknowledged_is_stored_whoever_runs_now(home: Home, tmp_path: Path) -> None:
    context = _context(home, tmp_path)
    spool = Spool(context)
    assert spool.append([b'"<13>Nov 17 08:00:00 web-1 cron[1]: x"'], Origin("syslog", "web-1"), "b-1").result(30)
    context.feed.close()
    spool.close()
    assert len(list((home.spool / "received/old").glob("*.jsonl"))) == 1
    said: list[str] = []
    collection(home, {"f": Files(type="files", files=[])}, said.append).run()
    assert said == ["old: is no receiver that runs now; what it acknowledged is stored first"]
    assert len(picture(home.path).events) == 1
    assert not list((home.spool / "received/old").iterdir())
    assert KeptProgress(home.state).received("old") == {"b-1"}


def _context(home: Home, tmp_path: Path) -> Context:
    made = collection(home, {"f": Files(type="files", files=[])})
    found: Any = made._contexts["f"]
    found.name, found.spool = "old", home.spool / "received/old"
    assert isinstance(found, Context)
    return found
