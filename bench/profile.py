"""A number of events in, where the CPU time of an ingest goes out: `python -m bench.profile`.

Profiles `trailkeep ingest --workers 1` in this process by CPU time, threads of native libraries included. Native
calls appear under their own names (execute, write_table, ...), those of imports included.
"""

import argparse
import cProfile
import tempfile
import time
from pathlib import Path
from types import CodeType
from typing import Any

from bench.__main__ import prepare

_OWN = "/trailkeep/"  # in the path of our own files
_SHOWN = 30  # lines of each list


def main() -> None:
    """Profiles one ingest and prints where its CPU time went."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=main.__doc__)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work")
    parser.add_argument("--rules", type=Path, help="rule file or folder; 60 of the shipped ones otherwise")
    args = parser.parse_args()
    bench = prepare(args.work.resolve(), args.events, 1)
    rules = args.rules or bench.shipped
    started = time.process_time()
    from trailkeep.cli.main import build

    imported = time.process_time()
    profiler = cProfile.Profile(time.process_time)
    with tempfile.TemporaryDirectory(dir=bench.runs.folder) as home:
        command = ["ingest", str(bench.full.folder / "AWSLogs"), "--home", f"{home}/lake", "--workers", "1"]
        command += ["--rules", str(rules)] if rules else ["--no-rules"]
        profiler.enable()
        try:
            build(command[:1])(command, standalone_mode=False)
        finally:
            profiler.disable()
    total = time.process_time() - imported
    print(f"{bench.full.events:,} events: {total:.2f} cpu-s, and {imported - started:.2f} for the first imports\n")
    entries = profiler.getstats()
    print("With what they call: functions of Trailkeep")
    own = [entry for entry in entries if isinstance(entry.code, CodeType) and _OWN in entry.code.co_filename]
    for entry in sorted(own, key=lambda entry: -entry.totaltime)[:_SHOWN]:
        print(_line(entry, entry.totaltime, total))
    print("\nBy themselves: all functions, native calls among them")
    for entry in sorted(entries, key=lambda entry: -entry.inlinetime)[:_SHOWN]:
        print(_line(entry, entry.inlinetime, total))


def _line(entry: Any, seconds: float, total: float) -> str:
    code = entry.code
    if isinstance(code, CodeType):
        file = code.co_filename.rsplit(_OWN, 1)[-1].rsplit("/site-packages/", 1)[-1]
        code = f"{file}:{code.co_firstlineno} {code.co_qualname}"
    return f"{seconds:8.2f} s {seconds / total:6.1%} {entry.callcount:>9,}  {code}"


if __name__ == "__main__":
    main()
