"""A prepared bench in, figures out: one function for each question that the benchmark answers.

CPU is user + system of the whole process tree, start-up included. What is compared runs in turns (A B A B A B),
so that both meet the same moods of the machine, and ratios are taken within a turn; the figure is the median.
"""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from bench.baselines import names
from bench.delivery import STORM
from bench.figures import Figure
from bench.generator import GeneratedData
from bench.latency import latencies
from bench.measure import BenchError, measure
from bench.quiet import ALL_RULES, LIMIT, noise
from bench.receivers import receive
from bench.routine.write import write_routine
from bench.runs import WORKERS, Runs, trailkeep
from trailkeep.core.levels import LEVELS
from trailkeep.demo.company import write_company_day

MEGABYTE = 1e6
GENERATED = {60: 0.15, 1000: 0.6, 5000: None}  # rules, and the limit of what they may cost
REFERENCE_EVENTS, LARGE_EVENTS = 400_000, 4_000_000  # limits are set for these numbers of events, and no others
WHY_SLOW = "its records are short, and each costs the same columns whatever its length"
_WHY_SLOW = {"aws_guardduty": "its values are looked for in two spellings and several places, each in the record anew"}
_BASELINE_LIMITS = {REFERENCE_EVENTS: 2.0, LARGE_EVENTS: 1.7}


@dataclass(frozen=True)
class Bench:
    """What the stages work on. `reference`: the data whose figures do not depend on the size asked for."""

    runs: Runs
    full: GeneratedData
    reference: GeneratedData
    shipped: Path | None  # 60 of the shipped rules
    generated: dict[int, Path]
    rounds: int
    commits: int
    signals: int
    history: int  # events for detectors of baselines
    routine: int  # events of the stage `quiet`

    @property
    def sizes(self) -> list[GeneratedData]:
        """The reference and, where it is another, the full data set."""
        return [self.reference] if self.full == self.reference else [self.reference, self.full]


Stage = Callable[[Bench], Iterator[Figure]]


def ingest_cost(bench: Bench) -> Iterator[Figure]:
    """1 and 2: CPU of an ingest with 60 rules over that of the baseline, and peak memory of its processes."""
    rules = _shipped(bench)
    peaks: list[list[float]] = []
    for data in bench.sizes:
        turns = [(bench.runs.baseline(data), bench.runs.ingest(data, rules)) for _ in range(bench.rounds)]
        at = f"at {data.events:,} events"
        yield Figure(
            f"ingest over baseline, CPU, {at}",
            tuple(own.cpu_seconds / base.cpu_seconds for base, own in turns),
            limit=_BASELINE_LIMITS.get(data.events),
        )
        yield Figure(f"baseline, CPU, {at}", tuple(base.cpu_seconds for base, _ in turns), "s")
        yield Figure(f"ingest, CPU, {at}", tuple(own.cpu_seconds for _, own in turns), "s")
        yield Figure(f"ingest, speed, {at}", tuple(data.events / own.wall_seconds for _, own in turns), "events/s")
        peaks.append([own.peak_bytes / MEGABYTE for _, own in turns])
        yield Figure(f"ingest, peak memory, {at}", tuple(peaks[-1]), "MB", 1500)
    if len(peaks) == 2:
        growth = tuple(large / median(peaks[0]) for large in peaks[1])
        yield Figure(f"peak memory, {bench.full.events:,} events over {bench.reference.events:,}", growth, "", 1.2)


def workers(bench: Bench) -> Iterator[Figure]:
    """1: how an ingest gains from a second worker, over how the baseline gains from a second copy.

    Throughput of ingest: one data set by the wall time of --workers 1, and by that of --workers 2. Throughput
    of the baseline: one data set by the wall time of one copy, two by that of two copies side by side, each
    copy held to one thread as a worker is. The second gain is what this machine allows at all.
    """
    rules, runs, data = _shipped(bench), bench.runs, bench.reference
    own, machine = [], []
    for _ in range(bench.rounds):
        one, two = (runs.ingest(data, rules, number).wall_seconds for number in (1, 2))
        alone, together = (runs.baselines_together(data, copies) for copies in (1, 2))
        own.append(one / two)
        machine.append(2 * alone / together)
    yield Figure(
        "gain of workers over gain of baseline copies",
        tuple(ours / theirs for ours, theirs in zip(own, machine, strict=True)),
        limit=0.85,
        at_least=True,
        note="wall times; (--workers 2 over --workers 1) / (two one-thread baseline copies over one)",
    )
    yield Figure("--workers 2 over --workers 1, throughput", tuple(own))
    yield Figure("two baseline copies over one, throughput", tuple(machine))


