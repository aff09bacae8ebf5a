"""A number of events and a seed in, CloudTrail files in AWS's layout and a manifest of what they hold out.

`python -m bench.generator --events 400000 --out DIR`. Each file has its own random generator, so that the
data does not depend on how many processes wrote it.
"""

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from random import Random

from trailkeep.demo.actor import CLI, Actor, Session, Sessions, unique_id
from trailkeep.demo.delivery import cloudtrail_document, cloudtrail_key, write_gzip
from trailkeep.demo.fields import Fields, record
from trailkeep.demo.template import Template
from trailkeep.demo.templates import TEMPLATES
from trailkeep.demo.world import World, build_world

FORMAT = 1  # raise when the generator changes what it writes, so that old data is not reused
EVENTS_PER_FILE = 500
NEEDLE_IP = "203.0.113.213"
_ACCOUNTS = ("111122223333", "222233334444", "333344445555", "444455556666", "555566667777", "666677778888")
_REGIONS = ("us-east-1", "us-east-1", "eu-central-1", "us-west-2")
_START = 1_790_812_800  # 2026-10-01T00:00:00Z
_ERROR_SHARE = 0.05  # of the calls that can fail
_INTRUDER_SHARE = 0.0007
_INTRUDER_DAYS = (0.4, 0.43, 0.7)  # of the whole time
_INTRUDER_EVENTS = ("GetCallerIdentity", "ListUsers", "ListBuckets", "GetObject", "GetSecretValue")
_WINDOW = 300  # seconds of events in one delivery
# How busy the hours of a day are, from 00 UTC.
_HOURS = (4, 3, 3, 3, 3, 4, 5, 7, 10, 12, 12, 11, 10, 11, 12, 12, 11, 10, 8, 7, 6, 5, 5, 4)


@dataclass(frozen=True)
class GeneratedData:
    """What a data set holds; `json_bytes` is the decompressed size."""

    folder: Path
    events: int
    files: int
    json_bytes: int
    gzip_bytes: int
    event_weights: dict[str, int]
    needle_key: str
    needle_ip: str
    needle_key_events: int
    needle_ip_events: int


@dataclass(frozen=True)
class _File:
    """One file to write."""

    number: int
    account: str
    region: str
    since: int
    events: int
    intruder: int  # how many of the events are the intruder's


@dataclass(frozen=True)
class _Written:
    json_bytes: int
    gzip_bytes: int
    names: dict[str, int]
    key_events: int
    ip_events: int


def generate(folder: Path, events: int, files: int = 800, seed: int = 7, days: int = 30) -> GeneratedData:
    """Writes the data set into `folder`, or reads its manifest when it is there already."""
    wanted = {"format": FORMAT, "events": events, "files": files, "seed": seed, "days": days}
    manifest = folder / "manifest.json"
    if manifest.exists():
        found = json.loads(manifest.read_text())
        if found["parameters"] == wanted:
            return GeneratedData(folder=folder, **found["data"])
    if folder.exists():
        _empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    plan = _plan(events, files, seed, days)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        halves = pool.map(_write_files, (plan[::2], plan[1::2]), (folder, folder), (seed, seed))
        written = [one for half in halves for one in half]
    names: Counter[str] = Counter()
    for one in written:
        names.update(one.names)
    data = GeneratedData(
        folder=folder,
        events=events,
        files=files,
        json_bytes=sum(one.json_bytes for one in written),
        gzip_bytes=sum(one.gzip_bytes for one in written),
        event_weights=dict(names.most_common()),
        needle_key=_intruder(seed).access_key or "",
        needle_ip=NEEDLE_IP,
        needle_key_events=sum(one.key_events for one in written),
        needle_ip_events=sum(one.ip_events for one in written),
    )
    kept = {name: value for name, value in asdict(data).items() if name != "folder"}
    manifest.write_text(json.dumps({"parameters": wanted, "data": kept}, indent=1))
    return data


def _empty(folder: Path) -> None:
    """Removes an earlier or unfinished data set, and nothing that is not one."""
    foreign = [path.name for path in folder.iterdir() if path.name not in ("AWSLogs", "manifest.json")]
    if foreign:
        raise ValueError(f"{folder} holds other files ({foreign[0]}): give an empty folder or one of the generator")
    (folder / "manifest.json").unlink(missing_ok=True)
    if (folder / "AWSLogs").exists():
        shutil.rmtree(folder / "AWSLogs")


