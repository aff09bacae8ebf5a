"""Archives through the program: each member is an object, counts add up, and nothing is stored twice."""

import json
import zipfile
from pathlib import Path

from tests.conftest import Program
from tests.e2e.picture import picture
from tests.e2e.records import document, flow, flows, good, packed, record
from tests.e2e.test_bad_input import ingest, rows
from tests.normalize.archives import tarred, zipped

MEMBERS = {
    "AWSLogs/a.json.gz": packed(document(*good(3))),
    "flows.log": flows(*map(flow, range(4))),
    "more.tar.gz": packed(tarred({"b.json": document(record(7))})),
}


def test_each_member_is_an_object(trailkeep: Program, tmp_path: Path) -> None:
    path, lake = tmp_path / "x.zip", tmp_path / "lake"
    path.write_bytes(zipped(MEMBERS))
    done = ingest(trailkeep, path, lake)
    assert (done.code, done.err) == (0, "")
    assert "1 file, 8 records: 8 stored, 0 already stored, 0 quarantined" in done.out
    found = picture(lake)
    assert sum(found.events.values()) == 8
    objects = {key.removeprefix(str(path)): (kind, records) for key, _, kind, _, _, records, *_ in found.objects}
    assert objects == {
        "": ("archive", 0),
        "!AWSLogs/a.json.gz": ("events", 3),
        "!flows.log": ("events", 4),
        "!more.tar.gz": ("archive", 0),
        "!more.tar.gz!b.json": ("events", 1),
    }
    again = ingest(trailkeep, path, lake)
    assert again.code == 0
    assert "0 stored, 8 already stored" in again.out
    assert "nothing new was stored; of the files: 5 already stored" in again.out
    # The same logs in another archive, and without one: their content was stored before.
    (tmp_path / "y.tar").write_bytes(tarred(MEMBERS))
    (tmp_path / "b.json").write_bytes(document(record(7)))
    assert "9 already stored" in ingest(trailkeep, str(tmp_path / "[yb].*"), lake).out
    assert picture(lake).events == found.events


def test_hunt_and_normalize_read_archives(trailkeep: Program, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(
        zipped({"a.json": document(record(0, eventName="StopLogging", eventSource="cloudtrail.amazonaws.com"))})
    )
    done = trailkeep("normalize", path)
    assert done.code == 0, done.err
    assert [json.loads(line)["class_uid"] for line in done.out.splitlines()] == [6003]
    matches = rows(trailkeep("hunt", path, "--format", "jsonl"))
    assert {match["file"] for match in matches} == {f"{path}!a.json"}


def test_a_zip_bomb_waits_in_quarantine_for_a_larger_limit(trailkeep: Program, tmp_path: Path) -> None:
    path, lake = tmp_path / "bomb.zip", tmp_path / "lake"
    path.write_bytes(zipped({"a.json": document(*good(2), record(2, userAgent="A" * (3 << 20))), "b": b"hello"}))
    done = ingest(trailkeep, path, lake, "--limit-mb", "1")
    assert done.code == 1
    assert "1 file, 1 record: 0 stored, 0 already stored, 1 quarantined" in done.out
    (piece,) = rows(trailkeep("quarantine", "list", "--home", lake, "--format", "jsonl"))
    assert piece["object"] == str(path)
    assert "the archive unpacks to more than 1048576 bytes" in piece["reason"]
    retried = trailkeep("quarantine", "retry", "--home", lake)
    assert (retried.code, retried.out) == (0, "3 records stored, 0 pieces left in the quarantine\n")
    totals = picture(lake).totals
    assert (totals["objects"], totals["records"], totals["stored"], totals["quarantined"]) == (2, 3, 3, 0)


def test_what_is_no_member_is_quarantined_once(trailkeep: Program, tmp_path: Path) -> None:
    path, lake = tmp_path / "x.zip", tmp_path / "lake"
    path.write_bytes(zipped({"a.json": document(*good(2)), "l": b"L" * 99}, zipfile.ZIP_LZMA))
    for _ in range(2):
        done = ingest(trailkeep, path, lake)
        assert done.code == 1
        pieces = rows(trailkeep("quarantine", "list", "--home", lake, "--format", "jsonl"))
        assert sorted(piece["reason"] for piece in pieces) == [
            f"{name}: compressed by method 14, which is not supported" for name in ("a.json", "l")
        ]
        totals = picture(lake).totals
        assert (totals["records"], totals["quarantined"]) == (2, 2)


def test_damage_of_an_archive_keeps_what_could_be_read(trailkeep: Program, tmp_path: Path) -> None:
    path, lake = tmp_path / "x.tar", tmp_path / "lake"
    data = tarred({"a.json": document(*good(2)), "b.json": document(record(5))})
    path.write_bytes(data[: data.index(b"b.json") + 700])
    done = ingest(trailkeep, path, lake)
    assert done.code == 1
    assert "1 file, 3 records: 2 stored, 0 already stored, 1 quarantined" in done.out
    (piece,) = rows(trailkeep("quarantine", "list", "--home", lake, "--format", "jsonl"))
    assert (piece["object"], piece["position"]) == (str(path), data.index(b"b.json"))
    assert piece["reason"] == "b.json: cut, the archive ends within it"