def rules_cost(bench: Bench) -> Iterator[Figure]:
    """3: what 60, 1,000 and 5,000 generated rules add to the CPU of an ingest, in parts of the baseline's CPU."""
    runs, data = bench.runs, bench.reference
    choices: dict[int, Path | None] = {0: None, **bench.generated}
    loading = {
        count: [[usage.cpu_seconds for usage in runs.loading(rules)] for _ in range(bench.rounds)]
        for count, rules in choices.items()
    }
    nothing = [median(turn[cache] for turn in loading[0]) for cache in (0, 1)]
    turns = []
    for _ in range(bench.rounds):
        base = runs.baseline(data).cpu_seconds
        turns.append((base, {n: runs.ingest(data, rules).cpu_seconds for n, rules in choices.items()}))
    for count, limit in GENERATED.items():
        cold, warm = (tuple(turn[cache] - nothing[cache] for turn in loading[count]) for cache in (0, 1))
        extra = [(cpu[count] - cpu[0], base) for base, cpu in turns]
        yield Figure(
            f"{count:,} rules over none, extra CPU over baseline",
            tuple((more - median(cold)) / base for more, base in extra),
            limit=limit if data.events == REFERENCE_EVENTS else None,
            note=f"loading ({median(cold):.2f} s, cold cache) taken off",
        )
        yield Figure(f"{count:,} rules, the same with loading, cold cache", tuple(more / base for more, base in extra))
        yield Figure(f"{count:,} rules, loading, CPU, cold cache", cold, "s")
        yield Figure(f"{count:,} rules, loading, CPU, warm cache", warm, "s")


def search(bench: Bench) -> Iterator[Figure]:
    """4: searches for the needles in a compacted lake, against a text search of raw_data, in one warm process."""
    data = bench.full
    with bench.runs.lake(data, None) as (home, _):
        compacting = measure(trailkeep("compact", "--home", home, "--grace-minutes", 0))
        yield Figure(f"compact, CPU, at {data.events:,} events", (compacting.cpu_seconds,), "s")
        yield Figure("compact, peak memory", (compacting.peak_bytes / MEGABYTE,), "MB")
        output = bench.runs.folder / "search.json"
        needles = (data.needle_key, data.needle_ip)
        measure([sys.executable, "-m", "bench.search", str(home), *needles], stdout=output)
        found = json.loads(output.read_text())
        output.unlink()
    wanted = (data.needle_key_events, data.needle_ip_events)
    for what, events, result in zip(("access key", "source IP"), wanted, found, strict=True):
        if not result["found"] == events == result["text_found"]:
            raise BenchError(
                f"{what}: search found {result['found']:,} events and text search {result['text_found']:,}, "
                f"not the {events:,} that were generated"
            )
        pairs = list(zip(result["text_seconds"], result["seconds"], strict=True))
        yield Figure(
            f"search for one {what}, times faster than text search",
            tuple(text / own for text, own in pairs),
            limit=20 if data.events == LARGE_EVENTS else None,
            at_least=True,
            note=f"{events:,} events found; {result['read']}",
        )
        yield Figure(f"search for one {what}", tuple(result["seconds"]), "s")
        yield Figure(f"text search for one {what}", tuple(result["text_seconds"]), "s", note=result["text_read"])


