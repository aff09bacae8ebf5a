"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated

import typer

from trailkeep.core.errors import UsageError

FORMATS = ("table", "json", "jsonl", "csv")


def _format(value: str) -> str:
    if value not in FORMATS:
        raise typer.BadParameter(f"{value!r}; one of {', '.join(FORMATS)}")
    return value


PathsArgument = Annotated[list[str], typer.Argument(help="Files, folders or globs.", metavar="PATH...")]
HomeOption = Annotated[
    Path,
    typer.Option("--home", envvar="TRAILKEEP_HOME", help="Folder of the lake.", show_default="~/.trailkeep"),
]
ConfigOption = Annotated[
    Path, typer.Option("--config", envvar="TRAILKEEP_CONFIG", help="The configuration file.", metavar="FILE")
]
DeclaredOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="TRAILKEEP_CONFIG",
        help="The configuration file, for what it declares: lists, organisation, canaries, logs, geo.",
        metavar="FILE",
        show_default="trailkeep.yaml, if there is one",
    ),
]
FormatOption = Annotated[str, typer.Option("--format", callback=_format, help=f"Output: {', '.join(FORMATS)}.")]
SourceOption = Annotated[
    str | None, typer.Option("--source", help="Read every file as this source; recognised otherwise.")
]
SourcesOption = Annotated[
    list[Path] | None,
    typer.Option("--sources", help="Folder of sources of your own, beside the shipped ones."),
]
RulesOption = Annotated[
    list[Path] | None, typer.Option("--rules", help="Rule file or folder, or `shipped`; can be repeated.")
]
LimitOption = Annotated[
    int, typer.Option("--limit-mb", min=1, help="Most megabytes that one file may unpack to (gzip bombs).")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; the number of cores otherwise.")
]

DEFAULT_HOME = Path("~/.trailkeep").expanduser()
DEFAULT_CONFIG = Path("trailkeep.yaml")
DEFAULT_LIMIT_MB = 1024


def cores(workers: int | None) -> int:
    """`workers`, or as many as this process may use cores."""
    return workers or len(os.sched_getaffinity(0))


def existing(paths: list[Path] | None) -> list[Path]:
    """`paths`; raises UsageError for one that is not there."""
    missing = [str(path) for path in paths or [] if not path.exists()]
    if missing:
        raise UsageError("\n".join(f"{path}: no such file or folder" for path in missing))
    return paths or []
