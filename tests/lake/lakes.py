"""Names of objects in, small lakes out: what an ingest does, with invented events and a process to kill."""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa

from trailkeep.core.columns import SIGNAL_SOURCE
from trailkeep.lake.commit import Batch, commit, intend
from trailkeep.lake.entries import ObjectEntry
from trailkeep.lake.home import Home, create_home
from trailkeep.lake.ledger import mark_done, stored_files
from trailkeep.lake.quarantine import QuarantineWriter
from trailkeep.lake.reconcile import reconcile
from trailkeep.lake.seal import merkle_root
from trailkeep.lake.shard import Shard, write_events
from trailkeep.lake.tables import events_arrow_schema, events_table

START = datetime(2024, 3, 1, tzinfo=UTC)
RECORDS = 12
_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.lake.lakes", "trailkeep.lake.compact"])


def digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def make_events(name: str, batch_id: str, rows: int = RECORDS, days: int = 1) -> pa.Table:
    """The events of the object `name`: always the same ones, of two sources, the last one a signal."""
    choose = random.Random(name)
    return pa.Table.from_pylist(
        [
            {
                "time": START + timedelta(seconds=choose.randrange(days * 86_400)),
                "source": SIGNAL_SOURCE if number == rows - 1 else choose.choice(["cloud", "flow"]),
                "account_uid": choose.choice(["111122223333", "444455556666"]),
                "service": choose.choice(["s3", "iam", None]),
                "event_name": choose.choice(["GetObject", "CreateUser", None]),
                "src_ip": f"198.51.100.{choose.randrange(9)}",
                "event_uid": f"{name}-{number}",
                "severity_id": 1,
                "entities": [f"198.51.100.{choose.randrange(9)}", name] if number % 3 else [],
                "batch_id": batch_id,
                "object_id": digest(name)[:32],
                "record_no": number,
                "raw_sha256": sha256(f"{name}-{number}".encode()).digest(),
                "map_version": 1,
                "ingest_time": START,
                "raw_data": f'{{"id":"{name}-{number}"}}',
            }
            for number in range(rows)
        ],
        schema=_SCHEMA,
    )


_SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("us", "UTC")),
        *((name, pa.string()) for name in ("source", "account_uid", "service", "event_name", "src_ip")),
        ("event_uid", pa.string()),
        ("severity_id", pa.int32()),
        ("entities", pa.list_(pa.string())),
        *((name, pa.string()) for name in ("batch_id", "object_id")),
        ("record_no", pa.int32()),
        ("raw_sha256", pa.binary()),
        ("map_version", pa.int32()),
        ("ingest_time", pa.timestamp("us", "UTC")),
        ("raw_data", pa.string()),
    ]
)


def make_shard(home: Home, name: str, batch_id: str, names: Sequence[str]) -> Shard:
    """What a worker makes of objects: files, entries, signals, roots, and a quarantine file."""
    shard = Shard()
    known = stored_files(home.state, map(digest, names))
    tables = []
    for key in names:
        entry = ObjectEntry(
            key=key,
            sha256=digest(key),
            object_id=digest(key)[:32],
            stored_sha256=digest(key),
            stored_size=1,
            size=1,
            records=RECORDS,
            stored=RECORDS,
        )
        if entry.sha256 in known:
            shard.entries += [replace(same, key=key).as_duplicate() for same in known[entry.sha256]]
            continue
        table = make_events(key, batch_id)
        shard.entries.append(entry)
        shard.roots[entry.object_id] = merkle_root(table["raw_sha256"].to_pylist())
        tables.append(table)
    if tables:
        events = pa.concat_tables(tables)
        shard.signals.append(events.filter(pa.compute.equal(events["source"], SIGNAL_SOURCE)))
        schema = events_arrow_schema(events_table(home))
        shard.files.extend(write_events(home.events_data, f"{batch_id}-{name}", events, schema))
        bad = QuarantineWriter(home, f"{batch_id}-{name}")
        bad.add(b"bad bytes")
        bad.close()
    return shard


def store(home: Home, writer: str, names: Sequence[str], batch_id: str | None = None) -> Batch:
    """Store objects as one batch of two shards, up to its ledger rows."""
    batch_id = batch_id or uuid4().hex
    intend(home, batch_id, writer, list(names))
    halves = [names[: len(names) // 2], names[len(names) // 2 :]]
    return commit(home, batch_id, [make_shard(home, str(n), batch_id, half) for n, half in enumerate(halves)])


def ingest(path: Path, batches: Sequence[Sequence[str]]) -> None:
    """Recover, then store each list of objects as a batch and finish it."""
    home = create_home(path)
    for batch_id in reconcile(home):
        finish(home, batch_id)
    with home.writer() as writer:
        for names in batches:
            finish(home, store(home, writer, names).batch_id)


def finish(home: Home, batch_id: str) -> None:
    with home.state.begin() as connection:
        mark_done(connection, batch_id)


def contents(home: Home) -> Counter[tuple[str, bytes]]:
    """The multiset of (event_uid, raw_sha256)."""
    rows = events_table(home).scan(selected_fields=("event_uid", "raw_sha256")).to_arrow()
    return Counter(zip(rows["event_uid"].to_pylist(), rows["raw_sha256"].to_pylist(), strict=True))


def expected(names: Sequence[str]) -> Counter[tuple[str, bytes]]:
    """What a lake must hold that stores each of `names` once."""
    tables = [make_events(name, "") for name in dict.fromkeys(names)]
    return Counter(
        pair
        for table in tables
        for pair in zip(table["event_uid"].to_pylist(), table["raw_sha256"].to_pylist(), strict=True)
    )


def files_under(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def start(function: Callable[..., Any], *arguments: Any, failpoint: str = "") -> Any:
    """`function` in a process of its own, which is killed at `failpoint`."""
    process = _PROCESSES.Process(target=_run, args=(failpoint, function, arguments))
    process.start()
    return process


def killed_at(failpoint: str, function: Callable[..., Any], *arguments: Any) -> None:
    """Run `function` in a process of its own and see it killed at `failpoint`."""
    process = start(function, *arguments, failpoint=failpoint)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, f"{failpoint} was not passed"


def completes(process: Any) -> None:
    process.join(60)
    assert process.exitcode == 0


def _run(failpoint: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.environ["TRAILKEEP_FAILPOINT"] = failpoint
    function(*arguments)
