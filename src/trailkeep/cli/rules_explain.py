"""`trailkeep rules explain`: what a rule is compiled to, and why it matches an event or does not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
import yaml

from trailkeep.cli import setup
from trailkeep.cli.options import DEFAULT_HOME, DeclaredOption, HomeOption, RulesOption, SourcesOption
from trailkeep.core.errors import UsageError
from trailkeep.detect.declared import waits_for
from trailkeep.detect.match import Matcher
from trailkeep.detect.rule import AnyRule, Baseline, Correlation, Rule
from trailkeep.lake.home import open_home

RuleArgument = Annotated[str, typer.Argument(help="Id, name or part of the title.")]


def explain(
    rule: RuleArgument,
    event: Annotated[str | None, typer.Argument(help="Event id, as `search` shows it.")] = None,
    rules: RulesOption = None,
    sources: SourcesOption = None,
    config: DeclaredOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Show what a rule is compiled to; of an event, which conditions of the rule it meets and which it does not.

    Example: trailkeep rules explain "trail stopped" 5f0c0000-0000-4000-8000-000000000001
    """
    from trailkeep.detect.match import explain as compiled

    pack = setup.rules_of(rules, setup.lists_of(config))
    found = setup.chosen(pack, rule)
    known = setup.reading_of(sources, None, 64).sources
    if event is not None:
        _tell_why(found, event, setup.matcher_of(pack, dict(known)), home)
        return
    titles = {one.id: one.title for one in setup.chosen(pack, None)}
    for one in found:
        print(f"{one.title} ({one.id})\n{one.path}:{one.line}")
        if isinstance(one, Baseline):
            print(f"\n{yaml.safe_dump(one.asks, sort_keys=False)}".rstrip())
            continue
        if isinstance(one, Correlation):
            print(f"\n-- {one.kind} within {one.timespan:,} s by {', '.join(one.group_by) or 'nothing'}, of signals of")
            print("\n".join(f"--   {titles[each]} ({each})" for each in one.rules))
            continue
        for source in known.values():
            if isinstance(one, Rule) and one.applies_to(source.logsource):
                print(f"\n-- {source.name}\n{compiled(one, source)}")


def _tell_why(found: Sequence[AnyRule], event: str, matcher: Matcher, home: Path) -> None:
    from trailkeep.detect.why import why
    from trailkeep.engine.duckdb import connect
    from trailkeep.engine.reading import connect_lake
    from trailkeep.replay import event_rows

    lake = open_home(home)
    rows = event_rows(connect_lake(lake.warehouse), lake, event)
    if not len(rows):
        raise UsageError(f"no event {event!r} in this lake; `trailkeep search` shows the ids of events")
    known, name = matcher.sources, rows["source"][0].as_py()
    for one in found:
        print(f"{one.title} ({one.id})")
        if isinstance(one, Baseline):
            print("  looks at many events together: `trailkeep rules replay` tells what it sees")
        elif isinstance(one, Correlation):
            print("  is about signals of other rules: explain those")
        elif isinstance(one, Rule) and not (name in known and one.applies_to(known[name].logsource)):
            wanted = ", ".join(f"{key}: {value}" for key, value in one.logsource.items())
            print(f"  is for logs of {wanted}; the event is of {name}")
        elif isinstance(one, Rule) and one.undeclared:
            print(f"  {waits_for(one.undeclared)}")
        elif isinstance(one, Rule):
            for reason in why(connect(), one, rows.slice(0, 1), known[name], matcher):
                has = "" if reason.has is None else f"  -- has {reason.has}"
                print(f"  {'yes' if reason.holds else 'no':<4}{'  ' * reason.depth}{reason.asks}{has}")
