"""`trailkeep drill`: whether an attack that somebody logs reaches people, step by step."""

import getpass
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

from trailkeep.alert.channels.channel import Tools
from trailkeep.alert.deliver import Deliverer
from trailkeep.aws import Aws
from trailkeep.cli import setup
from trailkeep.cli.options import DEFAULT_CONFIG, DEFAULT_HOME, DEFAULT_LIMIT_MB, ConfigOption, FormatOption, HomeOption
from trailkeep.cli.output import counted, write_rows
from trailkeep.config import Config, config_model
from trailkeep.core.errors import LakeError, UsageError
from trailkeep.core.yaml_file import load_yaml
from trailkeep.drill.evidence import list_drills, steps_of
from trailkeep.drill.play import Drill
from trailkeep.drill.scenarios import ACCOUNT, SCENARIOS
from trailkeep.drill.steps import STEPS, rows_of
from trailkeep.drill.ways import by_ingest, by_s3
from trailkeep.geo.places import Places
from trailkeep.lake.home import open_home
from trailkeep.pipeline import settings_of


def drill(
    config: ConfigOption = DEFAULT_CONFIG,
    home: HomeOption = DEFAULT_HOME,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="s3://bucket/prefix that a running collector reads; `ingest` into the lake otherwise."
        ),
    ] = None,
    to_account: Annotated[
        str | None, typer.Option(help="Name in `accounts:` that may write there; the credentials at hand otherwise.")
    ] = None,
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", help=f"Attack, repeatable; all otherwise: {', '.join(SCENARIOS)}.")
    ] = None,
    account: Annotated[str, typer.Option(help="AWS account that the records name.")] = ACCOUNT,
    region: Annotated[str, typer.Option(help="AWS region that they name.")] = "us-east-1",
    timeout: Annotated[float, typer.Option(min=1, help="Most seconds to wait for what is missing.")] = 120,
    who: Annotated[str | None, typer.Option(help="Who drills; the user of this machine otherwise.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the drills there were, and do nothing.")] = False,
    show: Annotated[
        str | None, typer.Option("--show", help="Show the steps of a drill there was.", metavar="ID")
    ] = None,
    format: FormatOption = "table",
) -> None:
    """Play harmless attacks through the whole way from a log to people, and say what came and when.

    Example: trailkeep drill --to s3://my-trail-logs
    """
    if unknown := set(scenario or ()) - SCENARIOS.keys():
        raise UsageError(f"no scenario {', '.join(sorted(unknown))}; there are: {', '.join(SCENARIOS)}")
    if not (account.isdigit() and len(account) == len(ACCOUNT)):
        raise UsageError(f"--account {account}: no number of an AWS account, which has 12 digits")
    told = _told(config)
    lake = open_home(told.home or home)
    if list_ or show is not None:
        write_rows(list_drills(lake.state) if show is None else steps_of(lake.state, show), format, sys.stdout)
        return
    if to_account is not None and to_account not in told.accounts:
        raise UsageError(f"--to-account {to_account}: there are in `accounts:` {', '.join(told.accounts) or 'none'}")
    reading = replace(setup.reading_of(told.sources, None, DEFAULT_LIMIT_MB), keep_unknown=True)
    pack = setup.rules_of(told.rules or None, told.as_lists())
    settings = settings_of(lake, reading, setup.matcher_of(pack, dict(reading.sources)), told.drop)
    aws = Aws(told.accounts, told.aws_endpoint)
    rules = {rule.id: rule for rule in pack.every}
    played = Drill(
        settings=settings,
        config=told.alerts,
        rules=rules,
        put=by_ingest(settings) if to is None else by_s3(aws, to, to_account, None),
        target=to or "ingest",
        who=who or getpass.getuser(),
        instant=to is None,
        timeout=timeout,
        account=account,
        region=region,
        scenarios=tuple(scenario or SCENARIOS),
    )

    def deliverer() -> Deliverer:
        return Deliverer(lake, told.alerts, rules, Tools(aws), _say, places=Places(told.geo))

    # Where logs come by a collector, that process tells people: to see whether it does is the point.
    with _sending(deliverer()) if to is None and told.alerts.enabled() else nullcontext():
        played.play()
    if to is None and any(each.tells_closed for each in told.alerts.enabled().values()):
        with suppress(LakeError):  # another process sends, and closes what the drill has opened
            deliverer().once()
    _tell(played, format)
    raise typer.Exit(0 if played.passed else 1)


def _told(config: Path) -> Config:
    """The configuration; an empty one where there is no file and none was asked for."""
    model = config_model(collectors=False)
    return model() if config == DEFAULT_CONFIG and not config.exists() else load_yaml(config, model, os.environ)


@contextmanager
def _sending(deliverer: Deliverer) -> Iterator[None]:
    """Tell people of alerts meanwhile, unless another process does."""
    stop = threading.Event()
    thread = threading.Thread(target=deliverer.run, args=(stop,), name="alerts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=60)


def _tell(played: Drill, format: str) -> None:
    write_rows(pa.Table.from_pylist(rows_of(played.steps), schema=STEPS), format, sys.stdout)
    missing = [step for step in played.steps if not step.ok]
    verdict = f"failed, {len(missing)} of {counted(len(played.steps), 'step')} missing" if missing else "passed"
    _say(f"{played.id}: {verdict}; its alerts are closed")
    if played.note:
        _say(played.note)
    for name in dict.fromkeys(step.scenario for step in missing):
        first = next(step for step in missing if step.scenario == name)
        _say(f"{name}: failed at the step {first.step} ({first.expected}): {first.seen}")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
