"""Writers at the same time, and compaction beside them: each object once."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.picture import Picture, picture, stray_files
from tests.e2e.program import finish, run, start, succeed

SMALL_BATCHES = ("--batch-mb", "0.1")


def without_keys(found: Picture) -> Picture:
    """The picture without the names of objects: of two with one content, either may be the one that is stored."""
    contents = Counter[tuple[str, str, int]]()
    for _, sha256, _, _, _, _, stored, *_ in found.objects:
        contents[sha256, "stored", 0] += stored
    return replace(found, objects=contents)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_overlapping_files(logs: Path, undisturbed: Picture, tmp_path: Path, workers: str) -> None:
    lake = tmp_path / "lake"
    files = sorted(path for path in logs.rglob("*") if path.is_file())
    third = len(files) // 3
    # One of all, and one that begins where the other is in the middle: they meet wherever they are.
    parts = (files, files[third:], files[: 2 * third])
    options = ("--home", lake, "--workers", workers, *SMALL_BATCHES)
    done = [finish(process) for process in [start("ingest", *part, *options) for part in parts]]
    for one, part in zip(done, parts, strict=True):
        assert one.returncode in (0, 1), one.stderr  # 1 where it met what goes to the quarantine
        assert f"{len(part)} files, " in one.stdout
    assert without_keys(picture(lake)) == without_keys(undisturbed)
    assert stray_files(lake) == set()
    stored = [int(re.search(r"([\d,]+) stored", one.stdout)[1].replace(",", "")) for one in done]  # type: ignore[index]
    assert sum(stored) == undisturbed.totals["stored"]


def test_compaction_beside_a_running_ingest(logs: Path, undisturbed: Picture, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    ingest = start("ingest", logs, "--home", lake, "--workers", "2", "--batch-mb", "0.03")
    merged = 0
    while ingest.poll() is None:
        if not (lake / "state.db").exists():
            continue
        # Without grace: whatever it may remove, it removes while the ingest needs its own.
        done = run("compact", "--home", lake, "--grace-minutes", "0")
        assert done.returncode == 0, done.stderr
        merged += int(done.stdout.split()[0].replace(",", ""))
    done = finish(ingest)
    assert done.returncode == 1, done.stderr  # there is something in quarantine
    assert f"{undisturbed.totals['stored']:,} stored" in done.stdout
    assert merged > 10
    assert picture(lake) == undisturbed
    succeed("compact", "--home", lake, "--grace-minutes", "0")
    assert picture(lake) == undisturbed
    assert stray_files(lake) == set()
