"""Rule files: what is read, what is a fault and on which line, and the cache."""

import subprocess
import sys
from pathlib import Path

import pytest

from trailkeep.detect.rule import Rule, RuleTest
from trailkeep.detect.rules import load_rules
from trailkeep.detect.tree import And, Not, Null, Or, Test

GOOD = """\
title: Trail deleted
id: 0d5a1b30-5a0c-4a0a-9d0e-6a8f6f0b0a01
level: high
description: A trail was deleted.
tags: [attack.defense-evasion, attack.t1562.008]
falsepositives: [Decommissioning]
runbook: Ask who did it.
window: 2h
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventName: [DeleteTrail, StopLogging]
    additionalEventData.MFAUsed: No
    userIdentity.accountId: 011122223333
  filter:
    errorCode: null
  condition: selection and not filter
tests:
  - name: hit
    match: true
    events:
      - {eventName: DeleteTrail, n: 1}
      - '{"eventName": "StopLogging"}'
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


def only(tmp_path: Path, text: str) -> Rule:
    pack = load_rules([write(tmp_path, rule=text)])
    assert not pack.faults, pack.faults
    return pack.rules[0]


def test_a_rule_is_read_whole(tmp_path: Path) -> None:
    rule = only(tmp_path, "# a comment\n" + GOOD)
    assert (rule.id, rule.level, rule.window, rule.line) == (
        "0d5a1b30-5a0c-4a0a-9d0e-6a8f6f0b0a01",
        "high",
        7200,
        2,
    )
    assert rule.tags == ("attack.defense-evasion", "attack.t1562.008")
    assert (rule.falsepositives, rule.runbook) == (("Decommissioning",), "Ask who did it.")
    assert rule.tests == (RuleTest("hit", True, ('{"eventName":"DeleteTrail","n":1}', '{"eventName": "StopLogging"}')),)
    assert rule.path == tmp_path / "rule.yml"
    assert isinstance(rule.detection, And)
    selection = [node for node in rule.detection.nodes if isinstance(node, Test)]
    assert [(one.field, one.equals) for one in selection] == [
        ("eventName", ("deletetrail", "stoplogging")),
        ("additionalEventData.MFAUsed", ("no",)),
        ("userIdentity.accountId", ("011122223333",)),
    ]
    assert rule.detection.nodes[-1] == Not(Null("errorCode"))


def test_the_level_and_window_have_defaults(tmp_path: Path) -> None:
    rule = only(tmp_path, "title: x\nlogsource: {product: aws}\ndetection: {s: {a: b}, condition: s}\n")
    assert (rule.level, rule.window, len(rule.id), rule.subject) == ("medium", 3600, 36, ())


def test_a_rule_may_say_what_its_alerts_are_about(tmp_path: Path) -> None:
    assert only(tmp_path, GOOD.replace("window: 2h", "subject: [resource, account]")).subject == ("resource", "account")


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("level: high", "level: severe", 3, "level 'severe' is none of"),
        ("window: 2h", "window: soon", 8, "window 'soon' is not a time"),
        ("window: 2h", "subject: weather", 8, "subject weather is none of principal, address"),
        ("title: Trail deleted", "name: x", 1, "title is missing"),
        ("logsource: {product: aws, service: cloudtrail}", "logsource: aws", 9, "logsource needs"),
        ("    eventName: [", "    eventName|contain: [", 12, "Unknown modifier 'contain'"),
        ("errorCode: null", "errorCode|re: '(?=a)'", 16, "no lookaround"),
        ("errorCode: null", "errorCode|cidr: 10.0.0.1/8", 16, "Invalid CIDR"),
        ("errorCode: null", "errorCode|gt: many", 16, "'many' is not a number"),
        ("errorCode: null", "errorCode: {a: b}", 16, "must be a text, a number or a list"),
        ("errorCode: null", "'a..b': c", 16, "a field name is a path"),
        ("errorCode: null", "errorCode: x\n    errorCode: y", 16, "errorCode is given twice"),
        ("not filter", "not filters", 17, "there is no search `filters`"),
        ("not filter", "not 1 of other*", 17, "`1 of other*` names no search"),
        ("not filter", "not (filter", 17, "condition:"),
        ("not filter", "not filter | count() > 5", 17, "condition:"),
        ("  filter:\n    errorCode: null", "  filter: {}", 15, "the search is empty"),
        ("match: true", "match: maybe", 18, "a test has a name"),
        ("title: Trail deleted", "title: [Trail", 2, "not valid YAML"),
    ],
)
def test_a_fault_names_its_line_and_spares_other_rules(
    tmp_path: Path, old: str, new: str, line: int, reason: str
) -> None:
    assert old in GOOD
    write(
        tmp_path,
        bad=GOOD.replace(old, new),
        good="title: x\nlogsource: {product: aws}\ndetection: {s: [a], condition: s}",
    )
    pack = load_rules([tmp_path])
    assert [rule.title for rule in pack.rules] == ["x"]
    (fault,) = pack.faults
    assert (fault.file, fault.line) == (tmp_path / "bad.yml", line)
    assert reason in fault.reason


def test_documents_of_one_file_stand_alone(tmp_path: Path) -> None:
    correlation = "title: many\ncorrelation: {type: event_count}\n"
    filtered = "title: less\nlogsource: {product: aws}\nfilter: {rules: [a], selection: {b: c}, condition: selection}\n"
    bad = "title: bad\nlogsource: {product: aws}\ndetection: {s: {a|foo: b}, condition: s}\n"
    pack = load_rules([write(tmp_path, all="---\n".join([GOOD, correlation, bad, filtered]))])
    assert [rule.title for rule in pack.rules] == ["Trail deleted"]
    assert sorted((fault.line, fault.reason[:40]) for fault in pack.faults) == [
        (26, "rules must name the rules whose signals "),
        (30, "s.a|foo: Unknown modifier 'foo'"),
        (32, "refers to a: no rule has such an id or n"),
    ]


def test_ids_are_unique(tmp_path: Path) -> None:
    pack = load_rules([write(tmp_path, a=GOOD, b=GOOD)])
    assert len(pack.rules) == 1
    assert [str(fault.file.name) for fault in pack.faults] == ["b.yml"]
    assert "is taken by" in pack.faults[0].reason


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    assert "cannot be read" in load_rules([tmp_path / "none.yml"]).faults[0].reason


def test_placeholders_come_from_the_caller(tmp_path: Path) -> None:
    text = GOOD.replace("errorCode: null", "errorCode|expand: '%errors%'")
    pack = load_rules([write(tmp_path, rule=text)], lists={"errors": ["Denied", "Unauth*"]})
    detection = pack.rules[0].detection
    assert isinstance(detection, And) and isinstance(detection.nodes[-1], Not)
    assert isinstance(detection.nodes[-1].node, Or)


def test_the_cache_gives_the_same_without_pysigma(tmp_path: Path) -> None:
    rules, cache = tmp_path / "rules", tmp_path / "cache"
    rules.mkdir()
    write(rules, good=GOOD, bad=GOOD.replace("level: high", "level: x"), other="title: c\ncorrelation: {}\n")
    first = load_rules([rules], cache)
    assert load_rules([rules], cache) == first
    (rules / "good.yml").rename(rules / "moved.yml")
    assert load_rules([rules], cache).rules[0].path == rules / "moved.yml"
    script = (
        "import sys; from pathlib import Path; from trailkeep.detect.rules import load_rules; "
        f"assert len(load_rules([Path({str(rules)!r})], Path({str(cache)!r})).rules) == 1; "
        "assert not {'sigma', 'yaml', 'sqlglot'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_spoiled_cache_entry_is_written_anew(tmp_path: Path) -> None:
    rules, cache = tmp_path / "rules", tmp_path / "cache"
    rules.mkdir()
    write(rules, good=GOOD)
    first = load_rules([rules], cache)
    (entry,) = cache.iterdir()
    entry.write_bytes(b"{")
    assert load_rules([rules], cache) == first
    assert entry.read_bytes() != b"{"
