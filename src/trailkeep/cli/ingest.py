"""Commands that read log files: ingest, normalize, hunt."""

import sys
from collections import Counter
from typing import Annotated

import pyarrow as pa
import typer
from rich.console import Console
from rich.progress import Progress

from trailkeep.cli import setup
from trailkeep.cli.options import (
    DEFAULT_HOME,
    DEFAULT_LIMIT_MB,
    FormatOption,
    HomeOption,
    LimitOption,
    RulesOption,
    SourceOption,
    SourcesOption,
    WorkersOption,
    cores,
)
from trailkeep.cli.output import counted, write_rows
from trailkeep.collect.files import LogFile, find_files
from trailkeep.core.errors import UsageError
from trailkeep.core.levels import LEVELS
from trailkeep.hunt import MATCHES, Found
from trailkeep.hunt import hunt as hunt_files
from trailkeep.ingest import BATCH_BYTES, Report
from trailkeep.ingest import ingest as ingest_files
from trailkeep.lake.home import create_home
from trailkeep.lake.ledger import ObjectEntry

PathsArgument = Annotated[list[str], typer.Argument(help="Files, folders or globs.", metavar="PATH...")]
SHOWN = 20


def ingest(
    paths: PathsArgument,
    home: HomeOption = DEFAULT_HOME,
    source: SourceOption = None,
    sources: SourcesOption = None,
    rules: RulesOption = None,
    no_rules: Annotated[bool, typer.Option("--no-rules", help="Store only; run no rules.")] = False,
    workers: WorkersOption = None,
    limit_mb: LimitOption = DEFAULT_LIMIT_MB,
    batch_mb: Annotated[float, typer.Option(help="Raw megabytes in one commit.", min=0.01, max=1 << 20)] = BATCH_BYTES
    / 2**20,
) -> None:
    """Store log files: recognise, map, run rules, commit. Exactly once, however often it is run.

    Example: trailkeep ingest AWSLogs/ --home lake
    """
    files = find_files(paths)
    reading = setup.reading_of(sources, source, limit_mb)
    pack = None if no_rules else setup.rules_of(rules)
    lake = create_home(home)
    settings = setup.settings_of(lake, reading, setup.matcher_of(pack, dict(reading.sources)))
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
    return entry.reason or ("digests of CloudTrail, kept in the ledger" if entry.kind == "digest" else "stored")


def _complain(problems: list[tuple[str, str]]) -> None:
    for key, reason in problems[:SHOWN]:
        print(f"{key}: {reason}", file=sys.stderr)
    if len(problems) > SHOWN:
        print(f"... and {counted(len(problems) - SHOWN, 'more file')}", file=sys.stderr)


def normalize(
    paths: PathsArgument,
    source: SourceOption = None,
    sources: SourcesOption = None,
    limit_mb: LimitOption = DEFAULT_LIMIT_MB,
    format: Annotated[str, typer.Option(help="Only jsonl: a JSON object a line.")] = "jsonl",
) -> None:
    """Print the OCSF 1.5.0 event of every record as a JSON line; nothing is stored.

    Example: trailkeep normalize trail.json.gz | head -1
    """
    if format != "jsonl":
        raise UsageError(f"no format {format!r} here: OCSF events nest, so they are printed as jsonl")
    from trailkeep.ocsf_lines import ocsf_lines  # takes long to import, and no other command needs it

    unread = 0
    for lines, problems in ocsf_lines(setup.reading_of(sources, source, limit_mb), find_files(paths)):
        for line in lines:
            sys.stdout.buffer.write(line + b"\n")
        unread += len(problems)
        for key, reason in problems:
            print(f"{key}: {reason}", file=sys.stderr)
    raise typer.Exit(1 if unread else 0)


def hunt(
    paths: PathsArgument,
    rules: RulesOption = None,
    source: SourceOption = None,
    sources: SourcesOption = None,
    format: FormatOption = "table",
    fail_on: Annotated[str | None, typer.Option(help="Exit 1 if a rule of this level or above matched.")] = None,
    workers: WorkersOption = None,
    limit_mb: LimitOption = DEFAULT_LIMIT_MB,
) -> None:
    """Run rules on log files as AWS delivers them; nothing is stored.

    Example: trailkeep hunt AWSLogs/ --rules my-rules/ --format jsonl --fail-on high
    """
    if fail_on is not None and fail_on not in LEVELS:
        raise UsageError(f"no level {fail_on!r}; one of {', '.join(LEVELS)}")
    files = find_files(paths)
    reading = setup.reading_of(sources, source, limit_mb)
    pack = setup.rules_of(rules)
    total = Found()
    levels: set[str] = set()
    matcher = setup.matcher_of(pack, dict(reading.sources))
    for found in hunt_files(reading, matcher, files, min(cores(workers), len(files))):
        total.events += found.events
        total.unread += found.unread
        levels.update(match["level"] for match in found.matches)
        if format == "jsonl":
            write_rows(pa.Table.from_pylist(found.matches, schema=MATCHES), format, sys.stdout)
        else:
            total.matches += found.matches
        for key, reason in found.unread:
            print(f"{key}: {reason}", file=sys.stderr)
    if format != "jsonl":
        write_rows(pa.Table.from_pylist(total.matches, schema=MATCHES), format, sys.stdout)
    print(
        f"{counted(total.events, 'event')} in {counted(len(files), 'file')}, {counted(len(pack.rules), 'rule')}",
        file=sys.stderr,
    )
    reached = fail_on is not None and any(LEVELS.index(level) >= LEVELS.index(fail_on) for level in levels)
    raise typer.Exit(1 if total.unread or reached else 0)
