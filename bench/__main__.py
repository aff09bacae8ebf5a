"""A number of events in, the benchmark's report out: `python -m bench --events 400000`.

Exit code 1 when a comparison could not be made; a missed limit is printed as MISSED and is no failure of the run.
The report is left in bench/work as report.md and report.json.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

import trailkeep
from bench.figures import NOT_COMPARED, Figure, as_json, as_markdown
from bench.generator import EVENTS_PER_FILE, GeneratedData, generate
from bench.measure import BenchError
from bench.rules import generate_rules
from bench.runs import WORKERS, Runs
from bench.stages import GENERATED, REFERENCE_EVENTS, STAGES, Bench, Stage

SHIPPED = Path(trailkeep.__file__).parent / "rules"
SHIPPED_COUNT = 60
_PACKAGES = ("trailkeep", "duckdb", "pyarrow", "pyiceberg", "pysigma")


def main() -> None:
    """Runs the stages and prints what they measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    parser.add_argument("--events", type=int, default=REFERENCE_EVENTS)
    parser.add_argument("--commits", type=int, default=2_000, help="of the stage of that name; 20000 takes an hour")
    parser.add_argument("--signals", type=int, default=4_000_000, help="of the stage correlations: six minutes")
    parser.add_argument("--history", type=int, default=500_000, help="events of 90 days, of the stage baselines")
    parser.add_argument("--routine", type=int, default=1_000_000, help="events of the stage `quiet`")
    parser.add_argument("--rounds", type=int, default=3, help="runs of everything that is compared")
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work")
    args = parser.parse_args()
    bench = prepare(
        args.work.resolve(), args.events, args.rounds, args.commits, args.signals, args.history, args.routine
    )
    machine, busy_before, begun = _machine(), _busy_seconds(), time.monotonic()
    figures: list[Figure] = []
    for name in args.stages:
        figures += _run(name, STAGES[name], bench)
    others = (_busy_seconds() - busy_before) / (time.monotonic() - begun)
    machine["other processes"] = f"kept {max(0.0, others):.2f} cores busy on average: " + (
        "wall times and memory are hardly comparable, CPU times only roughly" if others > 0.2 else "quiet enough"
    )
    report = as_markdown(figures, machine)
    (args.work / "report.md").write_text(report)
    (args.work / "report.json").write_text(json.dumps(as_json(figures, machine), indent=1))
    print(report)
    if any(figure.verdict == NOT_COMPARED for figure in figures):
        sys.exit(1)


def prepare(
    work: Path,
    events: int,
    rounds: int,
    commits: int = 2_000,
    signals: int = 4_000_000,
    history: int = 500_000,
    routine: int = 1_000_000,
) -> Bench:
    """The data and rules that the stages need, made or taken from an earlier run."""
    runs = Runs(work / "runs")
    runs.folder.mkdir(parents=True, exist_ok=True)
    full = _data(work, events)
    reference = _data(work, min(events, REFERENCE_EVENTS))
    generated = {count: _write_rules(work, count, full.event_weights) for count in GENERATED}
    return Bench(runs, full, reference, _shipped_rules(work), generated, rounds, commits, signals, history, routine)


def _run(name: str, stage: Stage, bench: Bench) -> list[Figure]:
    """The figures of a stage; one that could not be finished says why."""
    figures: list[Figure] = []
    begun = time.monotonic()
    try:
        for figure in stage(bench):
            figures.append(figure)
    except BenchError as error:
        figures.append(Figure(f"{name}, the rest of it", problem=str(error)))
    print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return figures


def _data(work: Path, events: int) -> GeneratedData:
    print(f"{events:,} events, generated or reused", file=sys.stderr)
    return generate(work / f"data-{events}", events, max(1, events // EVENTS_PER_FILE))


def _write_rules(work: Path, count: int, weights: dict[str, int]) -> Path:
    folder = _emptied(work / f"rules-{count}")
    for number, rule in enumerate(generate_rules(count, weights)):
        (folder / f"{number:04d}.yml").write_text(rule)
    return folder


def _shipped_rules(work: Path) -> Path | None:
    """60 of the shipped rules, evenly over the folders; None if there are not so many."""
    rules = sorted([*SHIPPED.rglob("*.yml"), *SHIPPED.rglob("*.yaml")])
    if len(rules) < SHIPPED_COUNT:
        return None
    folder = _emptied(work / "rules-shipped")
    for number in range(SHIPPED_COUNT):
        rule = rules[number * len(rules) // SHIPPED_COUNT]
        shutil.copyfile(rule, folder / f"{number:02d}-{rule.name}")
    return folder


def _emptied(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _busy_seconds() -> float:
    """CPU seconds that the machine has spent on what is not this benchmark."""
    machine, own = psutil.cpu_times(), psutil.Process().cpu_times()
    ours = own.user + own.system + own.children_user + own.children_system
    return float(sum(machine) - machine.idle - machine.iowait - machine.guest - machine.guest_nice - ours)


def _machine() -> dict[str, str]:
    """What the figures were taken on, and by which method."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith("model name")), "")
    return {
        "date": datetime.now(UTC).isoformat(" ", "minutes"),
        "processor": f"{model or platform.machine()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": platform.platform(),
        "load before the run": f"{os.getloadavg()[0]:.1f}",
        "versions": ", ".join([f"python {platform.python_version()}", *(f"{p} {version(p)}" for p in _PACKAGES)]),
        "CPU": "user + system of the whole process tree, start-up included",
        "memory figures": "largest sum of the proportional set sizes of all processes of the tree, looked at "
        "every 50 ms",
        "workers": f"ingest and hunt with --workers {WORKERS} unless told otherwise",
    }


if __name__ == "__main__":
    main()
