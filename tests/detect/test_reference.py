"""Rule by rule and event by event on real events: the engine against pysigma-backend-sqlite.

What the reference cannot express (rules/beyond_the_reference.yml, where each rule says why) is compared with the
naive evaluator, and so is everything else.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.content.records import json_records, read_text
from tests.detect.engine import CLOUDTRAIL, matched_raw, raw_table
from tests.detect.naive import rule_holds
from tests.detect.reference import dumped, reference_matches
from trailkeep.detect.rules import load_rules

RULES = Path(__file__).parent / "rules"
KINDS = {"kinds": ["Root", "*User"]}


@pytest.fixture(scope="module")
def real_events(real_samples: Path) -> list[dict[str, Any]]:
    """Every CloudTrail record of the samples that the mapping accepts."""
    found = [
        record
        for path in sorted((real_samples / "cloudtrail").rglob("*"))
        if path.is_file()
        for record in json_records(read_text(path))
        if isinstance(record, dict) and {"eventTime", "eventSource", "eventName", "userIdentity"} <= set(record)
    ]
    assert len(found) > 300
    return found


def engine_matches(file: Path, records: list[dict[str, Any]]) -> set[tuple[str, int]]:
    pack = load_rules([file], lists=KINDS)
    assert not pack.faults, pack.faults
    found = matched_raw(pack.rules, raw_table(dumped(records)), CLOUDTRAIL)
    return {(pack.rules[number].title, record) for number, record in found}


def naive_matches(file: Path, records: list[dict[str, Any]]) -> set[tuple[str, int]]:
    raws = dumped(records)
    return {
        (rule["title"], number)
        for rule in yaml.safe_load_all(file.read_text(encoding="utf-8"))
        for number, (record, raw) in enumerate(zip(records, raws, strict=True))
        if rule_holds(record, raw, expanded(rule["detection"]))
    }


def expanded(detection: dict[str, Any]) -> dict[str, Any]:
    """Placeholders written out."""
    text = json.dumps(detection).replace("|expand", "").replace('"%kinds%"', json.dumps(KINDS["kinds"]))
    return dict(json.loads(text))


def differing(one: set[tuple[str, int]], other: set[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(one ^ other)[:20]


def test_constructs_of_public_rules(real_events: list[dict[str, Any]]) -> None:
    file = RULES / "constructs.yml"
    found = engine_matches(file, real_events)
    expected = reference_matches(file.read_text(encoding="utf-8"), real_events)
    assert not differing(found, expected)
    counts = Counter(title for title, _ in found)
    titles = [rule["title"] for rule in yaml.safe_load_all(file.read_text(encoding="utf-8"))]
    print(len(real_events), "events,", len(titles), "rules,", len(found), "matches", dict(counts))
    assert {title for title in titles if not counts[title]} <= NEVER


NEVER = {"Console sign-in fails"}  # the samples have none; test_values.py does


def test_constructs_against_the_naive_evaluator(real_events: list[dict[str, Any]]) -> None:
    file = RULES / "constructs.yml"
    assert not differing(engine_matches(file, real_events), naive_matches(file, real_events))


def test_what_the_reference_cannot_express(real_events: list[dict[str, Any]]) -> None:
    file = RULES / "beyond_the_reference.yml"
    assert not differing(engine_matches(file, real_events), naive_matches(file, real_events))
