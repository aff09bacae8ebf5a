"""A number of events and a seed in, files of routine logs in AWS's layouts out: `python -m bench.routine.write`.

Habits happen as often as they do where an organisation has 100,000 events a day; applications at work fill the rest.
Eight in ten events are CloudTrail's; the rest are flows, DNS queries, web requests, bucket reads, the audit log of a
cluster and Okta's.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random

from bench.routine import clusters, delivery, network, okta, people, services, workloads
from bench.routine.company import ACCOUNTS, ORGANIZATION, PRODUCTION, REGIONS, WORKLOADS, Company, build_company
from bench.routine.scene import Habit, Record, Scene
from trailkeep.demo.delivery import cloudtrail_document, cloudtrail_key, flow_log_key, write_gzip

START = 1_791_158_400  # Monday, 2026-10-05T00:00:00Z
EVENTS_A_DAY = 100_000
HABITS = (*delivery.HABITS, *people.HABITS, *services.HABITS, *workloads.HABITS)
_OTHER_SHARE = {"flows": 0.04, "queries": 0.03, "web": 0.02, "bucket": 0.01, "cluster": 0.08, "okta": 0.02}
_DELIVERY = 1800
_HOURS = (1, 1, 1, 1, 1, 2, 6, 14, 20, 20, 18, 14, 14, 18, 20, 18, 14, 8, 5, 3, 2, 1, 1, 1)


def write_routine(folder: Path, events: int, seed: int = 23, a_day: int = EVENTS_A_DAY) -> Counter[str]:
    """Writes `events` events below `folder`, `a_day` a day, the same bytes for the same seed; how many of each kind.

    With fewer events a day the organisation is smaller: everything happens less often.
    """
    company = build_company(seed)
    days = max(1, round(events / a_day))
    names: Counter[str] = Counter()
    for day in range(days):
        count = events * (day + 1) // days - events * day // days
        others = {kind: int(count * share) for kind, share in _OTHER_SHARE.items()}
        midnight = START + 86_400 * day
        rng = Random(f"{seed}:{day}")
        _write_calls(folder, list(calls(company, midnight, count - sum(others.values()), rng)), rng)
        _write_lines(folder, company, midnight, others, rng)
        names.update(others)
        names["cloudtrail"] += count - sum(others.values())
    return names


def calls(company: Company, midnight: int, count: int, rng: Random) -> Iterator[Record]:
    """A day of CloudTrail: exactly `count` records, in no order."""
    written = 0
    for habit in HABITS:
        for _ in range(_times(habit.daily * count / EVENTS_A_DAY, rng)):
            for record in habit.activity(_scene(company, habit, midnight, rng)):
                yield record
                written += 1
    filling = Habit(workloads.FILL, 0, accounts=WORKLOADS)
    while written < count:
        for record in workloads.FILL(_scene(company, filling, midnight, rng)):
            if written < count:
                yield record
                written += 1


def _times(mean: float, rng: Random) -> int:
    return int(mean) + (rng.random() < mean % 1)


def _scene(company: Company, habit: Habit, midnight: int, rng: Random) -> Scene:
    weekend = datetime.fromtimestamp(midnight, UTC).weekday() > 4
    hour = rng.choices(range(24), _HOURS)[0] if habit.working_hours and not weekend else rng.randrange(24)
    begun = midnight + min(hour * 3600 + rng.randrange(3600), 86_400 - 3600)
    region = REGIONS[0] if rng.random() < 0.8 else REGIONS[1]
    return Scene(rng, company, rng.choice(habit.accounts or ACCOUNTS), begun, region)


def _write_calls(folder: Path, records: Sequence[Record], rng: Random) -> None:
    files: defaultdict[tuple[str, str, int], list[Record]] = defaultdict(list)
    for record in records:
        files[record.account, record.region, record.when // _DELIVERY].append(record)
    for (account, region, slot), members in sorted(files.items()):
        key = cloudtrail_key(ORGANIZATION, account, region, (slot + 1) * _DELIVERY, rng)
        texts = [record.text for record in sorted(members, key=lambda record: record.when)]
        write_gzip(folder / key, cloudtrail_document(texts))


Lines = Callable[[Company, int, int, Random], Iterator[str]]


def _write_lines(folder: Path, company: Company, midnight: int, counts: dict[str, int], rng: Random) -> None:
    moment = datetime.fromtimestamp(midnight, UTC)
    there = partial(
        "AWSLogs/{0}/{1}/us-east-1/{2:%Y/%m/%d}/{0}_{1}_us-east-1_{3}_{2:%Y%m%dT%H%MZ}.log.gz".format, PRODUCTION
    )
    kinds: dict[str, tuple[Lines, Path, list[str]]] = {
        "flows": (
            network.flows,
            folder / flow_log_key(PRODUCTION, "us-east-1", "fl-0123456789abcdef0", midnight, rng),
            [network.FLOW_HEADER],
        ),
        "queries": (network.queries, folder / there("vpcdnsquerylogs", moment, "vpc-0a1b"), []),
        "web": (network.web_requests, folder / there("elasticloadbalancing", moment, "app.web.50dc6c495c0c9188"), []),
        "cluster": (
            clusters.audit_events,
            folder / f"eks/{moment:%Y/%m/%d}/kube-apiserver-audit-0123456789abcdef.gz",
            [],
        ),
        "okta": (okta.system_log, folder / f"okta/{moment:%Y/%m/%d}/okta-system-log.jsonl.gz", []),
        "bucket": (network.bucket_reads, folder / f"s3-access/{moment:%Y-%m-%d-00-00-00}-0123456789ABCDEF.gz", []),
    }
    for kind, (lines, path, header) in kinds.items():
        text = "\n".join([*header, *lines(company, midnight, counts[kind], rng)]) + "\n"
        write_gzip(path, text.encode())


def main() -> None:
    """Writes the files and prints what they hold."""
    parser = argparse.ArgumentParser(prog="python -m bench.routine.write", description=main.__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--a-day", type=int, default=EVENTS_A_DAY, help="events; days follow from it")
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    print(dict(write_routine(args.out, args.events, args.seed, args.a_day)))


if __name__ == "__main__":
    main()
