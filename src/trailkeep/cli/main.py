"""The `trailkeep` program: its commands, and what becomes of errors."""

import gc
import sys
from collections.abc import Iterable
from importlib import import_module

import typer

from trailkeep.core.errors import TrailkeepError, UsageError

# Command -> where it is: importing them all takes longer than most commands run.
_COMMANDS = {
    "demo": "demo:demo",
    "ingest": "ingest:ingest",
    "collect": "collect:collect",
    "normalize": "normalize:normalize",
    "hunt": "hunt:hunt",
    "search": "query:search",
    "sql": "query:sql",
    "status": "care:status",
    "compact": "care:compact",
    "alerts": "alerts:app",
    "drill": "drill:drill",
    "rules": "rules:app",
    "sources": "sources:app",
    "quarantine": "care:quarantine",
}


def build(commands: Iterable[str] = _COMMANDS) -> typer.Typer:
    """The program with these commands, all of them unless told otherwise."""
    app = typer.Typer(
        name="trailkeep",
        help="Security logs of AWS accounts and applications: stored, searched, watched.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(lambda: None)  # a program of one command would have no command names
    for name in commands:
        module, _, attribute = _COMMANDS[name].partition(":")
        command = getattr(import_module(f"trailkeep.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def run() -> None:
    """Entry point of the program. Exit codes: 0 done, 1 failed or something was found, 2 wrong usage."""
    gc.set_threshold(100_000)  # what imports make stays: to search it for garbage all the time is a sixth of their CPU
    asked = sys.argv[1:2]
    try:
        build(asked if asked and asked[0] in _COMMANDS else _COMMANDS)()
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
