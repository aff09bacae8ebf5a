"""`trailkeep demo`: a day of an invented company's logs, with an intrusion inside, through the main job."""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from trailkeep.alert import desk
from trailkeep.cli import setup
from trailkeep.cli.ingest import tell
from trailkeep.cli.options import DEFAULT_LIMIT_MB, cores
from trailkeep.cli.output import write_rows
from trailkeep.collect.files import find_files
from trailkeep.demo.company import write_company_day
from trailkeep.ingest import ingest
from trailkeep.lake.home import create_home
from trailkeep.pipeline import settings_of

DEMO_HOME = Path("demo-lake")


def demo(
    home: Annotated[Path, typer.Option(help="Folder of the demo's lake; TRAILKEEP_HOME is left alone.")] = DEMO_HOME,
) -> None:
    """Store sample logs of a small company and show what was found in them.

    Example: trailkeep demo --home demo-lake
    """
    lake = create_home(home)
    reading = setup.reading_of(None, None, DEFAULT_LIMIT_MB)
    pack = setup.rules_of(None)
    settings = settings_of(lake, reading, setup.matcher_of(pack, dict(reading.sources)))
    with TemporaryDirectory() as folder:
        day = write_company_day(Path(folder))
        files = find_files([folder])
        print(
            f"A day of a small company: {day.cloudtrail_events:,} CloudTrail events and {day.flow_records:,} "
            f"VPC flow records in {len(files)} files; somebody is inside.\n"
        )
        tell(ingest(settings, files, cores(None)), files)
    ready = [one for one in pack.met_by_events if one.id not in pack.waiting]
    print(f"\nWhat {len(ready)} rules found, most severe first:\n")
    found = desk.list_alerts(lake.state, level="medium")
    write_rows(found.select(["id", "level", "title", "subject", "events", "first_time"]), "table", sys.stdout)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print("\nGo on from here, for example:")
    program = "trailkeep" if shutil.which("trailkeep") else Path(sys.argv[0])
    counted = f"SELECT event_name, count(*) FROM events WHERE user_name = '{day.leaked_user}' GROUP BY ALL"  # noqa: S608
    for step in (
        f"alerts show {found['id'][0]}",
        "alerts list --status open",
        f"search {day.access_key}",
        f"search 'src_ip:{day.attacker_ip} and error_code:*' --explain",
        f'sql "{counted}"',
    ):
        console.print(f"  {program} {step} --home {home}")
