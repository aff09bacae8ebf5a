"""Correlations and filters in files: what is read, what is a fault and on which line, and what refers to what."""

from pathlib import Path

import pytest

from trailkeep.detect.correlations import needed_fields, silent
from trailkeep.detect.rule import Correlation
from trailkeep.detect.rules import RulePack, load_rules
from trailkeep.detect.tree import And, Not

RULES = """\
title: Sign-in failed
name: failed
id: 0d5a1b30-5a0c-4a0a-9d0e-6a8f6f0b0a01
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin}, condition: s}
---
title: Signed in
id: 0d5a1b30-5a0c-4a0a-9d0e-6a8f6f0b0a02
logsource: {product: okta}
detection: {s: {eventType: user.session.start}, condition: s}
"""
MANY = """\
title: Many sign-ins failed
id: 0d5a1b30-5a0c-4a0a-9d0e-6a8f6f0b0a03
name: many
level: high
correlation:
  type: value_count
  rules: [failed, 0d5a1b30-5a0c-4a0a-9d0e-6a8f6f0b0a02]
  group-by: [who, awsRegion]
  timespan: 5m
  aliases:
    who: {failed: userIdentity.userName, 0d5a1b30-5a0c-4a0a-9d0e-6a8f6f0b0a02: actor.alternateId}
  condition: {gte: 3, lt: 1e3, field: sourceIPAddress}
"""
FILTER = """\
title: Not our tests
logsource: {product: aws}
filter:
  rules: [failed]
  s: {userAgent: synthetic}
  condition: not s
"""


def pack(folder: Path, *files: str) -> RulePack:
    for number, text in enumerate((RULES, *files)):
        (folder / f"{number}.yml").write_text(text)
    return load_rules([folder], folder / "cache")


def one(folder: Path, old: str = "", new: str = "") -> Correlation:
    assert old in MANY
    found = pack(folder, MANY.replace(old, new))
    assert not found.faults, found.faults
    return found.correlations[0]


def test_what_is_read(tmp_path: Path) -> None:
    found = one(tmp_path)
    first, second = (f"0d5a1b30-5a0c-4a0a-9d0e-6a8f6f0b0a0{number}" for number in (1, 2))
    assert (found.kind, found.timespan, found.level, found.generate) == ("value_count", 300, "high", False)
    assert found.rules == (first, second)
    assert found.group_by == ("who", "awsRegion")
    assert found.bounds == (("gte", 3.0), ("lt", 1000.0))
    assert found.fields == ("sourceIPAddress",)
    assert found.aliases == {"who": {first: "userIdentity.userName", second: "actor.alternateId"}}
    assert needed_fields([found]) == {
        first: ("userIdentity.userName", "awsRegion", "sourceIPAddress"),
        second: ("actor.alternateId", "awsRegion", "sourceIPAddress"),
    }
    assert silent([], [found]) == {first, second}
    again = load_rules([tmp_path], tmp_path / "cache")
    assert again.correlations == (found,)


def test_generate(tmp_path: Path) -> None:
    assert silent([], [one(tmp_path, "  type:", "  generate: true\n  type:")]) == set()


def test_what_only_records(tmp_path: Path) -> None:
    found = pack(tmp_path, MANY.replace("level:", "alert: false\nlevel:"), "alert: false\n" + NAMED)
    assert silent(found.rules, found.correlations) == {found.correlations[0].id, found.rules[2].id} | set(
        found.correlations[0].rules
    )
    (fault,) = pack(tmp_path, "alert: maybe\n" + NAMED).faults
    assert (fault.line, fault.reason) == (1, "alert 'maybe' is neither true nor false")


@pytest.mark.parametrize(
    ("unit", "seconds"), [("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86_400), ("2w", 1_209_600), ("1M", 2_629_746)]
)
def test_spans(tmp_path: Path, unit: str, seconds: int) -> None:
    assert one(tmp_path, "5m", unit).timespan == seconds


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("value_count", "values", 6, "type 'values' is none of event_count, value_count"),
        ("5m", "5 minutes", 9, "timespan '5 minutes' is not a time"),
        ("5m", "0m", 9, "is not a time"),
        ("gte: 3", "gte: three", 12, "gte 'three' is not a number"),
        ("gte: 3, lt: 1e3, ", "", 12, "condition needs one of gt, gte"),
        (", field: sourceIPAddress", "", 12, "value_count needs the field"),
        ("gte: 3", "atleast: 3", 12, "condition has no key atleast"),
        ("value_count", "event_count", 12, "event_count counts events, not a field"),
        ("value_count", "value_percentile", 12, "percentile None is not a number"),
        ("gte: 3", "gte: 3, percentile: 50", 12, "takes no percentile"),
        ("value_count", "temporal_ordered", 12, "takes no condition"),
        ("[failed, 0d5a", "[failed, failed, 0d5a", 7, "rules has failed twice"),
        ("timespan", "window", 9, "correlation has no key window"),
        ("{failed: userIdentity.userName,", "{other: x,", 11, "who has other, which rules has not"),
        ("rules: [failed,", "rules: [lost,", 11, "who has failed, which rules has not"),
        ("  type:", "  generate: often\n  type:", 6, "neither true nor false"),
    ],
)
def test_a_fault_names_its_line(tmp_path: Path, old: str, new: str, line: int, reason: str) -> None:
    assert old in MANY
    found = pack(tmp_path, MANY.replace(old, new))
    assert not found.correlations
    assert len(found.rules) == 2
    (fault,) = found.faults
    assert fault.line == line
    assert reason in fault.reason