def _plan(events: int, files: int, seed: int, days: int) -> list[_File]:
    """When and where each file is delivered, how many events it holds and how many are the intruder's."""
    if not 0 < files <= events:
        raise ValueError(f"{events} events do not fill {files} files: give at least one event a file")
    rng = Random(f"{seed}:plan")
    hours = rng.choices(range(24), _HOURS, k=files)
    since = [_START + rng.randrange(days) * 86400 + hour * 3600 + rng.randrange(11) * 300 for hour in hours]
    bounds = list(accumulate(rng.uniform(0.5, 1.5) for _ in range(files)))
    ends = [int((events - files) * bound / bounds[-1]) for bound in bounds]
    sizes = [1 + end - start for start, end in zip([0, *ends], ends, strict=False)]
    sizes[-1] += events - sum(sizes)
    intruder_days = {int(days * share) for share in _INTRUDER_DAYS}
    visited = [n for n in range(files) if (since[n] - _START) // 86400 in intruder_days] or [0]
    intruder = Counter(rng.choices(visited, k=int(events * _INTRUDER_SHARE)))
    return [
        _File(n, rng.choice(_ACCOUNTS), rng.choice(_REGIONS), since[n], sizes[n], min(intruder[n], sizes[n]))
        for n in range(files)
    ]


def _intruder(seed: int) -> Actor:
    rng = Random(f"{seed}:intruder")
    principal, key = unique_id(rng, "AIDA"), unique_id(rng, "AKIA", 20)
    return Actor("user", _ACCOUNTS[3], "svc-legacy-export", "", principal, (NEEDLE_IP,), (CLI,), 24, key)


def _write_files(plan: Sequence[_File], folder: Path, seed: int) -> list[_Written]:
    world = build_world("o-7trailkeep", _ACCOUNTS, tuple(dict.fromkeys(_REGIONS)), seed)
    sessions = Sessions(seed)
    return [_write_file(file, folder, world, sessions, seed) for file in plan]


def _write_file(file: _File, folder: Path, world: World, sessions: Sessions, seed: int) -> _Written:
    rng = Random(f"{seed}:file:{file.number}")
    names: Counter[str] = Counter()
    records = []
    for template, session, when in _benign(file, rng, world, sessions):
        fields = Fields(rng, world.pools[file.account], session, when, file.account, file.region)
        failure = int(rng.random() * 2) if "arn:" in session.caller and rng.random() < _ERROR_SHARE else None
        names[template.name] += 1
        records.append(record(template, fields, failure and failure % len(template.errors)))
    key_events, ip_events = 0, 0
    for template, session, when in _intrusion(file, rng, sessions, seed):
        fields = Fields(rng, world.pools[file.account], session, when, file.account, file.region)
        names[template.name] += 1
        key_events += (_intruder(seed).access_key or "") in session.identity
        ip_events += session.ip == NEEDLE_IP
        records.insert(rng.randrange(len(records) + 1), record(template, fields, 0 if rng.random() < 0.3 else None))
    content = cloudtrail_document(records)
    key = cloudtrail_key(world.organization, file.account, file.region, file.since + _WINDOW, rng)
    return _Written(len(content), write_gzip(folder / key, content), dict(names), key_events, ip_events)


def _benign(file: _File, rng: Random, world: World, sessions: Sessions) -> Iterator[tuple[Template, Session, int]]:
    templates, bounds = _catalogue(file.region == "us-east-1")
    actors = world.actors[file.account]
    for template in rng.choices(templates, cum_weights=bounds, k=file.events - file.intruder):
        kinds = template.actors.split()
        candidates = actors[kinds[int(rng.random() * len(kinds))]]
        # Few principals do most of the work: the square makes the first ones busier.
        actor = candidates[int(rng.random() ** 2 * len(candidates))]
        when = file.since + int(rng.random() * _WINDOW)
        yield template, sessions.at(actor, when), when


def _intrusion(file: _File, rng: Random, sessions: Sessions, seed: int) -> Iterator[tuple[Template, Session, int]]:
    """The stolen key, mostly from one address; a fifth from another, a fifth from there with another key."""
    by_name = {template.name: template for template in TEMPLATES}
    thief = _intruder(seed)
    moved = replace(thief, ips=("198.51.100.222",))
    second = replace(thief, name="svc-backup", principal_id=thief.principal_id[:-1] + "7", access_key=None)
    for _ in range(file.intruder):
        when = file.since + int(rng.random() * _WINDOW)
        actor = rng.choices((thief, moved, second), (3, 1, 1))[0]
        yield by_name[rng.choice(_INTRUDER_EVENTS)], sessions.at(actor, when), when


@cache
def _catalogue(with_global: bool) -> tuple[tuple[Template, ...], tuple[float, ...]]:
    """The templates of a region and their cumulated weights."""
    templates = tuple(one for one in TEMPLATES if with_global or not one.is_global)
    return templates, tuple(accumulate(template.weight for template in templates))


def main() -> None:
    """Generates a data set from the command line and prints what it holds."""
    parser = argparse.ArgumentParser(prog="python -m bench.generator", description=main.__doc__)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--files", type=int, help=f"default: one for each {EVENTS_PER_FILE} events")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    data = generate(args.out, args.events, args.files or max(1, args.events // EVENTS_PER_FILE), args.seed)
    print(json.dumps(asdict(data) | {"folder": str(data.folder)}, indent=1))


if __name__ == "__main__":
    main()
