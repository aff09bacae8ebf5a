"""The command that prints OCSF events of log files."""

import sys
from typing import Annotated

import typer

from trailkeep.cli import setup
from trailkeep.cli.options import DEFAULT_LIMIT_MB, LimitOption, PathsArgument, SourceOption, SourcesOption
from trailkeep.collect.files import find_files
from trailkeep.core.errors import UsageError
from trailkeep.ocsf_lines import ocsf_lines


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
    unread = 0
    for lines, problems in ocsf_lines(setup.reading_of(sources, source, limit_mb), find_files(paths)):
        for line in lines:
            sys.stdout.buffer.write(line + b"\n")
        unread += len(problems)
        for key, reason in problems:
            print(f"{key}: {reason}", file=sys.stderr)
    raise typer.Exit(1 if unread else 0)
