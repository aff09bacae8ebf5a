"""Correlations and signals for tests, made of little."""

from pathlib import Path
from typing import Any

from trailkeep.detect.rule import Correlation
from trailkeep.detect.windows import Member


def correlation(kind: str, rules: tuple[str, ...] = ("a",), **changes: Any) -> Correlation:
    """One over ten seconds, with defaults for all that a test does not care about."""
    given: dict[str, Any] = {
        "id": "c",
        "name": "",
        "title": "Some together",
        "level": "high",
        "description": "",
        "tags": (),
        "falsepositives": (),
        "runbook": "",
        "alert": True,
        "kind": kind,
        "rules": rules,
        "timespan": 10,
        "tests": (),
        "content_hash": "0" * 64,
        "path": Path("c.yml"),
        "line": 1,
    }
    return Correlation(**(given | changes))


def members(text: str) -> list[Member]:
    """`a1 b2.5=17 a3` -> signals of rules a and b at these seconds, with this value; each an event of its own.

    `a1#x` is the event x, which other rules may have, too.
    """
    found = []
    for number, word in enumerate(text.split()):
        head, _, value = word.partition("=")
        place, _, event = head.partition("#")
        found.append(Member(round(float(place[1:]) * 1_000_000), event or f"e{number:03}", place[0], (value or None,)))
    return sorted(found)
