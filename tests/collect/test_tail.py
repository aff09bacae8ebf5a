"""Files that grow, are rotated in every way, deleted, cut: each line comes once, in order, whatever is killed."""

import gzip
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.collect import working as harness
from tests.collect.working import Working
from trailkeep.collect import tail as module
from trailkeep.collect.tail import Tail
from trailkeep.collect.tail_file import TailFile


def config(*files: Path | str, **settings: Any) -> Tail:
    return Tail.model_validate({"type": "tail", "files": [*map(str, files)], "poll_seconds": 0.02} | settings)


@contextmanager
def following(folder: Path, *files: Path | str, once: bool = False, **settings: Any) -> Iterator[Working]:
    with harness.working(config(*files, **settings), folder, once=once) as found:
        yield found


def once(folder: Path, *files: Path | str, **settings: Any) -> list[Any]:
    """What a run to the files' present ends hands over."""
    with following(folder, *files, once=True, **settings) as found:
        found.wait(lambda: found.context.health.condition == "done")
    return [line["record"] for line in found.lines]


def write(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def long(*names: str) -> list[str]:
    """Lines that are long enough together to know a file by."""
    return [f"{name} {'.' * 300}" for name in names]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs/app.log"


def test_lines_come_in_envelopes(tmp_path: Path, log: Path) -> None:
    write(log, "one", "two", "", "one")
    with following(tmp_path, log) as found:
        assert found.records(3) == ["one", "two", "one"]
        write(log, "three")
        assert found.records(4)[3] == "three"
    said = [line["trailkeep"] for line in found.lines]
    assert {(each["protocol"], each["path"]) for each in said} == {("file", str(log))}
    assert all(each["sender"] and each["received"] for each in said)
    assert said[0]["batch"] == said[2]["batch"] != said[3]["batch"]


def test_a_line_without_an_end_is_waited_for(tmp_path: Path, log: Path) -> None:
    log.write_text("one\ntw")
    assert once(tmp_path, log) == ["one"]
    with log.open("a") as file:
        file.write("o\r\n")
    assert once(tmp_path, log) == ["two"]
    assert once(tmp_path, log) == []


def test_a_file_that_appears_later(tmp_path: Path, log: Path) -> None:
    with following(tmp_path, log.parent / "*.log", begin="end") as found:
        found.wait(lambda: "no file to be read" in found.context.health.reason)
        write(log, "one")
        assert found.records(1) == ["one"]


def test_from_the_end(tmp_path: Path, log: Path) -> None:
    log.write_text("old\nolder\npart of a li")
    other = log.with_name("other.log")
    assert once(tmp_path, log.parent / "*.log", begin="end") == []
    with log.open("a") as file:
        file.write("ne\nnew\n")
    write(other, "appeared while nobody looked")
    assert sorted(once(tmp_path, log.parent / "*.log", begin="end")) == [
        "appeared while nobody looked",
        "new",
        "part of a line",
    ]


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_rename_while_running(tmp_path: Path, log: Path, pattern: str) -> None:
    write(log, *long("a"))
    with following(tmp_path, log.parent / pattern) as found:
        found.records(1)
        with log.open("a") as writer:
            log.rename(log.with_name("app.log.1"))
            writer.write("b\n")
            writer.flush()
            write(log, "c")
            found.records(3)
            writer.write("d\n")
        assert [record[0] for record in found.records(4)] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_rename_while_nobody_looked(tmp_path: Path, log: Path, pattern: str) -> None:
    write(log, *long("a"))
    assert len(once(tmp_path, log.parent / pattern)) == 1
    write(log, "b")
    log.rename(log.with_name("app.log.1"))
    write(log, "c")
    assert once(tmp_path, log.parent / pattern) == ["b", "c"]
    assert once(tmp_path, log.parent / pattern) == []


def test_the_old_file_comes_whole_before_the_new_one(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FILE_BYTES", 4096)
    write(log, "0")
    assert once(tmp_path, log, max_line_kb=1) == ["0"]
    texts = [f"{number:04}" + "x" * 100 for number in range(1000)]
    write(log, *texts[:900])
    log.rename(log.with_name("app.log.1"))
    write(log, *texts[900:])
    assert once(tmp_path, log, max_line_kb=1) == texts


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_copy_and_cut(tmp_path: Path, log: Path, pattern: str) -> None:
    """With `app.log*` the copy is seen, too, and nothing in it is new but what came before the cut."""
    write(log, *long("a", "b"))
    with following(tmp_path, log.parent / pattern) as found:
        found.records(2)
        shutil.copy(log, log.with_name("app.log.1"))
        os.truncate(log, 0)
        write(log, *long("c", "d", "e"))
        assert [record[0] for record in found.records(5)] == ["a", "b", "c", "d", "e"]
    assert once(tmp_path, log.parent / pattern) == []


def test_copy_and_cut_while_nobody_looked(tmp_path: Path, log: Path) -> None:
    write(log, *long("a", "b"))
    assert len(once(tmp_path, log.parent / "app.log*")) == 2
    write(log, "late")
    shutil.copy(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    write(log, *long("c", "d", "e"))
    assert sorted(record[:4].strip(" .") for record in once(tmp_path, log.parent / "app.log*")) == [
        "c",
        "d",
        "e",
        "late",
    ]


def test_a_copy_that_is_being_made_is_not_read_twice(tmp_path: Path, log: Path) -> None:
    write(log, *long("a", "b", "c"))
    with following(tmp_path, log.parent / "app.log*", poll_seconds=0.2) as found:
        found.records(3)
        with log.with_name("app.log.1").open("wb") as copy:
            for byte in range(0, log.stat().st_size, 100):
                copy.write(log.read_bytes()[byte : byte + 100])
                copy.flush()
                found.settle(found.take())
        write(log, "end")
        assert len(found.records(4)) == 4
    assert once(tmp_path, log.parent / "app.log*") == []


def test_a_writer_that_does_not_notice_the_cut_leaves_nuls(tmp_path: Path, log: Path) -> None:
    with log.open("w") as writer, following(tmp_path, log) as found:
        writer.write("one\n" * 100)
        writer.flush()
        found.records(100)
        os.truncate(log, 0)
        writer.write("two\n")
        writer.flush()
        assert found.records(101)[100] == "two"


def test_deletion(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written before the deletion comes, a line without an end with a mark; then the file is forgotten."""
    monkeypatch.setattr(module, "_OLD_SECONDS", 0.3)
    write(log, "one")
    with following(tmp_path, log) as found:
        found.records(1)
        with log.open("a") as writer:
            log.unlink()
            writer.write("two\nthree")
        assert found.records(3) == ["one", "two", "three"]
        found.wait(lambda: not any(v for k, v in found.context.kept.positions(harness.NAME).items() if k != "began"))
        write(log, "four")
        assert found.records(4)[3] == "four"
    assert [line["trailkeep"].get("marks") for line in found.lines] == [None, None, ["unfinished"], None]


def test_long_lines_come_in_parts(tmp_path: Path, log: Path) -> None:
    write(log, "x" * 2500, "y" * 1024, "z")
    with log.open("a") as file:
        file.write("w" * 1500)
    with following(tmp_path, log, max_line_kb=1) as found:
        found.records(6)
        write(log, "w" * 100)
        assert list(map(len, found.records(7))) == [1024, 1024, 452, 1024, 1, 1024, 576]
    marks = [line["trailkeep"].get("marks") for line in found.lines]
    assert marks == [["part"]] * 3 + [None, None] + [["part"]] * 2


def test_bytes_that_are_no_utf8(tmp_path: Path, log: Path) -> None:
    log.write_bytes(b"caf\xe9\n\xc3\xa9\n")
    with following(tmp_path, log) as found:
        assert found.records(2) == ["caf\\xe9", "é"]
    assert [line["trailkeep"].get("marks") for line in found.lines] == [["escaped"], None]


def test_compressed_files_folders_and_pipes_are_left_alone(tmp_path: Path, log: Path) -> None:
    write(log, "one")
    (log.parent / "app.log.2.gz").write_bytes(gzip.compress(b"old\n"))
    (log.parent / "folder.log").mkdir()
    os.mkfifo(log.parent / "pipe.log")
    with following(tmp_path, log.parent / "*") as found:
        assert found.records(1) == ["one"]
        found.wait(lambda: "pipe.log: no plain file" in found.context.health.reason)
        assert found.context.health.errors == 2


def test_two_names_of_one_file_are_one(tmp_path: Path, log: Path) -> None:
    write(log, "one")
    log.with_name("link.log").symlink_to(log)
    log.with_name("hard.log").hardlink_to(log)
    assert once(tmp_path, log.parent / "*.log", log) == ["one"]


def test_many_files_need_not_stay_open(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OPEN", 3)
    paths = [log.with_name(f"{number}.log") for number in range(20)]
    for path in paths:
        write(path, "a")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 as fast as can be
    with following(tmp_path, log.parent / "*.log*") as found:
        found.records(20)
        found.wait(lambda: len(os.listdir("/proc/self/fd")) < before + 15)  # noqa: PTH208
        for path in paths:
            write(path, "b")
        paths[0].rename(f"{paths[0]}.1")
        assert sorted(found.records(40)) == ["a"] * 20 + ["b"] * 20


def test_what_could_not_be_read_from_the_spool_is_handed_over_again(tmp_path: Path, log: Path) -> None:
    write(log, "one")
    with following(tmp_path, log) as found:
        found.settle(found.take())  # where it begins
        while not (taken := found.take()):
            pass
        found.settle(taken, "failed")
        found.lines.clear()
        assert found.records(1) == ["one"]


@pytest.mark.parametrize("once", [False, True])
def test_a_full_disk_is_waited_for(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch, once: bool) -> None:
    write(log, "one")
    faults = [OSError(28, "No space left on device")] * 2
    before = module._Tailer._enveloped

    def enveloped(*arguments: Any) -> Any:
        if faults:
            raise faults.pop()
        return before(*arguments)

    monkeypatch.setattr(module._Tailer, "_enveloped", enveloped)
    with following(tmp_path, log, once=once) as found:
        assert found.records(1) == ["one"]
        assert found.context.health.errors == 2


def test_a_file_that_cannot_be_read_stops_no_other(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = log.with_name("bad.log")
    write(log, "one")
    write(bad, "two")
    faults = [OSError(5, "Input/output error")] * 3
    before = TailFile.lines

    def lines(file: TailFile, *arguments: Any) -> Any:
        if file.path == bad and faults:
            before(file, *arguments)
            raise faults.pop()
        return before(file, *arguments)

    monkeypatch.setattr(TailFile, "lines", lines)
    with following(tmp_path, log.parent / "*.log") as found:
        assert found.records(2) == ["one", "two"]
        assert found.context.health.last_error == f"{bad}: Input/output error"
        assert found.context.health.errors == 1


@pytest.mark.parametrize("seed", range(4))
def test_kills_and_rotations_at_random(tmp_path: Path, log: Path, seed: int) -> None:
    """Runs that end before or after their commits, over files that grow and rotate meanwhile: every line once."""
    rng = random.Random(seed)
    pattern = log.parent / ("app.log", "app.log*")[seed % 2]
    written: list[str] = []
    seen: list[str] = []

    def run(killed: bool) -> None:
        context = harness.context_in(tmp_path, once=True)
        config(pattern).run(context)  # the feed is large: nothing waits for a commit
        found = Working(context, tmp_path)
        while taken := found.take():
            if killed and rng.random() < 0.5:
                break
            found.settle(taken)
        seen.extend(line["record"] for line in found.lines)

    for step in range(40):
        for _ in range(rng.randrange(4)):
            written.append(f"{len(written):05} {'.' * rng.randrange(300)}")
            write(log, written[-1])
        killed = rng.random() < 0.5
        run(killed)
        # What has never been committed and loses its name while nothing runs, nobody can know of.
        if (not killed or seed % 2) and rng.random() < 0.4 and log.exists():
            log.rename(log.with_name(f"app.log.{step}"))
    run(killed=False)
    assert sorted(seen) == written


def test_wrong_configuration() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        config()
    with pytest.raises(ValidationError, match="'start' or 'end'"):
        config("a", begin="middle")
