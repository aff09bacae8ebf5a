"""Logs of three days for all tests here, and what a lake must hold that stored them undisturbed."""

import gzip
import shutil
from pathlib import Path

import pytest

from bench.generator import generate
from tests.content.conftest import real_samples as real_samples
from tests.e2e.picture import Picture, picture
from tests.e2e.program import run
from trailkeep.core.source import SHIPPED

EVENTS, FILES = 600, 24


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CloudTrail and flow logs: good files, one under two names, one with bad records, one that is all bad."""
    folder = tmp_path_factory.mktemp("generated")
    generate(folder, EVENTS, files=FILES, seed=11, days=3)
    logs = folder / "AWSLogs"
    first, *_, last = sorted(logs.rglob("*.json.gz"))
    shutil.copy(first, last.with_name("again-" + first.name))
    for source in ("aws_cloudtrail", "aws_vpc_flow"):
        for sample in (SHIPPED / source / "samples").iterdir():
            shutil.copy(sample, logs / f"{source}-{sample.name}")
    (logs / "broken.json").write_bytes(b'{"Records": [' + b"\0" * 99)
    (logs / "cut.json.gz").write_bytes(gzip.compress(gzip.decompress(first.read_bytes()) + b"\n")[:-900])
    return logs


@pytest.fixture(scope="session")
def undisturbed(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Picture:
    """What one ingest of `logs` in one batch makes."""
    lake = tmp_path_factory.mktemp("undisturbed") / "lake"
    done = run("ingest", logs, "--home", lake, "--workers", "1")
    assert done.returncode == 1, done.stderr  # there is something in quarantine
    found = picture(lake)
    assert found.totals["duplicate"] and found.totals["quarantined"] and found.alerts
    return found
