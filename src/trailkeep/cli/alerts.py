"""`trailkeep alerts`: what a person should look at, and what was decided about it."""

import getpass
import json
import re
import sys
from datetime import UTC, datetime
from typing import Annotated

import pyarrow as pa
import typer
from rich.console import Console

from trailkeep.alert import desk
from trailkeep.cli import delivery, setup
from trailkeep.cli.options import DEFAULT_HOME, DeclaredOption, FormatOption, HomeOption, RulesOption
from trailkeep.cli.output import counted, write_rows
from trailkeep.core.timespan import parse_moment
from trailkeep.lake.home import open_home

app = typer.Typer(help="Alerts: list, show, acknowledge, close, send.", no_args_is_help=True, rich_markup_mode=None)

IdArgument = Annotated[int, typer.Argument(help="Number of the alert.")]
WhoOption = Annotated[str | None, typer.Option(help="Who decides; the user of this machine otherwise.")]
WhyOption = Annotated[str | None, typer.Option(help="The reason, kept in the alert's history.")]


_EVENTS = pa.schema(
    [
        ("time", pa.timestamp("us", "UTC")),
        ("event_name", pa.string()),
        ("account_uid", pa.string()),
        ("region", pa.string()),
        ("src_ip", pa.string()),
        ("event_uid", pa.string()),
    ]
)


@app.command("list")
def list_alerts(
    home: HomeOption = DEFAULT_HOME,
    status: Annotated[
        str | None, typer.Option(help="open, acked, closed, or merged into another; all but those merged otherwise.")
    ] = None,
    level: Annotated[str | None, typer.Option(help="Least severe level wanted.")] = None,
    since: Annotated[str | None, typer.Option(help="Alerts with events after this time: 7d, 2026-11-01.")] = None,
    format: FormatOption = "table",
) -> None:
    """List alerts, most severe first, then newest. `severity` is the rule's level with weights and correlation.

    Example: trailkeep alerts list --status open --level high
    """
    moment = parse_moment(since, datetime.now(UTC)) if since else None
    write_rows(desk.list_alerts(open_home(home).state, status, level, moment), format, sys.stdout)


@app.command()
def show(
    alert: IdArgument,
    home: HomeOption = DEFAULT_HOME,
    rules: RulesOption = None,
    config: DeclaredOption = None,
    format: FormatOption = "table",
) -> None:
    """Show one alert with its rule's runbook, its events and its history; where addresses are, if `geo:` says it.

    Example: trailkeep alerts show 3
    """
    found, places = desk.show_alert(open_home(home).state, alert), setup.places_of(config)
    for event in found["events"] if places.kinds else ():
        event["place"] = str(places.of(event["src_ip"] or "")) or None
    if format != "table":
        print(json.dumps(found, default=lambda moment: moment.isoformat()))
        return
    console = Console()
    lead = "DRILL: " if found["drill"] else ""
    console.print(f"[{found['severity'] or found['level']}] {lead}{found['title']}", markup=False, style="bold")
    for name in (
        "id",
        "status",
        "severity",
        "level",
        "drill",
        "assignee",
        "subject_kind",
        "subject",
        "first_time",
        "last_time",
        "rule_uid",
    ):
        if found[name] is not None:
            console.print(f"  {name.replace('_', ' '):14}{found[name]}", markup=False, highlight=False)
    rule = next((rule for rule in setup.rules_of(rules).every if rule.id == found["rule_uid"]), None)
    if rule:
        for name, text in (("why it matters", rule.description), ("what to do", rule.runbook)):
            console.print(f"\n{name}:", markup=False, style="bold")
            # Lines that go on the one before were broken for the eyes of its author; the console breaks them anew.
            console.print(re.sub(r"\n[ \t]+", " ", text.strip()), markup=False, highlight=False)
    if found["observations"]:
        console.print("\nwhat was seen:", markup=False, style="bold")
        for each in found["observations"]:
            console.print(each["sentence"], markup=False, highlight=False)
    console.print(f"\n{counted(len(found['events']), 'event')}:", markup=False, style="bold")
    schema = _EVENTS.append(pa.field("place", pa.string())) if places.kinds else _EVENTS
    shown = [{column.name: event[column.name] for column in schema} for event in found["events"]]
    write_rows(pa.Table.from_pylist(shown, schema=schema), format, sys.stdout)
    for step in found["history"]:
        why = f": {step['why']}" if step["why"] else ""
        console.print(f"  {step['time']} {step['action']} by {step['who']}{why}", markup=False, highlight=False)


@app.command()
def ack(
    alert: IdArgument,
    who: WhoOption = None,
    why: WhyOption = None,
    group: Annotated[
        bool, typer.Option("--group", help="And at all others that people were told of together with it.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Say that somebody looks at an alert, so that it is not escalated.

    Example: trailkeep alerts ack 3 --who dana --group
    """
    for number in desk.group_of(open_home(home).state, alert) if group else [alert]:
        _decide(home, number, "acked", who, why)


@app.command()
def close(alert: IdArgument, why: WhyOption = None, who: WhoOption = None, home: HomeOption = DEFAULT_HOME) -> None:
    """Close an alert; the reason is required.

    Example: trailkeep alerts close 3 --why "planned change CHG-12"
    """
    _decide(home, alert, "closed", who, why)


@app.command()
def reopen(alert: IdArgument, why: WhyOption = None, who: WhoOption = None, home: HomeOption = DEFAULT_HOME) -> None:
    """Open an alert again.

    Example: trailkeep alerts reopen 3 --why "not the planned change after all"
    """
    _decide(home, alert, "open", who, why)


def _decide(home: HomeOption, alert: int, action: str, who: str | None, why: str | None) -> None:
    desk.decide(open_home(home).state, alert, action, who or getpass.getuser(), why, datetime.now(UTC))
    print(f"alert {alert}: {action}")


app.command()(delivery.send)
app.command()(delivery.channels)
app.command()(delivery.test)
app.command()(delivery.outbox)
app.command()(delivery.redrive)
