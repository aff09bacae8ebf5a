"""A data set in, one measured and checked run of the product or of the baseline over it out."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from bench.generator import GeneratedData
from bench.measure import BenchError, Usage, measure, measure_together
from trailkeep.lake.home import open_home
from trailkeep.lake.tables import events_table

WORKERS = 2  # named, not the default, so that figures of machines with other numbers of cores compare
SOURCE = "aws_cloudtrail"


@dataclass(frozen=True)
class Runs:
    """Where runs happen; everything they write below `folder` is removed after use."""

    folder: Path

    def baseline(self, data: GeneratedData, threads: int | None = None) -> Usage:
        """The plain DuckDB baseline, on all cores unless told otherwise."""
        with self._fresh("baseline.parquet") as target:
            usage = measure(_baseline(data, target, threads))
            _expect(data.events, pq.read_metadata(target).num_rows, "rows in the baseline's file")
        return usage

    def baselines_together(self, data: GeneratedData, copies: int) -> float:
        """Wall seconds of several one-thread copies of the baseline side by side, each over all of `data`."""
        with self._fresh("baselines") as folder:
            folder.mkdir()
            targets = [folder / f"{number}.parquet" for number in range(copies)]
            seconds = measure_together([_baseline(data, target, 1) for target in targets])
            for target in targets:
                _expect(data.events, pq.read_metadata(target).num_rows, "rows in the baseline's file")
        return seconds

    def ingest(self, data: GeneratedData, rules: Path | None, workers: int = WORKERS) -> Usage:
        """`trailkeep ingest` into a fresh lake, which must hold every event afterwards."""
        with self.lake(data, rules, workers) as (_, usage):
            return usage

    @contextmanager
    def lake(self, data: GeneratedData, rules: Path | None, workers: int = WORKERS) -> Iterator[tuple[Path, Usage]]:
        """The lake of an ingest, for as long as the block runs, and what it cost."""
        with self._fresh("lake") as home:
            usage = measure(ingest_command(data.folder / "AWSLogs", home, rules, workers))
            _expect(data.events, stored_events(home), "events in the lake")
            yield home, usage

    def loading(self, rules: Path | None) -> tuple[Usage, Usage]:
        """Ingests of a file without records, so that rules are loaded and nothing else: cold cache, then warm."""
        with self._fresh("lake") as home, self._fresh("empty") as folder:
            folder.mkdir()
            file = folder / "111122223333_CloudTrail_us-east-1_20261001T0000Z_AAAAAAAAAAAAAAAA.json"
            file.write_text('{"Records":[]}')
            command = ingest_command(folder, home, rules, WORKERS)
            return measure(command), measure(command)

    def hunt(self, data: GeneratedData, rules: Path) -> tuple[Usage, int]:
        """`trailkeep hunt` with nothing cached from earlier runs, and how many matches it printed."""
        with self._fresh("matches.jsonl") as matches, self._fresh("user") as user:
            user.mkdir()
            hunt = trailkeep("hunt", data.folder / "AWSLogs", "--rules", rules, "--workers", WORKERS)
            usage = measure(["env", f"HOME={user}", *hunt, "--format", "jsonl"], stdout=matches)
            with matches.open("rb") as lines:
                return usage, sum(1 for _ in lines)

    @contextmanager
    def _fresh(self, name: str) -> Iterator[Path]:
        path = self.folder / name
        _remove(path)
        try:
            yield path
        finally:
            _remove(path)


def trailkeep(*arguments: object) -> list[str]:
    """The command line of the installed program."""
    return [str(Path(sys.executable).with_name("trailkeep")), *map(str, arguments)]


def ingest_command(logs: Path, home: Path, rules: Path | None, workers: int) -> list[str]:
    """`trailkeep ingest` of `logs` with these rules, or with none."""
    with_rules: Sequence[object] = ("--no-rules",) if rules is None else ("--rules", rules)
    return trailkeep("ingest", logs, "--home", home, "--workers", workers, *with_rules)


def stored_events(home: Path) -> int:
    """How many CloudTrail events a lake holds, by the Iceberg table's own metadata and not by our engine."""
    return events_table(open_home(home)).scan(row_filter=f"source == '{SOURCE}'").count()


def _baseline(data: GeneratedData, target: Path, threads: int | None) -> list[str]:
    limit = [] if threads is None else ["--threads", str(threads)]
    return [sys.executable, "-m", "bench.baseline", str(data.folder), str(target), *limit]


def _expect(wanted: int, found: int, what: str) -> None:
    if found != wanted:
        raise BenchError(f"{found:,} {what}, not the {wanted:,} that were generated")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