TEMPORAL = "title: t\ncorrelation: {type: temporal, rules: [failed, b], timespan: 1h%s}\n"
NAMED = "title: b\nname: b\nlogsource: {product: aws}\ndetection: {s: [a], condition: s}\n"


def test_a_condition_of_rules(tmp_path: Path) -> None:
    text = TEMPORAL % ", condition: not failed and (b or failed)"
    (found,) = pack(tmp_path, text, NAMED).correlations
    names = [word if word[0] != "=" else ("b" if word[1:] == found.rules[1] else "failed") for word in found.condition]
    assert names == ["failed", "not", "b", "failed", "or", "and"]
    (found,) = pack(tmp_path, TEMPORAL % ", condition: {gte: 1}", NAMED).correlations
    assert found.bounds == (("gte", 1.0),)


def test_a_condition_of_a_rule_that_is_not_named(tmp_path: Path) -> None:
    (fault,) = pack(tmp_path, TEMPORAL % ", condition: failed and c", NAMED).faults
    assert "the condition has c, which rules has not" in fault.reason


def test_what_refers_to_nothing_is_left_out_and_so_is_what_builds_on_it(tmp_path: Path) -> None:
    lost = MANY.replace("[failed,", "[nobody,").replace("failed: userIdentity.userName,", "")
    above = "title: above\ncorrelation: {type: event_count, rules: [many], timespan: 1h, condition: {gte: 2}}\n"
    found = pack(tmp_path, lost, above)
    assert not found.correlations
    assert sorted(fault.reason.partition(":")[0] for fault in found.faults) == ["refers to many", "refers to nobody"]


def test_inner_ones_come_first_and_circles_are_faults(tmp_path: Path) -> None:
    count = (
        "title: {0}\nname: {0}\ncorrelation: {{type: event_count, rules: [{1}], timespan: 1h, condition: {{gte: 2}}}}\n"
    )
    found = pack(tmp_path, count.format("aa", "bb"), count.format("bb", "failed"))
    assert [each.name for each in found.correlations] == ["bb", "aa"]
    assert not found.faults
    found = pack(tmp_path, count.format("aa", "bb"), count.format("bb", "aa"))
    assert not found.correlations
    assert {fault.reason.partition(":")[0] for fault in found.faults} == {"refers to aa", "refers to bb"}


def test_a_filter_is_part_of_its_rules(tmp_path: Path) -> None:
    plain = pack(tmp_path).rules[0]
    found = pack(tmp_path, FILTER)
    assert not found.faults
    failed, other = found.rules
    assert isinstance(failed.detection, And)
    assert failed.detection.nodes[0] == plain.detection
    assert isinstance(failed.detection.nodes[1], Not)
    assert failed.content_hash != plain.content_hash
    assert not isinstance(other.detection, And)


@pytest.mark.parametrize(("rules", "applied"), [("any", True), ("[any]", True), ("failed", True), ("[]", True)])
def test_rules_of_a_filter(tmp_path: Path, rules: str, applied: bool) -> None:
    found = pack(tmp_path, FILTER.replace("[failed]", rules))
    assert [isinstance(rule.detection, And) for rule in found.rules] == [applied, False]


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("[failed]", "[nobody]", 1, "refers to nobody"),
        ("  rules: [failed]\n", "", 3, "filter needs rules"),
        ("product: aws", "product: gcp", 1, "no rule that it is about has the logsource product: gcp"),
        ("not s", "not t", 3, "t"),
        ("logsource: {product: aws}\n", "", 1, "logsource needs"),
    ],
)
def test_faults_of_filters(tmp_path: Path, old: str, new: str, line: int, reason: str) -> None:
    assert old in FILTER
    found = pack(tmp_path, FILTER.replace(old, new))
    assert not any(isinstance(rule.detection, And) for rule in found.rules)
    (fault,) = found.faults
    assert reason in fault.reason
    assert fault.line >= line
