"""Commands that look after the lake: status, compact, quarantine."""

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow as pa
import typer

from trailkeep.alert import outbox
from trailkeep.cli import setup
from trailkeep.cli.options import (
    DEFAULT_HOME,
    DEFAULT_LIMIT_MB,
    DeclaredOption,
    FormatOption,
    HomeOption,
    LimitOption,
    RulesOption,
    SourcesOption,
    cores,
)
from trailkeep.cli.output import counted, write_rows
from trailkeep.core.source import load_sources
from trailkeep.ingest import recover
from trailkeep.lake import ledger, progress
from trailkeep.lake import quarantine as pieces
from trailkeep.lake.drills import last_drill
from trailkeep.lake.home import Home, adopt_home, open_home
from trailkeep.pipeline import settings_of

if TYPE_CHECKING:
    from trailkeep.engine.duckdb import Connection

_MOST = 20  # senders and logs shown

quarantine = typer.Typer(
    help="What could not be stored: list it, try again.", no_args_is_help=True, rich_markup_mode=None
)


def status(
    home: HomeOption = DEFAULT_HOME,
    completeness: Annotated[
        bool, typer.Option("--completeness", help="Show what arrived hour by hour, and what should have.")
    ] = False,
    hours: Annotated[int, typer.Option(min=1, help="Hours to look back for what is missing.")] = 48,
    format: FormatOption = "table",
) -> None:
    """Show what the lake holds by source, and what is missing and why.

    Example: trailkeep status --completeness --hours 24
    """
    from trailkeep.engine.reading import connect_lake
    from trailkeep.lake.completeness import Rhythm
    from trailkeep.lake.completeness import completeness as look

    lake = open_home(home)
    connection, now = connect_lake(lake.warehouse, threads=cores(None)), datetime.now(UTC)
    found = look(connection, lake, now, hours, Rhythm())
    if completeness:
        write_rows(found, format, sys.stdout)
        raise typer.Exit(1 if any(found["missing"].to_pylist()) else 0)
    write_rows(pa.Table.from_pylist(ledger.by_source(lake.state), schema=ledger.BY_SOURCE), format, sys.stdout)
    for line in _missing(found):
        print(line, file=sys.stderr)
    for row in pieces.reasons(lake.state):
        print(f"in quarantine: {counted(row['pieces'], 'piece')}: {row['reason']}", file=sys.stderr)
    for row in progress.given_up_rows(lake.state):
        print(f"{row['collector']}: given up: {row['key']}: {row['reason']}", file=sys.stderr)
    for row in progress.collector_rows(lake.state):
        print(_collector(row), file=sys.stderr)
    for row in outbox.by_channel(lake.state, now):
        if line := _channel(row):
            print(line, file=sys.stderr)
    if unrouted := outbox.unrouted(lake.state, now - timedelta(minutes=5)):
        print(
            f"nobody was told of {counted(unrouted, 'alert')}: neither `trailkeep collect` nor `trailkeep alerts send` "
            "runs with channels",
            file=sys.stderr,
        )
    if drill := last_drill(lake.state):
        print(f"last drill: {drill}", file=sys.stderr)
    for line in _to_look_at(connection, lake, now - timedelta(days=1)):
        print(line, file=sys.stderr)


def _missing(found: pa.Table) -> Iterator[str]:
    """What is missing, a line for each source, account and region."""
    lost = Counter[tuple[str, ...]]()
    for row in found.to_pylist():
        where = ", ".join(filter(None, (row["account_uid"], row["region"])))
        nouns = {"rhythm": "hours without events", "digest": "files that digests name", "listing": "listed objects"}
        lost[row["source"], where, nouns[row["witness"]]] += row["missing"]
    for (source, where, what), count in sorted(lost.items()):
        if count:
            print_as = f"{source} ({where})" if where else source
            yield f"missing: {print_as}: {count:,} {what}; see `trailkeep status --completeness`"


def _collector(row: dict[str, Any]) -> str:
    """A collector in a line."""
    parts = [f"collector {row['name']} ({row['type']}) {row['condition']} at {row['updated']:%Y-%m-%d %H:%M:%SZ}"]
    if row["reason"]:
        parts.append(row["reason"])
    parts.append(f"{counted(row['objects'], 'object')}, {row['bytes']:,} bytes, {counted(row['records'], 'record')}")
    if row["last_object"]:
        parts.append(f"last {row['last_object']} at {row['last_arrival']:%Y-%m-%d %H:%M:%SZ}")
    if row["lag_seconds"] is not None:
        parts.append(f"{row['lag_seconds']:,.1f} s behind")
    if row["refused"]:
        parts.append(f"{row['refused']:,} refused")
    if row["errors"]:
        parts.append(f"{counted(row['errors'], 'error')}, the last: {row['last_error']}")
    return "; ".join(parts)


