"""Logs of two sources, one record of them bad, and a lake that holds them."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from trailkeep.cli.main import run
from trailkeep.core.source import SHIPPED
from trailkeep.lake.home import open_home
from trailkeep.store.tables import drills

BAD = b"\0 no record"
FLOWS = """\
version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
2 111122223333 eni-0a1b2c3d4e5f60718 198.51.100.7 10.0.0.5 41000 22 6 4 240 1794902400 1794902460 REJECT OK
2 111122223333 eni-0a1b2c3d4e5f60718 10.0.0.5 198.51.100.7 443 50123 6 9 5400 1794902400 1794902460 ACCEPT OK
"""


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CloudTrail file of which one record is bad, and a flow log file."""
    folder = tmp_path_factory.mktemp("logs")
    text = (SHIPPED / "aws_cloudtrail" / "samples" / "api-activity.json").read_bytes()
    end = text.rstrip().rindex(b"]")
    (folder / "trail.json").write_bytes(text[:end] + b"," + BAD + text[end:])
    (folder / "flows.log").write_text(FLOWS)
    return folder


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with a channel that takes everything."""
    path = tmp_path_factory.mktemp("config") / "trailkeep.yaml"
    path.write_text("alerts: {channels: {log: {type: syslog, transport: udp, host: 127.0.0.1, port: 9}}}")
    return path


@pytest.fixture(scope="session")
def lake(logs: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with `logs`, a drill and a test message to the channel of `config` in its state; tests only read it."""
    home = tmp_path_factory.mktemp("cli") / "lake"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as exited:
        patch.setattr(sys, "argv", ["trailkeep", "ingest", str(logs), "--home", str(home), "--workers", "1"])
        run()
    assert exited.value.code == 1  # the bad record
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as exited:
        patch.setattr(sys, "argv", ["trailkeep", "alerts", "test", "log", "--config", str(config), "--home", str(home)])
        run()
    assert exited.value.code == 0
    began = datetime(2026, 11, 29, 12, tzinfo=UTC)
    row = {
        "id": "drill-20261129-120000-0123abcd",
        "state": "passed",
        "began": began,
        "ended": began + timedelta(minutes=1),
    }
    with open_home(home).state.begin() as connection:
        connection.execute(insert(drills).values(**row, who="dana", target="ingest", steps=[]))
    return home