def hunt(bench: Bench) -> Iterator[Figure]:
    """5: events per second of a hunt with 60 rules, from cold start to last match."""
    rules, data = _shipped(bench), bench.reference
    turns = [bench.runs.hunt(data, rules) for _ in range(bench.rounds)]
    matches = {count for _, count in turns}
    if matches == {0} or len(matches) > 1:
        raise BenchError(f"hunts of the same files found {sorted(matches)} matches")
    yield Figure(
        "hunt with 60 rules, cold start included",
        tuple(data.events / usage.wall_seconds for usage, _ in turns),
        "events/s",
        note=f"{data.events:,} events, {matches.pop():,} matches, --workers {WORKERS}",
    )
    yield Figure("hunt, CPU", tuple(usage.cpu_seconds for usage, _ in turns), "s")
    yield Figure("hunt, peak memory", tuple(usage.peak_bytes / MEGABYTE for usage, _ in turns), "MB")


def receivers(bench: Bench) -> Iterator[Figure]:
    """6: events per second that senders hear are on disk, by protocol."""
    yield from receive(bench.runs.folder, bench.rounds)


def sources(bench: Bench) -> Iterator[Figure]:
    """7: how fast each source is mapped, in megabytes and events a CPU second; CloudTrail is the measure."""
    output = bench.runs.folder / "sources.json"
    turns = []
    for _ in range(bench.rounds):
        measure([sys.executable, "-m", "bench.sources", "0.4"], stdout=output)
        turns.append(json.loads(output.read_text()))
        output.unlink()
    for name in turns[0]:
        megabytes = tuple(turn[name]["megabytes"] for turn in turns)
        shares = tuple(turn[name]["megabytes"] / turn["aws_cloudtrail"]["megabytes"] for turn in turns)
        events = median(turn[name]["events"] for turn in turns)
        slow = median(shares) < 1 / 3
        note = f"{events:,.0f} events/s; {median(shares):.2f} of CloudTrail's MB/s"
        why = f": {_WHY_SLOW.get(name, WHY_SLOW)}" if slow else ""
        yield Figure(f"mapping {name}", megabytes, "MB/s", note=note + why)


def latency(bench: Bench) -> Iterator[Figure]:
    """8: seconds from the notification of S3 to the alert on disk, at default settings."""
    folder = bench.runs.folder / "latency"
    shutil.rmtree(folder, ignore_errors=True)
    found = latencies(folder)
    shutil.rmtree(folder)
    yield Figure("S3 notification to alert on disk", tuple(found), "s", 5.0, note=f"{len(found)} objects")


def delivery(bench: Bench) -> Iterator[Figure]:
    """9: seconds from an alert to people, one by one, and for very many at once while another channel hangs."""
    folder, output = bench.runs.folder / "delivery", bench.runs.folder / "delivery.json"
    shutil.rmtree(folder, ignore_errors=True)
    measure([sys.executable, "-m", "bench.delivery", str(folder)], stdout=output)
    found = json.loads(output.read_text())
    output.unlink()
    shutil.rmtree(folder)
    seconds = found["seconds"]
    note = f"{len(seconds):,} alerts"
    yield Figure("alert to webhook, median", (median(seconds),), "s", note=note)
    yield Figure("alert to webhook, 99th percentile", (quantiles(seconds, n=100)[98],), "s", note=note)
    at_once = f"{STORM:,} alerts at once to two channels, one of which hangs"
    yield Figure(f"{at_once}: all at the other", (found["storm_seconds"],), "s")
    yield Figure(f"{at_once}: the first", (found["first"],), "s")


def commits(bench: Bench) -> Iterator[Figure]:
    """10: what many small commits do to a lake that is looked after beside them."""
    folder, output = bench.runs.folder / "commits", bench.runs.folder / "commits.json"
    shutil.rmtree(folder, ignore_errors=True)
    used = measure([sys.executable, "-m", "bench.commits", str(folder), str(bench.commits)], stdout=output)
    found = json.loads(output.read_text())
    output.unlink()
    shutil.rmtree(folder)
    after = f"after {bench.commits:,} commits"
    yield Figure(f"metadata of the table {after}", (found["metadata"] / MEGABYTE,), "MB")
    yield Figure(f"data files {after}", (found["files"],))
    yield Figure(f"planning, CPU, {after}", (found["planning"],), "s")
    for when in ("first", "last"):
        yield Figure(f"a commit of 3 events, the {when} 100, CPU", (found[f"{when}_cpu"],), "s")
        yield Figure(f"a commit of 3 events, the {when} 100, wall", (found[f"{when}_wall"],), "s")
    yield Figure("all of them, CPU, with the care", (used.cpu_seconds,), "s")


