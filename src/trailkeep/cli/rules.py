"""`trailkeep rules`: list, test and explain detection rules."""

import sys
from typing import Annotated

import pyarrow as pa
import typer

from trailkeep.cli import setup
from trailkeep.cli.options import FormatOption, RulesOption, SourcesOption
from trailkeep.cli.output import write_rows
from trailkeep.core.errors import UsageError
from trailkeep.detect.rule import Correlation, Rule

app = typer.Typer(help="Detection rules.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_rules(rules: RulesOption = None, format: FormatOption = "table") -> None:
    """List the rules in use.

    Example: trailkeep rules list --format csv
    """
    pack = setup.rules_of(rules)
    every: list[Rule | Correlation] = [*pack.rules, *pack.correlations]
    rows = [
        {
            "level": rule.level,
            "kind": rule.kind if isinstance(rule, Correlation) else "rule",
            "title": rule.title,
            "tags": " ".join(rule.tags),
            "id": rule.id,
            "file": str(rule.path),
        }
        for rule in every
    ]
    write_rows(pa.Table.from_pylist(rows), format, sys.stdout)
    raise typer.Exit(1 if pack.faults else 0)


@app.command()
def test(rules: RulesOption = None, sources: SourcesOption = None) -> None:
    """Run the tests written inside the rules, from raw records on.

    Example: trailkeep rules test --rules my-rules/
    """
    from trailkeep.rule_tests import run_tests

    pack = setup.rules_of(rules)
    reading = setup.reading_of(sources, None, 64)
    results = list(run_tests(pack.rules, dict(reading.sources), pack.correlations))
    for result in results:
        if result.failure:
            print(f"{result.rule.path}:{result.rule.line}: {result.test}: {result.failure}", file=sys.stderr)
    failed = sum(bool(result.failure) for result in results)
    every: list[Rule | Correlation] = [*pack.rules, *pack.correlations]
    untested = [rule for rule in every if not rule.tests]
    for rule in untested:
        print(f"{rule.path}:{rule.line}: {rule.title}: has no tests", file=sys.stderr)
    print(f"{len(every)} rules, {len(results)} tests: {len(results) - failed} passed, {failed} failed")
    raise typer.Exit(1 if failed or pack.faults else 0)


@app.command()
def explain(
    rule: Annotated[str, typer.Argument(help="Id or part of the title.")],
    rules: RulesOption = None,
    sources: SourcesOption = None,
) -> None:
    """Show what a rule is compiled to, and which events it has to meet.

    Example: trailkeep rules explain "trail stopped"
    """
    from trailkeep.detect.match import explain as explain_rule

    pack = setup.rules_of(rules)
    found = [r for r in pack.rules if rule == r.id or rule.lower() in r.title.lower()]
    if not found:
        raise UsageError(f"no rule {rule!r}; `trailkeep rules list` shows those there are")
    known = setup.reading_of(sources, None, 64).sources
    for one in found:
        print(f"{one.title} ({one.id})\n{one.path}:{one.line}")
        for source in known.values():
            if one.applies_to(source.logsource):
                print(f"\n-- {source.name}\n{explain_rule(one, source)}")
