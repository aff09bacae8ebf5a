"""The commands of `trailkeep alerts` that bring alerts to people."""

import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

from trailkeep.alert import outbox as box
from trailkeep.alert.channels.channel import Tools
from trailkeep.alert.deliver import Deliverer
from trailkeep.aws import Aws
from trailkeep.cli import setup
from trailkeep.cli.options import DEFAULT_CONFIG, DEFAULT_HOME, ConfigOption, FormatOption, HomeOption
from trailkeep.cli.output import counted, write_rows
from trailkeep.config import Config, config_model
from trailkeep.core.errors import UsageError
from trailkeep.core.yaml_file import load_yaml
from trailkeep.geo.places import Places
from trailkeep.lake.home import Home, open_home

ChannelArgument = Annotated[str, typer.Argument(help="Name of the channel.")]


def send(
    config: ConfigOption = DEFAULT_CONFIG,
    home: HomeOption = DEFAULT_HOME,
    once: Annotated[bool, typer.Option("--once", help="Send what is due and end.")] = False,
    skip_waiting: Annotated[
        bool, typer.Option("--skip-waiting", help="First count all alerts there are as told: for the first time.")
    ] = False,
) -> None:
    """Tell people of new alerts, as `trailkeep collect` does by itself.

    Example: trailkeep alerts send --once
    """
    told, lake = _open(config, home)
    deliverer = _deliverer(told, lake)
    if skip_waiting:
        print(f"{counted(deliverer.skip(), 'alert')} of which nobody is told")
    if once:
        done = deliverer.once()
    else:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        deliverer.run(stop)
        done = deliverer.counts
    print(f"{counted(done['sent'], 'message')} sent, {done['failed']:,} to be tried again, {done['dead']:,} dead")
    raise typer.Exit(1 if done["failed"] or done["dead"] or done["faults"] else 0)


def channels(
    config: ConfigOption = DEFAULT_CONFIG, home: HomeOption = DEFAULT_HOME, format: FormatOption = "table"
) -> None:
    """List the channels: what waits, what is dead, the last message and the last error.

    Example: trailkeep alerts channels
    """
    told, lake = _open(config, home)
    types = {name: each.type if each.enabled else f"{each.type} (off)" for name, each in told.alerts.channels.items()}
    rows = [
        row | {"type": types.get(row["channel"], "(gone)")}
        for row in box.by_channel(lake.state, datetime.now(UTC), list(types))
    ]
    write_rows(pa.Table.from_pylist(rows, schema=box.BY_CHANNEL), format, sys.stdout)
    for each in told.alerts.suppressions:
        if each.expired(datetime.now(UTC)):
            print(f"the suppression until {each.until} ({each.reason}) is over", file=sys.stderr)


def test(channel: ChannelArgument, config: ConfigOption = DEFAULT_CONFIG, home: HomeOption = DEFAULT_HOME) -> None:
    """Send a test message to a channel now, and say what came of it.

    Example: trailkeep alerts test slack
    """
    told, lake = _open(config, home)
    if channel not in told.alerts.enabled():
        known = ", ".join(told.alerts.enabled()) or "none"
        raise UsageError(f"no channel {channel!r} in {config} that is in use; there are: {known}")
    _deliverer(told, lake).test(channel)
    print(f"{channel}: took the test message")


def outbox(
    home: HomeOption = DEFAULT_HOME,
    state: Annotated[
        list[str] | None, typer.Option("--state", help=f"Only messages in this state: {', '.join(box.STATES)}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most messages shown.")] = 100,
    format: FormatOption = "table",
) -> None:
    """List messages to people, the latest first: waiting, sent, dead, or void because nobody need hear them any more.

    Example: trailkeep alerts outbox --state dead
    """
    write_rows(box.list_rows(open_home(home).state, state or box.STATES, limit), format, sys.stdout)


def redrive(
    channel: Annotated[str | None, typer.Argument(help="Name of the channel; all otherwise.")] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Let dead letters be tried again, once what was wrong is mended.

    Example: trailkeep alerts redrive slack
    """
    print(f"{counted(box.redrive(open_home(home).state, channel, datetime.now(UTC)), 'message')} to be tried again")


def _open(config: Path, home: Path) -> tuple[Config, Home]:
    """The configuration and its lake. Raises UsageError if it names no channels."""
    told = load_yaml(config, config_model(collectors=False), os.environ)
    if not told.alerts.channels:
        raise UsageError(f"{config}: no channels in `alerts:`; see docs/how-to/alerts.md")
    return told, open_home(told.home or home)


def _deliverer(told: Config, lake: Home) -> Deliverer:
    rules = {rule.id: rule for rule in setup.rules_of(told.rules or None).every}
    tools = Tools(Aws(told.accounts, told.aws_endpoint))
    places = Places(told.geo)
    return Deliverer(lake, told.alerts, rules, tools, lambda text: print(text, file=sys.stderr), places=places)