def correlations(bench: Bench) -> Iterator[Figure]:
    """11: signals through 50 correlations: how fast, in how much memory, and whether it stays so."""
    folder, output = bench.runs.folder / "correlations", bench.runs.folder / "correlations.json"
    shutil.rmtree(folder, ignore_errors=True)
    count = bench.signals
    command = [sys.executable, "-m", "bench.correlations", str(folder), str(count)]
    used = measure(command, stdout=output)
    found = json.loads(output.read_text())
    output.unlink()
    shutil.rmtree(folder)
    at = f"{count:,} signals through 50 correlations"
    yield Figure(at, (count / sum(found["cpu"]),), "signals/cpu-s", note=f"{found['hits']:,} hits")
    yield Figure(f"{at}, the last tenth over the first, CPU", (found["cpu"][-1] / found["cpu"][0],))
    yield Figure(f"{at}, peak memory", (used.peak_bytes / MEGABYTE,), "MB")
    yield Figure(f"{at}, state", (found["size"] / MEGABYTE,), "MB")


def baselines(bench: Bench) -> Iterator[Figure]:
    """12: what each detector of baselines costs when it looks at a day, with the history that it asks for."""
    folder, output = bench.runs.folder / "baselines", bench.runs.folder / "baselines.json"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    measure([sys.executable, "-m", "bench.baselines", "make", str(folder), str(bench.history)])
    costs, peaks, seen = [], [], 0
    for name in names():
        used = measure([sys.executable, "-m", "bench.baselines", "look", str(folder), name], stdout=output)
        found = json.loads(output.read_text())["findings"]
        seen += found
        costs.append(used.cpu_seconds)
        peaks.append(used.peak_bytes / MEGABYTE)
        yield Figure(f"{name}, CPU", (costs[-1],), "s", note=f"{peaks[-1]:,.0f} MB at most, {found:,} findings")
    output.unlink()
    shutil.rmtree(folder)
    if not seen:
        raise BenchError("no detector saw what was put there for them to see")
    at = f"{len(costs)} detectors of baselines, {bench.history:,} events of 90 days"
    yield Figure(f"{at}, CPU in all", (sum(costs),), "s", note="a process each, start-up included")
    yield Figure(f"{at}, peak memory", (max(peaks),), "MB")


def quiet(bench: Bench) -> Iterator[Figure]:
    """13: alerts that all shipped rules, correlations and baselines raise about routine and the demo's benign day."""
    folder = bench.runs.folder / "quiet"
    shutil.rmtree(folder, ignore_errors=True)
    events = write_routine(folder / "routine", bench.routine).total()
    day = write_company_day(folder / "demo", attacked=False)
    found = noise(
        [folder / "routine", folder / "demo"],
        folder / "lake",
        ALL_RULES,
        events + day.cloudtrail_events + day.flow_records,
    )
    shutil.rmtree(folder)
    print(found.table(), file=sys.stderr)
    at = f"in {found.events:,} routine events"
    yield Figure("alerts of medium and above in 1,000 routine events", (found.per_thousand,), "", LIMIT)
    for level in LEVELS:
        yield Figure(f"alerts of level {level} {at}", (float(found.levels[level]),))
    for rule in found.loud:
        note = f"{rule.events:,} events"
        yield Figure(f"alerts of {rule.level}: {rule.title}, {at}", (float(rule.alerts),), note=note)


STAGES: dict[str, Stage] = {
    "ingest": ingest_cost,
    "workers": workers,
    "rules": rules_cost,
    "search": search,
    "hunt": hunt,
    "receivers": receivers,
    "sources": sources,
    "latency": latency,
    "delivery": delivery,
    "commits": commits,
    "correlations": correlations,
    "baselines": baselines,
    "quiet": quiet,
}


def _shipped(bench: Bench) -> Path:
    if bench.shipped is None:
        raise BenchError("fewer than 60 rules are shipped")
    return bench.shipped
