"""Commands that read the lake: search and sql."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from trailkeep.cli.options import DEFAULT_HOME, FormatOption, HomeOption, SourcesOption, cores, existing
from trailkeep.cli.output import write_rows
from trailkeep.core.source import load_sources
from trailkeep.lake.home import open_home

if TYPE_CHECKING:
    from trailkeep.investigate.search.run import Explain


def search(
    query: Annotated[str, typer.Argument(help="What to find; the reference has the whole language.")],
    since: Annotated[str | None, typer.Option(help="Events at or after this time: 7d, 2026-11-01T08:00.")] = None,
    until: Annotated[str | None, typer.Option(help="Events before this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most events shown, newest first.")] = 100,
    columns: Annotated[str | None, typer.Option(help="Stored columns to show, with commas between.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say what was read to find them.")] = False,
    sources: SourcesOption = None,
    home: HomeOption = DEFAULT_HOME,
    format: FormatOption = "table",
) -> None:
    """Find events: fields, entities, text, ranges, networks; joined by and, or, not.

    Example: trailkeep search 'event_name:Create* and src_ip:203.0.113.0/24' --since 7d
    """
    from trailkeep.engine.reading import connect_lake
    from trailkeep.investigate.search import run

    lake = open_home(home)
    found = run.search(
        connect_lake(lake.warehouse, threads=cores(None)),
        lake,
        load_sources(*existing(sources)),
        query,
        now=datetime.now(UTC),
        since=since,
        until=until,
        limit=limit,
        columns=[name.strip() for name in columns.split(",")] if columns else run.DEFAULT_COLUMNS,
        explain=explain,
    )
    write_rows(found.rows, format, sys.stdout)
    if found.more:
        print(f"the newest {limit:,}; there are more: --limit, or a narrower query", file=sys.stderr)
    if found.explain:
        _tell(found.explain)


def _tell(how: "Explain") -> None:
    print(
        f"files: {how.files_read:,} of {how.files:,} read, {how.files_pruned:,} pruned\n"
        f"bytes: {how.bytes_read:,} of {how.bytes:,} read, and {how.metadata_bytes_read:,} of metadata and sightings",
        file=sys.stderr,
    )
    if how.spans is not None:
        print(f"sightings left {len(how.spans):,} spans of time", file=sys.stderr)
    print(how.sql, file=sys.stderr)


def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT over the views of the lake.")],
    sources: SourcesOption = None,
    home: HomeOption = DEFAULT_HOME,
    format: FormatOption = "table",
) -> None:
    """Run one SELECT on the lake: events, signals, OCSF classes (api_activity, ...), sources (aws_cloudtrail, ...).

    Example: trailkeep sql "SELECT eventName, count(*) FROM aws_cloudtrail GROUP BY ALL"
    """
    from trailkeep.engine.reading import connect_lake
    from trailkeep.lake.views import select

    lake = open_home(home)
    connection = connect_lake(lake.warehouse, threads=cores(None), locked=True)
    write_rows(select(connection, lake, load_sources(*existing(sources)), statement), format, sys.stdout)
