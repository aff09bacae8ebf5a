"""The service is killed while it follows a file that grows and is rotated: every line is in the lake exactly once."""

import json
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

from tests.e2e.picture import picture
from tests.e2e.program import finish, kill_group, start, succeed
from tests.e2e.records import event_uid, record

KILLS, SEED = 6, 3
RULE = """title: None\nid: 6b6f62a6-0000-4000-8000-000000000001\nstatus: test\nlevel: low
logsource: {product: aws, service: cloudtrail}\ndetection: {s: {eventName: NeverHappens}, condition: s}\n"""


def objects(lake: Path) -> int:
    """How many objects the ledger has."""
    with (
        suppress(sqlite3.OperationalError),
        closing(sqlite3.connect(f"file:{lake}/state.db?mode=ro", uri=True)) as state,
    ):
        return int(state.execute("SELECT count(*) FROM objects").fetchone()[0])
    return 0


def test_kills(tmp_path: Path) -> None:
    rng, count = random.Random(SEED), 0
    lake, config, log, rules = (tmp_path / name for name in ("lake", "trailkeep.yaml", "logs/app.log", "rules"))
    log.parent.mkdir()
    rules.mkdir()
    (rules / "rule.yml").write_text(RULE)
    told = {"type": "tail", "files": [f"{log}*"], "poll_seconds": 0.05}
    commit = {"seconds": 0.05, "megabytes": 0.02}
    config.write_text(json.dumps({"rules": [str(rules)], "commit": commit, "collect": {"app": told}}))

    def write(lines: int) -> None:
        nonlocal count
        with log.open("a") as file:
            for _ in range(lines):
                file.write(json.dumps(record(count)) + "\n")
                count += 1

    for number in range(KILLS):
        process = start("collect", "--config", config, "--home", lake)
        before, until = objects(lake), time.monotonic() + 60
        while time.monotonic() < until:
            if until > time.monotonic() + 3 and objects(lake) > before:  # it works
                until = time.monotonic() + rng.uniform(0, 2)
            assert process.poll() is None, process.communicate()
            write(rng.randrange(40))
            if rng.random() < 0.05:
                log.rename(log.with_name(f"app.log.{number}-{count}"))
            time.sleep(0.05)
        if number % 3 == 2:
            process.terminate()
            assert finish(process).returncode == 0
        else:
            kill_group(process)
    succeed("collect", "--config", config, "--home", lake, "--once")
    found = picture(lake)
    print(f"\n{KILLS} ends, {count:,} lines, {len(list(log.parent.iterdir()))} files, {len(found.objects)} objects")
    assert len(found.objects) > KILLS
    assert Counter(uid for uid, _ in found.events.elements()) == Counter(map(event_uid, range(count)))
    assert not found.quarantine and not list((lake / "spool/fetched/app").iterdir())
