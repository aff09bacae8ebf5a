"""`trailkeep sources`: the kinds of logs that can be read."""

import sys

import pyarrow as pa
import typer

from trailkeep.cli.options import FormatOption, SourcesOption, existing
from trailkeep.cli.output import write_rows
from trailkeep.core.source import load_sources

app = typer.Typer(help="Log sources.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_sources(sources: SourcesOption = None, format: FormatOption = "table") -> None:
    """List the sources that files can be recognised as.

    Example: trailkeep sources list
    """
    rows = [
        {
            "name": source.name,
            "title": source.title,
            "version": source.version,
            "logsource": " ".join(f"{key}={value}" for key, value in source.logsource.items()),
        }
        for source in load_sources(*existing(sources)).values()
    ]
    write_rows(pa.Table.from_pylist(rows), format, sys.stdout)
