"""Log files by name in, a lake that holds their events out, as detectors of baselines read it."""

from pathlib import Path

from trailkeep.cli import setup
from trailkeep.collect.files import LogFile
from trailkeep.ingest import ingest
from trailkeep.lake.home import Home, create_home
from trailkeep.pipeline import settings_of


def lake_of(folder: Path, files: dict[str, bytes]) -> Home:
    """A lake below `folder` with these files in it."""
    home = create_home(folder / "lake")
    add(home, folder, files)
    return home


def add(home: Home, folder: Path, files: dict[str, bytes]) -> None:
    """More files for a lake."""
    reading = setup.reading_of(None, None, 100)
    settings = settings_of(home, reading, setup.matcher_of(None, dict(reading.sources)))
    paths = [folder / name for name in files]
    for path in paths:
        path.write_bytes(files[path.name])
    done = ingest(settings, [LogFile(path, path.name, path.stat().st_size) for path in paths], 1)
    assert done.clean
