"""The page of what is asked for: each rule in it exists, and each event in it is found by a rule beside it."""

import json
import re
from pathlib import Path

import pytest

from tests.content.test_rules import FOLDER, NAMED, PACK

PAGE = (Path(__file__).parents[2] / "docs/reference/asked.md").read_text(encoding="utf-8")
ROWS = [row for row in PAGE.splitlines() if "](rules/" in row]
RULES = {f"rules/{rule.path.relative_to(FOLDER).with_suffix('')}.md": rule for rule in PACK.every}
_LINK, _EVENT = re.compile(r"\[([^]]+)\]\(([^)]+)\)"), re.compile(r"`([A-Z][A-Za-z0-9]+)`")


def test_the_page_has_every_control_and_every_named_event() -> None:
    assert [int(n) for n in re.findall(r"^\| (\d+) ", PAGE, re.MULTILINE)] == list(range(1, 16))
    asked = {event for _, events in NAMED.values() for event in events.split()}
    assert asked <= {event for row in ROWS for event in _EVENT.findall(row)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_rules_of_a_row_exist_and_find_its_events(row: str) -> None:
    _, events, links = row.strip("| ").split(" | ")
    found = set()
    for title, uri in _LINK.findall(links):
        rule = RULES[uri]
        assert rule.title == title
        assert rule.told_tests
        for test in getattr(rule, "tests", ()):
            found |= {json.loads(event).get("eventName") for event in test.events if test.match and event[0] == "{"}
    assert set(_EVENT.findall(events)) <= found
