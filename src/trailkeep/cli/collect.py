"""The command that runs the configured collectors."""

import os
import signal
import sys
from dataclasses import replace
from typing import Annotated

import typer

from trailkeep.alert.channels.channel import Tools
from trailkeep.alert.deliver import Deliverer
from trailkeep.aws import Aws
from trailkeep.cli import setup
from trailkeep.cli.options import DEFAULT_CONFIG, DEFAULT_HOME, DEFAULT_LIMIT_MB, ConfigOption, HomeOption, LimitOption
from trailkeep.cli.output import counted
from trailkeep.collection import Collected, Collection
from trailkeep.config import config_model
from trailkeep.core.errors import LakeError, UsageError
from trailkeep.core.yaml_file import load_yaml
from trailkeep.geo.places import Places
from trailkeep.lake.home import create_home
from trailkeep.lake.progress import redrive as redrive_all
from trailkeep.pipeline import settings_of


def collect(
    names: Annotated[
        list[str] | None, typer.Argument(help="Collectors to run; all otherwise.", metavar="NAME...")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    home: HomeOption = DEFAULT_HOME,
    once: Annotated[bool, typer.Option("--once", help="End when there is nothing more at the moment.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to backfills above their `ask_above_gb`.")] = False,
    redrive: Annotated[
        bool, typer.Option("--redrive", help="First mark everything that was given up to be tried again.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Only check the configuration.")] = False,
    limit_mb: LimitOption = DEFAULT_LIMIT_MB,
) -> None:
    """Run the collectors of trailkeep.yaml: fetch, store, acknowledge; each object exactly once.

    Example: trailkeep collect --once
    """
    told = load_yaml(config, config_model(), os.environ)
    unknown = [name for name in names or [] if name not in told.collect]
    if unknown:
        raise UsageError(f"no collector {', '.join(unknown)} in {config}; there are: {', '.join(told.collect)}")
    if check:
        channels = f", {counted(len(told.alerts.channels), 'channel')}" if told.alerts.channels else ""
        print(f"{config}: {counted(len(told.collect), 'collector')}{channels}, no faults")
        return
    reading = replace(setup.reading_of(told.sources, None, limit_mb), keep_unknown=True)
    pack = setup.rules_of(told.rules or None, told.as_lists())
    setup.say_waiting(pack, always=True)
    matcher = setup.matcher_of(pack, dict(reading.sources))
    lake = create_home(told.home or home)
    if redrive:
        print(f"{counted(redrive_all(lake.state), 'object')} to be tried again")
    with lake.exclusive("collect"):
        settings = settings_of(lake, reading, matcher, told.drop)
        deliverer, places = None, Places(told.geo)
        if told.alerts.channels:
            rules = {rule.id: rule for rule in pack.every}
            tools = Tools(Aws(told.accounts, told.aws_endpoint))
            deliverer = Deliverer(lake, told.alerts, rules, tools, _say, places=places)
        run = Collection(
            settings, told, once=once, only=names, confirmed=yes, say=_say, deliverer=deliverer, places=places
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: run.stop.set())
        _tell(run.run())
        if deliverer and once:
            try:
                deliverer.once()
            except LakeError as error:
                _say(f"alerts are not sent by this process: {error}")
    raise typer.Exit(1 if run.report.failed_collectors or run.report.counts["quarantined"] else 0)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _tell(report: Collected) -> None:
    done = report.counts
    print(
        f"{counted(done['records'], 'record')}: {done['stored']:,} stored, {done['duplicate']:,} already stored, "
        f"{done['quarantined']:,} quarantined, {done['dropped']:,} dropped by rule; "
        f"{counted(done['commits'], 'commit')}"
    )
    if done["recovered"]:
        print(f"{done['recovered']} batches of an interrupted run were finished first")
    if done["signals"]:
        print(f"{counted(done['signals'], 'signal')}; see `trailkeep alerts list`")
