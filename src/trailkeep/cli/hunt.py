"""The command that runs rules on log files."""

import sys
from typing import Annotated

import pyarrow as pa
import typer

from trailkeep.cli import setup
from trailkeep.cli.options import (
    DEFAULT_LIMIT_MB,
    DeclaredOption,
    FormatOption,
    LimitOption,
    PathsArgument,
    RulesOption,
    SourceOption,
    SourcesOption,
    WorkersOption,
    cores,
)
from trailkeep.cli.output import counted, write_rows
from trailkeep.collect.files import find_files
from trailkeep.core.errors import UsageError
from trailkeep.core.levels import LEVELS
from trailkeep.hunt import MATCHES, Found
from trailkeep.hunt import hunt as hunt_files


def hunt(
    paths: PathsArgument,
    rules: RulesOption = None,
    source: SourceOption = None,
    sources: SourcesOption = None,
    config: DeclaredOption = None,
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
    pack = setup.rules_of(rules, setup.lists_of(config))
    setup.say_waiting(pack)
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
    rule_count = counted(len(pack.met_by_events), "rule")
    print(f"{counted(total.events, 'event')} in {counted(len(files), 'file')}, {rule_count}", file=sys.stderr)
    reached = fail_on is not None and any(LEVELS.index(level) >= LEVELS.index(fail_on) for level in levels)
    raise typer.Exit(1 if total.unread or reached else 0)
