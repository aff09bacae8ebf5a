"""Arguments in, the program started often and quickly out: for tests that kill it hundreds of times."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_PROGRAM = """
import json, os, sys
from trailkeep.cli import collect
from trailkeep.cli.main import run
from trailkeep.config import config_model
config_model()
for line in sys.stdin:
    asked = json.loads(line)
    if isinstance(asked, int):
        child, status = os.waitpid(asked, os.WNOHANG)
        print(json.dumps(os.waitstatus_to_exitcode(status) if child else None), flush=True)
        continue
    if (child := os.fork()) == 0:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(2, 1)  # the first is for answers
        os.environ["TRAILKEEP_FAILPOINT"], *sys.argv[1:] = asked
        run()
    print(child, flush=True)
"""


class Nursery:
    """A process that has loaded everything, and becomes the program by a fork."""

    def __init__(self, *arguments: str | Path) -> None:
        self._arguments = list(map(str, arguments))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, failpoint: str = "") -> int:
        """Start the program in a process group of its own, to be killed where it passes `failpoint`; its process id."""
        return int(self._ask([failpoint, *self._arguments]))

    def code(self, program: int) -> int | None:
        """The exit code of a program, None while it runs; that of one which ended is told once."""
        found = json.loads(self._ask(program))
        return None if found is None else int(found)

    def kill(self, program: int) -> None:
        """Kill it and its processes, and wait until it is gone. Fails where it has ended by itself."""
        os.killpg(program, signal.SIGKILL)
        while (code := self.code(program)) is None:
            time.sleep(0.002)
        assert code == -signal.SIGKILL, code

    def close(self) -> None:
        """End the nursery."""
        self._process.communicate(timeout=30)

    def _ask(self, what: object) -> str:
        assert self._process.stdin and self._process.stdout
        print(json.dumps(what), file=self._process.stdin, flush=True)
        return self._process.stdout.readline()
