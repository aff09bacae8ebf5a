"""Named places before and after every durable step, where a test can have the process killed.

`TRAILKEEP_FAILPOINT=name` kills at the first passage of `name`, `name:3` at the third. Without the variable a
failpoint costs one dictionary look-up.
"""

import os
import signal
from collections import Counter

_passages: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL if the environment asks for it here."""
    wanted = os.environ.get("TRAILKEEP_FAILPOINT")
    if wanted is None:
        return
    _passages[name] += 1
    place, _, passage = wanted.partition(":")
    if place == name and _passages[name] == int(passage or 1):
        os.kill(os.getpid(), signal.SIGKILL)
