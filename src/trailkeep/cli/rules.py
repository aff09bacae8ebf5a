"""`trailkeep rules`: list, test, lint and measure detection rules."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

from trailkeep.baselines import idle
from trailkeep.cli import rules_explain, rules_history, setup
from trailkeep.cli.options import DeclaredOption, FormatOption, RulesOption, SourcesOption
from trailkeep.cli.output import write_rows
from trailkeep.detect.rules import RulePack

app = typer.Typer(help="Detection rules.", no_args_is_help=True, rich_markup_mode=None)
for command in (
    rules_history.replay,
    rules_history.diff,
    rules_history.hits,
    rules_history.cost,
    rules_explain.explain,
):
    app.command()(command)


@app.command("list")
def list_rules(rules: RulesOption = None, config: DeclaredOption = None, format: FormatOption = "table") -> None:
    """List the rules in use, and which of your lists they wait for; what else they lack is said beside it.

    Example: trailkeep rules list --format csv
    """
    pack = setup.rules_of(rules, setup.lists_of(config))
    rows = [
        {
            "level": rule.level,
            "kind": rule.method,
            "title": rule.title,
            "waits_for": " ".join(pack.waiting.get(rule.id, ())),
            "tags": " ".join(rule.tags),
            "id": rule.id,
            "file": str(rule.path),
        }
        for rule in pack.every
    ]
    write_rows(pa.Table.from_pylist(rows), format, sys.stdout)
    _tell_idle(pack, config)
    raise typer.Exit(1 if pack.faults else 0)


@app.command()
def test(rules: RulesOption = None, sources: SourcesOption = None) -> None:
    """Run the tests written inside the rules, from raw records on.

    Example: trailkeep rules test --rules my-rules/
    """
    from trailkeep.rule_tests import run_tests

    pack = setup.rules_of(rules)
    reading = setup.reading_of(sources, None, 64)
    results = list(run_tests(pack.rules, dict(reading.sources), pack.correlations, pack.baselines))
    for result in results:
        if result.failure:
            print(f"{result.rule.path}:{result.rule.line}: {result.test}: {result.failure}", file=sys.stderr)
    failed = sum(bool(result.failure) for result in results)
    untested = [rule for rule in pack.every if not rule.told_tests]
    for rule in untested:
        print(f"{rule.path}:{rule.line}: {rule.title}: has no tests", file=sys.stderr)
    print(f"{len(pack.every)} rules, {len(results)} tests: {len(results) - failed} passed, {failed} failed")
    raise typer.Exit(1 if failed or pack.faults else 0)


@app.command()
def coverage(
    rules: RulesOption = None,
    navigator: Annotated[Path | None, typer.Option(help="Write a layer for the ATT&CK Navigator to this file.")] = None,
    format: FormatOption = "table",
) -> None:
    """Show what rules cover of ATT&CK's cloud platforms, and why logs cannot show the rest.

    Example: trailkeep rules coverage --navigator layer.json
    """
    from trailkeep.coverage.techniques import layer, techniques

    pack = setup.rules_of(rules)
    found = techniques(pack.every)
    rows = [
        {
            "technique": each.id,
            "name": each.attack.name,
            "tactics": " ".join(each.attack.tactics),
            "state": each.state,
            "rules": len(each.rules),
            "levels": each.levels,
            "why": each.why,
        }
        for each in found
    ]
    write_rows(pa.Table.from_pylist(rows, schema=_COVERAGE), format, sys.stdout)
    counts = Counter(each.state for each in found)
    print(", ".join(f"{count} {state}" for state, count in counts.most_common()), file=sys.stderr)
    if navigator is not None:
        navigator.write_text(json.dumps(layer(found), indent=1) + "\n", encoding="utf-8")
        print(f"{navigator}: a layer of {len(found)} techniques", file=sys.stderr)
    raise typer.Exit(1 if pack.faults else 0)


_COVERAGE = pa.schema(
    [
        ("technique", pa.string()),
        ("name", pa.string()),
        ("tactics", pa.string()),
        ("state", pa.string()),
        ("rules", pa.int64()),
        ("levels", pa.string()),
        ("why", pa.string()),
    ]
)


@app.command()
def lint(rules: RulesOption = None, sources: SourcesOption = None, config: DeclaredOption = None) -> None:
    """Tell what is wrong or weak about rules, and which cannot match anything as it is configured; with file and line.

    Example: trailkeep rules lint --rules my-rules/
    """
    from trailkeep.lint import lint as notes_on
    from trailkeep.lint import waiting

    pack = setup.rules_of(rules, setup.lists_of(config))
    notes = list(notes_on(pack, setup.reading_of(sources, None, 64).sources.values()))
    for note in (*notes, *waiting(pack)):
        print(note)
    print(
        f"{len(pack.every)} rules, {len(pack.faults)} left out, {len(notes)} notes, {len(pack.waiting)} wait for lists",
        file=sys.stderr,
    )
    _tell_idle(pack, config)
    raise typer.Exit(1 if notes or pack.faults else 0)


def _tell_idle(pack: RulePack, config: Path | None) -> None:
    if why := idle(pack.baselines, setup.places_of(config)):
        print(why, file=sys.stderr)
