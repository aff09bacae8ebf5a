"""The `trailkeep` program: its commands, and what becomes of errors."""

import sys

import typer

from trailkeep.cli import alerts, care, demo, ingest, query, rules, sources
from trailkeep.core.errors import TrailkeepError, UsageError

app = typer.Typer(
    name="trailkeep",
    help="Security logs of AWS accounts and applications: stored, searched, watched.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo.demo)
app.command()(ingest.ingest)
app.command()(ingest.normalize)
app.command()(ingest.hunt)
app.command()(query.search)
app.command()(query.sql)
app.command()(care.status)
app.command()(care.compact)
app.add_typer(alerts.app, name="alerts")
app.add_typer(rules.app, name="rules")
app.add_typer(sources.app, name="sources")
app.add_typer(care.quarantine, name="quarantine")


def run() -> None:
    """Entry point of the program. Exit codes: 0 done, 1 failed or something was found, 2 wrong usage."""
    try:
        app()
    except UsageError as error:
        _say(error, 2)
    except TrailkeepError as error:
        _say(error, 1)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; there is nobody left to tell.
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; what was committed is safe", file=sys.stderr)
        sys.exit(130)


def _say(error: Exception, code: int) -> None:
    print(f"trailkeep: {error}", file=sys.stderr)
    sys.exit(code)
