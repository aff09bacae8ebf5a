"""How late senders are and which logs hold debug messages: from a lake into which such events went, and in `status`."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Program
from tests.e2e.records import record
from trailkeep.core.source import load_sources
from trailkeep.engine.reading import connect_lake
from trailkeep.investigate import debug_logs as module
from trailkeep.investigate.debug_logs import debug_logs
from trailkeep.investigate.senders import senders
from trailkeep.lake.home import create_home, open_home
from trailkeep.lake.views import register_views

RECEIVED = datetime(2026, 11, 17, 9, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def spooled(sender: str, records: list[Any], **said: Any) -> list[str]:
    """Lines as our receivers write them."""
    head = {"protocol": "syslog", "received": "2026-11-17T09:00:00Z", "sender": sender, "batch": f"b-{sender}"} | said
    return [json.dumps({"trailkeep": head, "record": record}) for record in records]


def events(first: int, *late: float) -> list[str]:
    """CloudTrail records that happened so many seconds before they were received."""
    return [
        json.dumps(record(first + number, eventTime=(RECEIVED - timedelta(seconds=each)).isoformat()[:19] + "Z"))
        for number, each in enumerate(late)
    ]


@pytest.fixture
def lake(tmp_path: Path, trailkeep: Program) -> Path:
    app = {"timestamp": "2026-11-17T08:59:58Z", "message": "x", "logger": "a.b"}
    lines = [
        *spooled("10.0.0.1", events(0, 1, 2, 3)),
        *spooled("10.0.0.2", events(10, -3600, -7200, 60, 61)),
        *spooled("CN=web", [json.dumps(app | {"level": level}) for level in ("DEBUG", "INFO", "debug", "WARN")]),
        *spooled("host", [json.dumps(app | {"level": "trace"})], protocol="file", path="/var/log/orders-test/a.log"),
    ]
    (tmp_path / "spool.jsonl").write_text("\n".join(lines) + "\n")
    done = trailkeep("ingest", tmp_path / "spool.jsonl", "--home", tmp_path / "lake", "--workers", "1")
    assert done.code == 0, done.err
    return tmp_path / "lake"


def test_senders(lake: Path) -> None:
    home = open_home(lake)
    with connect_lake(home.warehouse) as connection:
        rows = senders(connection, home, LONG_AGO).to_pylist()
        assert senders(connection, home, datetime(2100, 1, 1, tzinfo=UTC)).num_rows == 0
    found = {row["sender"]: row for row in rows if row["source"] == "aws_cloudtrail"}
    good, bad = found["10.0.0.1"], found["10.0.0.2"]
    assert rows[0] == bad
    assert (good["events"], good["median_seconds"], good["most_seconds"], good["future_share"]) == (3, 2, 3, 0)
    assert good["ahead_seconds"] == 0
    assert (bad["events"], bad["median_seconds"], bad["most_seconds"]) == (4, -1770, 61)
    assert (bad["future_share"], bad["ahead_seconds"], bad["protocol"]) == (0.5, 7200, "syslog")


def test_debug_logs(lake: Path) -> None:
    home = open_home(lake)
    with connect_lake(home.warehouse) as connection:
        rows = debug_logs(connection, home, load_sources(), LONG_AGO).to_pylist()
        assert debug_logs(connection, home, load_sources(), datetime(2100, 1, 1, tzinfo=UTC)).num_rows == 0
    assert [(row["log"], row["events"], row["debug"], row["share"], row["production"]) for row in rows] == [
        ("/var/log/orders-test/a.log", 1, 1, 1.0, False),
        ("CN=web", 4, 2, 0.5, True),
    ]


def test_status_tells_both(lake: Path, trailkeep: Program) -> None:
    said = trailkeep("status", "--home", lake).err
    assert re.search(r"sender 10\.0\.0\.2 \(syslog, aws_cloudtrail\): 4 events received -1,770\.0 s after", said)
    assert "at most 61.0 s; 50.0% in the future, up to 7,200.0 s" in said
    assert "debug messages: 50.0% of 4 events of app_json CN=web: not for production" in said
    assert "orders-test" not in said


def test_every_source_can_be_asked(tmp_path: Path) -> None:
    """No source's mapping breaks the report; over no events, for the question alone is in doubt."""
    sources = load_sources()
    home = create_home(tmp_path / "lake")
    with connect_lake(home.warehouse) as connection:
        register_views(connection, home, {}, ())
        recent = module._bound(module._RECENT, since=LONG_AGO.isoformat())
        for source in sources.values():
            assert module._of_source(connection, source, recent) == []
