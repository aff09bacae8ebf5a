"""Whatever a file holds: good records are stored, bad ones kept with place and reason, and the counts add up."""

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Done, Program
from tests.e2e.picture import picture
from tests.e2e.records import document, event_uid, flow, flows, good, packed, record
from trailkeep.cli.output import counted
from trailkeep.core.source import SHIPPED

THREE = document(*good(3))
FORTY = packed(document(*(record(n, userAgent=f"agent/{n * 7919 % 1000}") for n in range(40))))
FLIPPED = FORTY[: len(FORTY) // 2] + bytes([FORTY[len(FORTY) // 2] ^ 0x55]) + FORTY[len(FORTY) // 2 + 1 :]
DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000


@dataclass(frozen=True)
class Case:
    """One file, how many of its records are stored, and a pattern for the reason of each piece that is not."""

    name: str
    file: str
    data: bytes
    stored: int | range
    reasons: list[str] = field(default_factory=list)
    says: str = ""
    positions: list[int] | None = None  # of the pieces, where it is known exactly
    pieces: list[bytes] | None = None


BROKEN = document(record(0), '{"eventID": oops}', record(2))
NUL = document(record(0), json.dumps(record(1)).replace("mara", "ma\0ra"), record(2))
LATIN = document(record(0), json.dumps(record(1)).encode().replace(b"mara", b"m\xe4ra"), record(2))
NO_TIME = document(record(0), record(1, eventTime=None), record(2))

CASES = [
    Case(
        "truncated gzip",
        "a.json.gz",
        FORTY[: len(FORTY) * 3 // 4],
        range(1, 40),
        [".*", "the gzip data ends too early"],
    ),
    Case("bit-flipped gzip", "a.json.gz", FLIPPED, range(0, 40), [".*", "the gzip data is damaged"]),
    Case("text after gzip", "a.json.gz", packed(THREE) + b"tail", 3, ["4 bytes after the end of the gzip data"]),
    Case("two gzip members", "a.json.gz", packed(THREE[:70]) + packed(THREE[70:]), 3),
    Case(
        "invalid JSON among good",
        "a.json",
        BROKEN,
        2,
        ["invalid JSON"],
        positions=[BROKEN.index(b'{"eventID": oops')],
        pieces=[b'{"eventID": oops}'],
    ),
    Case("cut JSON", "a.json", THREE[:-30], 2, ["invalid JSON"]),
    Case("no time", "a.json", NO_TIME, 2, ["no eventTime"], positions=[1]),
    Case("no such time", "a.json", document(record(0), record(1, eventTime="2026-02-30T08:00:00Z")), 1, ["eventTime"]),
    Case(
        "time before AWS", "a.json", document(record(0, eventTime="1999-12-31T23:59:59Z"), record(1)), 1, ["eventTime"]
    ),
    Case(
        "time far ahead", "a.json", document(record(0, eventTime="2999-01-01T00:00:00Z"), record(1)), 1, ["eventTime"]
    ),
    Case("time of another type", "a.json", document(record(0, eventTime={"a": [1]}), record(1)), 1, ["eventTime"]),
    Case(
        "nested too deeply",
        "a.json",
        document(record(0), json.dumps(record(1)).replace('{"filterSet": {}}', DEEP), record(2)),
        2,
        ["nested too deeply"],
    ),
    Case(
        "nested, but not too deeply",
        "a.json",
        document(record(0, requestParameters=json.loads(DEEP[: 5 * 90] + "1" + "}" * 90))),
        1,
    ),
    Case("NUL in a record", "a.json", NUL, 2, ["invalid JSON"], positions=[len(document(record(0))) - 1]),
    Case("NULs after the document", "a.json", THREE + b"\0" * 4096, 3, ["invalid JSON|NUL"]),
    Case("invalid UTF-8 in JSON", "a.json", LATIN, 2, ["UTF-8"]),
    Case("not an object among records", "a.json", document(record(0), "7", '"text"', "null"), 1, [".*"] * 3),
    Case("byte order mark", "a.json", b"\xef\xbb\xbf" + THREE, 3),
    Case("gzip under a plain name", "a.json", packed(THREE), 3),
    Case("plain under a gzip name", "a.json.gz", THREE, 3),
    Case("text under a name of its own", "noname", THREE, 3),
    Case("an empty file", "a.json", b"", 0, says="nothing new was stored; of the files: 1 holds no records"),
    Case(
        "an empty gzip file",
        "a.json.gz",
        packed(b""),
        0,
        says="nothing new was stored; of the files: 1 holds no records",
    ),
    Case(
        "empty Records",
        "a.json.gz",
        packed(document()),
        0,
        says="nothing new was stored; of the files: 1 holds no records",
    ),
    Case("header only", "a.log", flows(), 0, says="nothing new was stored; of the files: 1 holds no records"),
    Case("flow line cut", "a.log", flows(flow(1), flow(2)[:40], flow(3)), 2, [r"\d+ fields where the header names 14"]),
    Case("NUL in a flow line", "a.log", flows(flow(1), flow(2, b"O\0K")), 1, ["NUL"]),
    Case("invalid UTF-8 in a flow line", "a.log", flows(flow(1), flow(2, b"\xff")), 2),
    Case(
        "truncated flow gzip",
        "a.log.gz",
        packed(flows(*map(flow, range(99))))[:-60],
        range(0, 99),
        [".*", "ends too early"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_bad_file(case: Case, trailkeep: Program, tmp_path: Path) -> None:
    path, lake = tmp_path / case.file, tmp_path / "lake"
    path.write_bytes(case.data)
    done = ingest(trailkeep, path, lake)
    found = picture(lake)
    account = found.totals
    pieces = sorted(found.quarantine, key=lambda piece: piece[1])
    assert done.code == (1 if case.reasons else 0), done
    assert account["stored"] == sum(found.events.values())
    assert account["stored"] in case.stored if isinstance(case.stored, range) else account["stored"] == case.stored
    assert account["quarantined"] == sum(found.quarantine.values())
    assert account["records"] == account["stored"] + account["quarantined"]
    assert (
        f"1 file, {counted(account['records'], 'record')}: {account['stored']} stored, "
        f"0 already stored, {account['quarantined']} quarantined" in done.out
    )
    assert case.says in done.out
    for reason in case.reasons:
        assert any(re.search(reason, piece[3]) for piece in pieces), pieces
    if case.reasons:
        assert f"{path}: {len(pieces)} of {account['records']} records quarantined" in done.err
    if not case.reasons:
        assert (pieces, done.err) == ([], "")
    if case.positions is not None:
        assert [position for _, position, *_ in pieces] == case.positions
    if case.pieces is not None:
        assert [data for *_, data in pieces] == case.pieces
    listed = rows(trailkeep("quarantine", "list", "--home", lake, "--format", "jsonl"))
    assert sorted((row["object"], row["position"], row["reason"]) for row in listed) == sorted(
        p[:2] + p[3:4] for p in pieces
    )
    again = ingest(trailkeep, path, lake)
    assert picture(lake) == found
    if account["stored"]:
        assert again.code == 0
        assert f"0 stored, {account['records']:,} already stored, 0 quarantined" in again.out
        assert "nothing new was stored; of the files: 1 already stored" in again.out


def ingest(trailkeep: Program, path: Path | str, lake: Path, *options: str | Path) -> Done:
    return trailkeep("ingest", path, "--home", lake, "--workers", "1", *options)


def rows(done: Done) -> list[dict[str, Any]]:
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_the_same_content_under_other_names_is_stored_once(trailkeep: Program, tmp_path: Path) -> None:
    logs, lake = tmp_path / "logs", tmp_path / "lake"
    logs.mkdir()
    for name, data in (("a.json", THREE), ("b.json", THREE), ("c.json.gz", packed(THREE))):
        (logs / name).write_bytes(data)
    done = ingest(trailkeep, logs, lake)
    assert done.code == 0
    assert "3 files, 9 records: 3 stored, 6 already stored, 0 quarantined" in done.out
    (logs / "d.json").write_bytes(THREE)
    done = ingest(trailkeep, logs / "d.json", lake)
    assert "1 file, 3 records: 0 stored, 3 already stored" in done.out
    found = picture(lake)
    assert {uid: count for (uid, _), count in found.events.items()} == {event_uid(n): 1 for n in range(3)}
    assert found.totals == {"objects": 4, "records": 12, "stored": 3, "duplicate": 9, "quarantined": 0, "dropped": 0}


def test_equal_event_ids_of_different_objects_are_all_kept(trailkeep: Program, tmp_path: Path) -> None:
    for name, records in (("a.json", good(2)), ("b.json", good(3))):
        (tmp_path / name).write_bytes(document(*records))
    done = ingest(trailkeep, str(tmp_path / "*.json"), tmp_path / "lake")
    assert "2 files, 5 records: 5 stored" in done.out
    counts = {uid: count for (uid, _), count in picture(tmp_path / "lake").events.items()}
    assert counts == {event_uid(0): 2, event_uid(1): 2, event_uid(2): 1}


def test_what_is_no_known_log_is_told_and_not_kept(trailkeep: Program, tmp_path: Path) -> None:
    logs, lake = tmp_path / "logs", tmp_path / "lake"
    logs.mkdir()
    (logs / "good.json").write_bytes(THREE)
    (logs / "notes.txt").write_text("Dear diary")
    (logs / "other.json").write_text('{"colour": "green"}')
    (logs / "photo.jpg").write_bytes(bytes(range(256)) * 9)
    done = ingest(trailkeep, logs, lake)
    assert done.code == 1
    assert "4 files, 3 records: 3 stored" in done.out
    for name, seen in (("notes.txt", "Dear diary"), ("other.json", "colour"), ("photo.jpg", "")):
        assert re.search(rf"{re.escape(str(logs / name))}: not recognised: .*{seen}", done.err)
    assert picture(lake).totals["objects"] == 1
    alone = ingest(trailkeep, logs / "notes.txt", lake)
    assert alone.code == 1
    assert "nothing new was stored; of the files: 1 not recognised" in alone.out


def test_an_unreadable_file_is_told(trailkeep: Program, tmp_path: Path) -> None:
    (tmp_path / "good.json").write_bytes(THREE)
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    done = ingest(trailkeep, tmp_path, tmp_path / "lake")
    assert "3 stored" in done.out


def test_a_named_source_that_does_not_fit_quarantines_the_file_whole(trailkeep: Program, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(THREE)
    lake = tmp_path / "lake"
    done = ingest(trailkeep, tmp_path / "a.json", lake, "--source", "aws_vpc_flow")
    assert done.code == 1
    ((_, _, _, reason, whole, data),) = picture(lake).quarantine
    assert "cannot be read as aws_vpc_flow" in reason
    assert (whole, data) == (True, THREE)


def test_a_gzip_bomb_waits_in_quarantine_for_a_larger_limit(trailkeep: Program, tmp_path: Path) -> None:
    path, lake = tmp_path / "bomb.json.gz", tmp_path / "lake"
    path.write_bytes(packed(document(*good(2), record(2, userAgent="A" * (3 << 20)))))
    assert path.stat().st_size < 10_000
    done = ingest(trailkeep, path, lake, "--limit-mb", "1")
    assert done.code == 1
    assert "1 file, 1 record: 0 stored, 0 already stored, 1 quarantined" in done.out
    assert "nothing new was stored; of the files: 1 quarantined" in done.out
    (piece,) = rows(trailkeep("quarantine", "list", "--home", lake, "--format", "jsonl"))
    assert piece["object"] == str(path)
    assert "decompresses to more than 1048576 bytes" in piece["reason"]
    retried = trailkeep("quarantine", "retry", "--home", lake, "--limit-mb", "1")
    assert (retried.code, retried.out) == (1, "0 records stored, 1 piece left in the quarantine\n")
    check_retried_once(trailkeep, lake, 3, "--limit-mb", "16")
    assert picture(lake).totals == {
        **{"objects": 1, "records": 3, "stored": 3},
        **{"duplicate": 0, "quarantined": 0, "dropped": 0},
    }
    assert "0 stored, 3 already stored" in ingest(trailkeep, path, lake).out


def test_a_bomb_is_stored_by_a_second_ingest_too(trailkeep: Program, tmp_path: Path) -> None:
    path, lake = tmp_path / "bomb.json.gz", tmp_path / "lake"
    path.write_bytes(packed(document(*good(2), record(2, userAgent="A" * (3 << 20)))))
    ingest(trailkeep, path, lake, "--limit-mb", "1")
    assert ingest(trailkeep, path, lake).code == 0
    assert trailkeep("quarantine", "retry", "--home", lake).out == "0 records stored, 0 pieces left in the quarantine\n"
    assert sum(picture(lake).events.values()) == 3


def check_retried_once(trailkeep: Program, lake: Path, stored: int, *options: str | Path) -> None:
    before = sum(picture(lake).events.values())
    done = trailkeep("quarantine", "retry", "--home", lake, *options)
    assert (done.code, done.out) == (0, f"{counted(stored, 'record')} stored, 0 pieces left in the quarantine\n")
    assert rows(trailkeep("quarantine", "list", "--home", lake, "--format", "jsonl")) == []
    again = trailkeep("quarantine", "retry", "--home", lake, *options)
    assert (again.code, again.out) == (0, "0 records stored, 0 pieces left in the quarantine\n")
    found = picture(lake)
    assert sum(found.events.values()) == found.totals["stored"] == before + stored
    assert found.totals["records"] == found.totals["stored"] + found.totals["duplicate"] + found.totals["quarantined"]


def mend_time(mine: Path) -> None:
    """A source of one's own that gives a time to the records of CloudTrail that have none."""
    mended = mine / "aws_cloudtrail"
    shutil.copytree(SHIPPED / "aws_cloudtrail", mended)
    text = (mended / "map.sql").read_text()
    assert "WHEN r.eventTime IS NULL THEN 'no eventTime'" in text
    text = text.replace("iso_time(r.eventTime)", "iso_time(coalesce(r.eventTime, '2026-11-17T00:00:00Z'))")
    (mended / "map.sql").write_text(text.replace("WHEN r.eventTime IS NULL THEN 'no eventTime'", ""))


def test_a_mended_source_stores_what_the_shipped_one_refused(trailkeep: Program, tmp_path: Path) -> None:
    path, lake, mine = tmp_path / "a.json", tmp_path / "lake", tmp_path / "mine"
    path.write_bytes(NO_TIME)
    assert ingest(trailkeep, path, lake).code == 1
    mend_time(mine)
    check_retried_once(trailkeep, lake, 1, "--sources", mine)
    found = picture(lake)
    assert {uid: count for (uid, _), count in found.events.items()} == {event_uid(n): 1 for n in range(3)}
    assert found.totals == {"objects": 1, "records": 3, "stored": 3, "duplicate": 0, "quarantined": 0, "dropped": 0}
    shown = rows(trailkeep("sql", "SELECT record_no, time FROM events ORDER BY 1", "--home", lake, "--format", "jsonl"))
    assert [row["record_no"] for row in shown] == [0, 1, 2]
    assert "3 already stored" in ingest(trailkeep, path, lake, "--sources", mine).out


def test_digest_files_are_kept_in_the_ledger_with_their_bytes(trailkeep: Program, tmp_path: Path) -> None:
    digest = packed(
        json.dumps(
            {
                "awsAccountId": "111122223333",
                "digestStartTime": "2026-11-17T07:00:00Z",
                "digestEndTime": "2026-11-17T08:00:00Z",
                "digestS3Bucket": "trail-bucket",
                "digestS3Object": "AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/2026/11/17/d.json.gz",
                "logFiles": [],
            }
        ).encode()
    )
    path, lake = tmp_path / "d.json.gz", tmp_path / "lake"
    path.write_bytes(digest)
    done = ingest(trailkeep, path, lake)
    assert done.code == 0
    assert "nothing new was stored; of the files: 1 digests of CloudTrail, kept in the ledger" in done.out
    found = picture(lake)
    assert not found.events
    ((key, _, kind, _, content, *counts),) = found.objects
    assert (key, kind, content, counts) == (str(path), "digest", digest, [0, 0, 0, 0, 0])
    assert "of the files: 1 already stored" in ingest(trailkeep, path, lake).out


def test_paths_as_a_glob_or_twice(trailkeep: Program, tmp_path: Path) -> None:
    for day in ("16", "17"):
        (tmp_path / "logs" / day).mkdir(parents=True)
        (tmp_path / "logs" / day / "a.json").write_bytes(document(record(int(day))))
    logs, lake = tmp_path / "logs", tmp_path / "lake"
    done = trailkeep(
        "ingest", logs / "*" / "*.json", logs / "17", f"{logs}/**/a.json", "--home", lake, "--workers", "1"
    )
    assert "2 files, 2 records: 2 stored" in done.out
    assert trailkeep("ingest", logs / "1[89]" / "*", "--home", lake).code == 2


def test_what_is_still_bad_in_a_file_that_was_all_bad_stays_in_quarantine(trailkeep: Program, tmp_path: Path) -> None:
    path, lake, mine = tmp_path / "a.json", tmp_path / "lake", tmp_path / "mine"
    path.write_bytes(document(record(0, eventTime=None), record(1, eventTime="no time")))
    assert "0 stored, 0 already stored, 2 quarantined" in ingest(trailkeep, path, lake).out
    mend_time(mine)
    done = ingest(trailkeep, path, lake, "--sources", mine)
    assert (done.code, "1 stored, 0 already stored, 1 quarantined" in done.out) == (1, True)
    (piece,) = rows(trailkeep("quarantine", "list", "--home", lake, "--format", "jsonl"))
    assert "can be read as a time" in piece["reason"]
    assert picture(lake).totals["quarantined"] == 1
