"""The command that stores log files, and what it says of them."""

import sys
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from trailkeep.cli import setup
from trailkeep.cli.options import (
    DEFAULT_HOME,
    DEFAULT_LIMIT_MB,
    DeclaredOption,
    HomeOption,
    LimitOption,
    RulesOption,
    SourceOption,
    SourcesOption,
    WorkersOption,
    cores,
)
from trailkeep.cli.output import counted
from trailkeep.collect.files import LogFile, find_files
from trailkeep.core.errors import UsageError
from trailkeep.ingest import BATCH_BYTES, Report
from trailkeep.ingest import ingest as ingest_files
from trailkeep.lake.entries import ObjectEntry
from trailkeep.lake.home import create_home
from trailkeep.pipeline import settings_of

SHOWN = 20
ASK_ABOVE_GB = 10


def ingest(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, globs or s3://bucket/prefix.", metavar="PATH...")],
    home: HomeOption = DEFAULT_HOME,
    source: SourceOption = None,
    sources: SourcesOption = None,
    rules: RulesOption = None,
    config: DeclaredOption = None,
    no_rules: Annotated[bool, typer.Option("--no-rules", help="Store only; run no rules.")] = False,
    workers: WorkersOption = None,
    limit_mb: LimitOption = DEFAULT_LIMIT_MB,
    batch_mb: Annotated[float, typer.Option(help="Raw megabytes in one commit.", min=0.01, max=1 << 20)] = BATCH_BYTES
    / 2**20,
    yes: Annotated[bool, typer.Option("--yes", help=f"Agree to fetch more than {ASK_ABOVE_GB} GB from S3.")] = False,
) -> None:
    """Store log files: recognise, map, run rules, commit. Exactly once, however often it is run.

    Example: trailkeep ingest AWSLogs/ --home lake
    """
    files = _found(paths, yes)
    reading = setup.reading_of(sources, source, limit_mb)
    pack = None if no_rules else setup.rules_of(rules, setup.lists_of(config))
    if pack:
        setup.say_waiting(pack)
    lake = create_home(home)
    settings = settings_of(lake, reading, setup.matcher_of(pack, dict(reading.sources)))
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("ingest", total=len(files))
        report = ingest_files(
            settings,
            files,
            min(cores(workers), len(files)),
            batch_bytes=int(batch_mb * 2**20),
            progress=lambda done: progress.advance(task, done),
        )
    tell(report, files)
    raise typer.Exit(0 if report.clean else 1)


def _found(paths: list[str], yes: bool) -> list[LogFile]:
    """The files behind `paths`, of which some may be in S3: what these cost is said first."""
    local = [path for path in paths if not path.startswith("s3://")]
    files = find_files(local) if local else []
    far = [path for path in paths if path.startswith("s3://")]
    if far:
        from trailkeep.collect.s3_files import find_objects  # it takes long to import

        for url in far:
            objects, estimate = find_objects(url)
            print(f"{url}: {estimate}", file=sys.stderr)
            if estimate.bytes > ASK_ABOVE_GB * 1e9 and not yes:
                raise UsageError(f"{url}: more than {ASK_ABOVE_GB} GB: agree to it by --yes, or name a longer prefix")
            files += objects
    return files


def tell(report: Report, files: list[LogFile]) -> None:
    """Say what was stored, and why what was not."""
    stored, duplicate, quarantined = (report.total(n) for n in ("stored", "duplicate", "quarantined"))
    print(
        f"{counted(len(files), 'file')}, {counted(report.total('records'), 'record')}: {stored:,} stored, "
        f"{duplicate:,} already stored, {quarantined:,} quarantined"
    )
    if report.recovered:
        print(f"{report.recovered} batches of an interrupted run were finished first")
    by_source = Counter[str]()
    for entry in report.entries:
        by_source[entry.source or "unknown"] += entry.stored
    for name, count in sorted(by_source.items()):
        if count:
            print(f"  {name}: {counted(count, 'event')}")
    if report.signals:
        print(f"  {counted(report.signals, 'signal')}; see `trailkeep alerts list`")
    _complain([*report.unrecognised, *report.failed])
    bad = [
        (e.key, f"{e.quarantined} of {e.records} records quarantined; see `trailkeep quarantine list`")
        for e in report.entries
        if e.quarantined
    ]
    _complain(bad)
    if not stored:
        print(f"nothing new was stored; of the files: {_why(report)}")


def _why(report: Report) -> str:
    reasons = Counter(_fate(entry) for entry in report.entries)
    reasons["not recognised"] += len(report.unrecognised)
    reasons["could not be read"] += len(report.failed)
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common() if count)


def _fate(entry: ObjectEntry) -> str:
    if entry.quarantined:
        return "quarantined"
    return entry.reason or _KEPT.get(entry.kind, "stored")


_KEPT = {"digest": "digests of CloudTrail, kept in the ledger", "archive": "archives, opened"}


def _complain(problems: list[tuple[str, str]]) -> None:
    for key, reason in problems[:SHOWN]:
        print(f"{key}: {reason}", file=sys.stderr)
    if len(problems) > SHOWN:
        print(f"... and {counted(len(problems) - SHOWN, 'more file')}", file=sys.stderr)
