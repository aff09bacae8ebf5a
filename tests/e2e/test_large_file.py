"""One file of 300 MB is read whole, record by record, in bounded memory."""

import json
import time
import zlib
from pathlib import Path

import psutil
import pytest

from tests.e2e.program import finish, start, succeed
from tests.e2e.records import record

MB = 1 << 20
SIZE, LIMIT = 300 * MB, 1500 * MB
FILLER = {"filterSet": {"items": [{"name": "tag:team", "valueSet": {"items": [{"value": "x" * 700}]}}]}}


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    path = tmp_path_factory.mktemp("large") / "large.json.gz"
    template = json.dumps(record(0, requestParameters=FILLER)).replace(record(0)["eventID"], "%036d").encode()
    size = number = 0
    squeeze = zlib.compressobj(1, wbits=31)
    with path.open("wb") as file:
        file.write(squeeze.compress(b'{"Records":['))
        while size < SIZE:
            part = b"".join((b"," if n else b"") + template % n for n in range(number, number + 1000))
            file.write(squeeze.compress(part))
            size, number = size + len(part), number + 1000
        file.write(squeeze.compress(b"]}") + squeeze.flush())
    return path, number


def memory(process: psutil.Process) -> int:
    """Of the process and its workers, shared pages once."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def test_memory(large_file: tuple[Path, int], tmp_path: Path) -> None:
    path, records = large_file
    process = start("ingest", path, "--home", tmp_path / "lake")
    watched, most = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            most = max(most, memory(watched))
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    done = finish(process)
    assert done.returncode == 0, done.stderr
    assert f"1 file, {records:,} records: {records:,} stored" in done.stdout
    print(f"{most // MB} MB at most")
    assert 100 * MB < most < LIMIT
    counted = succeed(
        "sql", "SELECT count(DISTINCT event_uid) AS n FROM events", "--home", tmp_path / "lake", "--format", "csv"
    )
    assert counted.stdout == f"n\n{records}\n"
