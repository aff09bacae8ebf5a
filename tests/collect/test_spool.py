"""What a spool acknowledges is on disk, once, and reaches the commit: with full disks, kills and repeats."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.collect.receiving import Rig, lines, rig
from trailkeep.collect import spool as module
from trailkeep.collect.spool import Origin, Spool, SpoolFull

ORIGIN = Origin("jsonl", "web-1")


@contextmanager
def spool(on: Rig, **how: Any) -> Iterator[Spool]:
    made = Spool(on.context, **how)
    try:
        yield made
    finally:
        on.context.feed.close()
        made.close()


def records(count: int, size: int = 10) -> list[bytes]:
    return [b'{"n":%d,"text":"%s"}' % (number, b"x" * size) for number in range(count)]


def files(on: Rig) -> list[Path]:
    return sorted(on.context.spool.iterdir())


def test_records_come_out_as_they_went_in_and_the_file_goes_after_the_commit(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with spool(on, segment_seconds=0.01) as made:
        assert made.append(records(3), ORIGIN, "b-1").result(10) is True
        (delivery,) = on.take()
        first, *others = lines(delivery)
        assert [line["record"]["n"] for line in (first, *others)] == [0, 1, 2]
        head = first["trailkeep"]
        assert (head["protocol"], head["sender"], head["batch"], head["parts"]) == ("jsonl", "web-1", "b-1", 3)
        assert not [line for line in others if "parts" in line["trailkeep"]]
        assert delivery.received == ("b-1",)
        assert delivery.file and delivery.file.key == f"spool://push/{delivery.file.path.name}"
        on.settle([delivery])
        assert files(on) == []


def test_acknowledged_only_after_the_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_sync, go_on = threading.Event(), threading.Event()
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        at_sync.set()
        assert go_on.wait(20)
        real(descriptor)

    monkeypatch.setattr(module.os, "fdatasync", slow)
    on = rig(tmp_path)
    with spool(on) as made:
        stored = made.append(records(1), ORIGIN)
        assert at_sync.wait(20)
        assert b'"n":0' in files(on)[0].read_bytes()
        assert not stored.done()
        go_on.set()
        assert stored.result(20) is True


def test_many_batches_share_one_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_sync, go_on = threading.Event(), threading.Event()
    syncs: list[int] = []
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        at_sync.set()
        assert go_on.wait(20)
        syncs.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(module.os, "fdatasync", slow)
    on = rig(tmp_path)
    with spool(on) as made:
        first = made.append(records(1), ORIGIN)
        assert at_sync.wait(20)
        others = [made.append(records(1), ORIGIN) for _ in range(50)]
        go_on.set()
        assert all(each.result(20) for each in (first, *others))
        assert len(syncs) == 2


def test_a_repeated_batch_is_kept_once_within_a_group_in_a_segment_and_after_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_sync, go_on = threading.Event(), threading.Event()
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        at_sync.set()
        assert go_on.wait(20)
        real(descriptor)

    monkeypatch.setattr(module.os, "fdatasync", slow)
    on = rig(tmp_path)
    with spool(on, segment_seconds=0.01) as made:
        other = made.append(records(1), ORIGIN)
        assert at_sync.wait(20)
        twice = [made.append(records(2), ORIGIN, "b-1") for _ in range(2)]  # one group
        go_on.set()
        assert other.result(20) and [each.result(20) for each in twice] == [True, False]
        assert made.append(records(2), ORIGIN, "b-1").result(20) is False
        assert len(on.waiting(3)) == 3
    again = rig(tmp_path)  # nothing was settled: the segments come again, and the id is known from them
    with spool(again, segment_seconds=0.01) as made:
        assert made.append(records(2), ORIGIN, "b-1").result(20) is False
        taken = again.take()
        again.settle(taken)
        while files(again):
            again.settle(again.take())
    last = rig(tmp_path)  # and from the state
    with spool(last) as made:
        assert made.append(records(2), ORIGIN, "b-1").result(20) is False
        assert made.append(records(2), ORIGIN, "b-2").result(20) is True


def test_only_the_newest_ids_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_IDS", 3)
    on = rig(tmp_path)
    with spool(on) as made:
        assert [made.append(records(1), ORIGIN, f"b-{n}").result(20) for n in range(5)] == [True] * 5
        assert made.append(records(1), ORIGIN, "b-4").result(20) is False
        assert made.append(records(1), ORIGIN, "b-0").result(20) is True
        assert len(made._known) == 3


@pytest.mark.parametrize("cut", [1, 5, 150, 300])
def test_a_batch_that_a_crash_cut_is_dropped_whole(tmp_path: Path, cut: int) -> None:
    on = rig(tmp_path)
    with spool(on) as made:
        assert made.append(records(2), ORIGIN, "whole").result(20)
        assert made.append(records(3), ORIGIN, "cut").result(20)
    (file,) = files(on)
    os.truncate(file, file.stat().st_size - cut)
    again = rig(tmp_path)
    with spool(again) as made:
        (delivery,) = again.take()
        assert [line["trailkeep"]["batch"] for line in lines(delivery)] == ["whole", "whole"]
        assert delivery.received == ("whole",)
        assert made.append(records(3), ORIGIN, "cut").result(20) is True


def test_pages_that_power_loss_took_are_no_records(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with spool(on) as made:
        assert made.append(records(2), ORIGIN, "whole").result(20)
    (file,) = files(on)
    whole = file.read_bytes()
    line = whole.splitlines(keepends=True)[0]
    for lost in (
        b"\0" * 500,
        line[:-20] + b"\0" * 18 + b"}\n",
        line.replace(b'"parts":2', b'"parts":9'),
        b"\n",
        b"{}\n",
    ):
        file.write_bytes(whole + lost)
        again = rig(tmp_path)
        with spool(again):
            (delivery,) = again.take()
            assert delivery.file and delivery.file.path.read_bytes() == whole


def test_an_empty_or_cut_segment_is_removed_and_other_files_are_left_alone(tmp_path: Path) -> None:
    on = rig(tmp_path)
    on.context.spool.mkdir()
    (on.context.spool / "1.jsonl").touch()
    (on.context.spool / "2.jsonl").write_bytes(b'{"trailkeep":{"protoc')
    (on.context.spool / "notes.txt").write_text("mine")
    with spool(on) as made:
        assert made.append(records(1), ORIGIN).result(20)
        assert "notes.txt" in {file.name for file in files(on)} and len(files(on)) == 2


def test_ids_that_the_spool_gave_are_not_kept(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with spool(on) as made:
        assert made.append(records(1), ORIGIN).result(20)
    again = rig(tmp_path)
    with spool(again):
        assert again.take()[0].received == ()


def test_a_full_spool_refuses_until_something_is_committed(tmp_path: Path) -> None:
    on = rig(tmp_path, spool_limit=1000)
    with spool(on, segment_seconds=0.01) as made:
        assert made.append(records(5, 300), ORIGIN).result(20)
        assert made.full()
        with pytest.raises(SpoolFull, match="come again later"):
            made.append(records(1), ORIGIN)
        on.settle(on.take())
        assert not made.full()
        assert made.append(records(1), ORIGIN).result(20)


def test_the_limit_counts_what_an_earlier_process_left(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with spool(on) as made:
        assert made.append(records(5, 300), ORIGIN).result(20)
    with spool(rig(tmp_path, spool_limit=1000)) as made, pytest.raises(SpoolFull):
        made.append(records(1), ORIGIN)


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_an_error_of_the_disk_refuses_the_group_and_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    on = rig(tmp_path)
    with spool(on) as made:
        assert made.append(records(2), ORIGIN, "before").result(20)
        with monkeypatch.context() as broken:
            fail = OSError(errno.ENOSPC, "No space left on device")

            def full(*_: Any) -> int:
                raise fail

            if call == "fdatasync":
                broken.setattr(module.os, "fdatasync", full)
            else:
                broken.setattr(module, "memoryview", _Once(fail), raising=False)
            with pytest.raises(SpoolFull, match="No space left on device; come again later"):
                made.append(records(2), ORIGIN, "failed").result(20)
            assert on.context.health.condition == "waiting"
        (delivery,) = on.take()
        assert [line["trailkeep"]["batch"] for line in lines(delivery)] == ["before"] * 2
        assert delivery.received == ("before",)
        assert made.append(records(2), ORIGIN, "failed").result(20) is True
        assert on.context.health.condition == "running"
        on.settle([delivery])
    again = rig(tmp_path)
    with spool(again):
        (delivery,) = again.take()
        assert [line["trailkeep"]["batch"] for line in lines(delivery)] == ["failed"] * 2


class _Once:
    """Lets half of what is to be written pass, then fails."""

    def __init__(self, error: OSError) -> None:
        self._error = error
        self._calls = 0

    def __call__(self, data: bytes) -> memoryview:
        self._calls += 1
        if self._calls > 1:
            raise self._error
        return memoryview(data)[: len(data) // 2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "trailkeep-test", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_full_refuses_and_goes_on_once_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    on = rig(tmp_path, spool=small_disk / "spool")
    with spool(on, segment_seconds=0.01) as made:
        kept = 0
        with pytest.raises(SpoolFull, match="No space left on device"):
            while True:
                assert made.append(records(10, 10_000), ORIGIN, f"b-{kept}").result(20)
                kept += 1
        assert 5 <= kept <= 10
        for _ in range(3):
            with pytest.raises(SpoolFull):
                made.append(records(20, 10_000), ORIGIN, f"b-{kept}").result(20)
        found = []
        while len(found) < 10 * kept:
            taken = on.take()
            found += [line["trailkeep"]["batch"] for each in taken for line in lines(each)]
            on.settle(taken)
        assert found == [f"b-{n}" for n in range(kept) for _ in range(10)]
        assert made.append(records(10, 10_000), ORIGIN, f"b-{kept}").result(20) is True


def test_what_could_not_be_read_is_handed_over_again(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with spool(on, segment_seconds=0.01) as made:
        assert made.append(records(1), ORIGIN, "b-1").result(20)
        on.settle(on.take(), "failed")
        (delivery,) = on.take()
        assert lines(delivery)[0]["record"]["n"] == 0 and delivery.received == ("b-1",)


def test_after_closing_nothing_is_taken(tmp_path: Path) -> None:
    on = rig(tmp_path)
    with spool(on) as made:
        pass
    with pytest.raises(SpoolFull, match="stops"):
        made.append(records(1), ORIGIN)


CHILD = """
import sys
from pathlib import Path
from tests.collect.receiving import rig
from trailkeep.collect.spool import Origin, Spool
spool = Spool(rig(Path(sys.argv[1])).context)
for number in range(10):
    if spool.append([b'{"n":%d}' % number] * 3, Origin("jsonl", "web-1"), f"b-{number}").result(20):
        print(f"b-{number}", flush=True)
"""


@pytest.mark.parametrize(("failpoint", "kept_more"), [("spool.write.before:5", 0), ("spool.write.after:5", 1)])
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path, failpoint: str, kept_more: int) -> None:
    environment = {**os.environ, "TRAILKEEP_FAILPOINT": failpoint}
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    acknowledged = done.stdout.split()
    assert acknowledged == ["b-0", "b-1", "b-2", "b-3"]
    on = rig(tmp_path)
    with spool(on) as made:
        found = [line["trailkeep"]["batch"] for line in on.waiting(12)]
        wanted = [f"b-{n}" for n in range(4 + kept_more)]
        assert found == [each for each in wanted for _ in range(3)]
        # Its sender does not know, and comes again: stored once.
        assert made.append(records(3), ORIGIN, "b-4").result(20) is not bool(kept_more)
