"""`trailkeep sources`: the kinds of logs that can be read, and how to make and test one's own."""

import sys
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

from trailkeep.cli.options import DEFAULT_LIMIT_MB, FormatOption, SourcesOption, existing
from trailkeep.cli.output import write_rows
from trailkeep.core.errors import UsageError
from trailkeep.core.source import Source, load_sources

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


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the source, such as acme_gateway.")],
    sample: Annotated[Path, typer.Option("--from", help="A log file to draft it from.")],
    to: Annotated[Path, typer.Option("--to", help="Folder in which its folder is made.")] = Path(),
) -> None:
    """Draft a source of your own from a log file: how it is recognised, its fields, and a first mapping to OCSF.

    Example: trailkeep sources new acme_gateway --from gateway.log --to my-sources/
    """
    from trailkeep.draft import draft
    from trailkeep.source_tests import check_source

    existing([sample])
    made = draft(name, sample, to, DEFAULT_LIMIT_MB * 1024 * 1024)
    source = made.source
    faults = list(check_source(source, load_sources(to), accepting=True))
    for path in sorted(path for path in source.folder.rglob("*") if path.is_file()):
        print(path)
    for note in [*made.advice, *map(str, faults)]:
        print(f"to do: {note}", file=sys.stderr)
    print(
        f"A draft: read source.yaml and map.sql, and what the records become in expected/; then\n"
        f"  trailkeep sources test {name} --sources {to} --accept\n"
        "samples/ has real records of yours: put invented names and addresses into it before you share it."
    )


@app.command()
def test(
    names: Annotated[
        list[str] | None, typer.Argument(help="Sources; all in --sources otherwise.", metavar="NAME...")
    ] = None,
    sources: SourcesOption = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Take what the samples become as expected, where they are valid.")
    ] = False,
) -> None:
    """Read and map the samples of sources, and compare them with what is expected; 1 if anything is wrong.

    Example: trailkeep sources test acme_gateway --sources my-sources/
    """
    from trailkeep.source_tests import check_source, samples_of, schema_check

    known = load_sources(*existing(sources))
    tested = _tested(known, names or [], sources or [])
    if accept and not sources:
        raise UsageError("--accept is for sources of your own: name their folder with --sources")
    if schema_check() is None:
        print("not checked against the OCSF schema: that needs ocsf-json-schema and jsonschema-rs", file=sys.stderr)
    faults = [fault for source in tested for fault in check_source(source, known, accept)]
    for fault in faults:
        print(fault, file=sys.stderr)
    samples = sum(len(samples_of(source)) for source in tested)
    print(f"{len(tested)} sources, {samples} samples: {len(faults)} faults")
    raise typer.Exit(1 if faults else 0)


def _tested(known: dict[str, Source], names: list[str], roots: list[Path]) -> list[Source]:
    """The sources of these names; without names those in `roots`, and without either all."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"no source {unknown[0]!r}; there are {', '.join(sorted(known))}")
    own = [source for source in known.values() if source.folder.parent in roots] if roots else list(known.values())
    return [known[name] for name in names] or own
