"""Arguments in; the program run as a user runs it, in processes of its own, out."""

import os
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = (sys.executable, "-c", "from trailkeep.cli.main import run; run()")
# A failpoint that every process would pass, passed by the workers only.
WORKERS_ONLY = (
    sys.executable,
    "-c",
    "from trailkeep.lake import shard; shard.failpoint = lambda name: None\nfrom trailkeep.cli.main import run; run()",
)

Done = subprocess.CompletedProcess[str]


def start(*arguments: str | Path, program: tuple[str, ...] = PROGRAM, failpoint: str = "") -> subprocess.Popen[str]:
    """The program at work, in a process group of its own; killed where it passes `failpoint`."""
    return subprocess.Popen(
        [*program, *map(str, arguments)],
        env={**os.environ, "TRAILKEEP_FAILPOINT": failpoint},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> Done:
    """What became of the program; never a traceback."""
    out, err = process.communicate(timeout=300)
    assert "Traceback" not in err, err
    return Done(process.args, process.returncode, out, err)


def run(*arguments: str | Path, program: tuple[str, ...] = PROGRAM, failpoint: str = "") -> Done:
    """Run the program to its end, or to its failpoint."""
    return finish(start(*arguments, program=program, failpoint=failpoint))


def succeed(*arguments: str | Path) -> Done:
    """Run the program and see it end with exit code 0."""
    done = run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill the program and its workers at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