def _channel(row: dict[str, Any]) -> str:
    """What is wrong with a channel that alerts go to, in a line; nothing where all is well."""
    troubles = []
    if row["failing_since"]:
        troubles.append(f"{counted(row['waiting'], 'message')} waiting since {row['failing_since']:%Y-%m-%d %H:%M:%SZ}")
    if row["dead"]:
        troubles.append(f"{counted(row['dead'], 'dead letter')}; see `trailkeep alerts redrive`")
    if not troubles:
        return ""
    if row["last_error"]:
        troubles.append(f"the last error: {row['last_error']}")
    return f"channel {row['channel']}: {'; '.join(troubles)}"


def _to_look_at(connection: "Connection", lake: Home, since: datetime) -> Iterator[str]:
    """Senders and logs that somebody should look at."""
    from trailkeep.investigate.debug_logs import debug_logs
    from trailkeep.investigate.senders import senders

    found = senders(connection, lake, since).to_pylist()
    logs = debug_logs(connection, lake, load_sources(), since).to_pylist()
    for row in found[:_MOST]:
        line = (
            f"sender {row['sender']} ({row['protocol']}, {row['source']}): {counted(row['events'], 'event')} received "
            f"{row['median_seconds']:,.1f} s after they happened (median), at most {row['most_seconds']:,.1f} s"
        )
        if row["future_share"]:
            line += (
                f"; {row['future_share']:.1%} in the future, up to {row['ahead_seconds']:,.1f} s: its clock is wrong"
            )
        yield line
    if len(found) > _MOST:
        yield f"and {counted(len(found) - _MOST, 'more sender')} that are less late"
    for row in [row for row in logs if row["production"]][:_MOST]:
        yield (
            f"debug messages: {row['share']:.1%} of {counted(row['events'], 'event')} of {row['source']} "
            f"{row['log'] or ''}".rstrip()
            + ": not for production"
        )


def compact(
    home: HomeOption = DEFAULT_HOME,
    grace_minutes: Annotated[
        float, typer.Option(min=0, help="Keep replaced files this long, for readers that still use them.")
    ] = 60,
    rebuild_ledger: Annotated[
        bool, typer.Option("--rebuild-ledger", help="First write state.db anew from the lake, where it was lost.")
    ] = False,
    rules: RulesOption = None,
) -> None:
    """Merge small files, index entities, expire old snapshots, remove files that nothing refers to.

    Safe beside running ingests. Example: trailkeep compact
    """
    from trailkeep.lake.compact import compact as compact_lake

    if rebuild_ledger:
        from trailkeep.lake.rebuild import rebuild_ledger as rebuild

        print(f"{counted(rebuild(adopt_home(home)), 'commit')} written into the ledger anew")
    lake = open_home(home)
    recover(lake, setup.matcher_of(setup.rules_of(rules), {}))
    done = compact_lake(lake, lambda: datetime.now(UTC), grace=timedelta(minutes=grace_minutes))
    print(
        f"{counted(done.merged, 'file')} merged into {done.written:,} ({counted(done.rows, 'row')}); "
        f"{done.expired:,} snapshots expired, {done.removed:,} unused files removed"
    )


@quarantine.command("list")
def list_pieces(
    home: HomeOption = DEFAULT_HOME,
    limit: Annotated[int, typer.Option(min=1, help="Most pieces shown.")] = 100,
    format: FormatOption = "table",
) -> None:
    """List what could not be stored, with object, position and reason.

    Example: trailkeep quarantine list --format jsonl
    """
    write_rows(pieces.list_pieces(open_home(home), limit), format, sys.stdout)


@quarantine.command()
def retry(
    home: HomeOption = DEFAULT_HOME,
    sources: SourcesOption = None,
    rules: RulesOption = None,
    config: DeclaredOption = None,
    limit_mb: LimitOption = DEFAULT_LIMIT_MB,
) -> None:
    """Try to store everything in the quarantine again, after a mended source or with another limit.

    Example: trailkeep quarantine retry --limit-mb 4096
    """
    from trailkeep.retry import retry as retry_pieces

    lake = open_home(home)
    reading = setup.reading_of(sources, None, limit_mb)
    matcher = setup.matcher_of(setup.rules_of(rules, setup.lists_of(config)), dict(reading.sources))
    done = retry_pieces(settings_of(lake, reading, matcher))
    print(f"{counted(done.stored, 'record')} stored, {counted(done.left, 'piece')} left in the quarantine")
    raise typer.Exit(1 if done.left else 0)
