"""The shipped rules and ATT&CK's cloud platforms: nothing unexplained, nothing invented, tactics that fit."""

from dataclasses import replace
from pathlib import Path

import pytest

from trailkeep.coverage.matrix import CLOUD, cloud, matrix, unseen
from trailkeep.coverage.techniques import BY_PARTS, COVERED, GAP, UNSEEN, layer, named, techniques
from trailkeep.detect.rule import AnyRule
from trailkeep.detect.rules import load_rules

PACK = load_rules([Path(__file__).parents[2] / "src/trailkeep/rules"])
RULES = PACK.every


def test_every_technique_of_the_cloud_is_covered_or_explained() -> None:
    assert [each.attack for each in techniques(RULES) if each.state == GAP] == []


def test_the_matrix_is_that_of_the_platforms() -> None:
    ids = {each.id for each in cloud()}
    assert {"T1078.004", "T1610", "T1556.006", "T1537", "T1114.003"} <= ids
    assert "T1003.001" not in ids  # of Windows only
    assert "T1522" not in matrix()  # revoked
    assert len(ids) > 160
    for platform in CLOUD:
        assert any(platform in each.platforms for each in cloud())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.path.stem)
def test_a_rule_names_techniques_that_there_are_and_a_tactic_of_each(rule: AnyRule) -> None:
    tactics = {tag.removeprefix("attack.") for tag in rule.tags}
    for uid in named(rule):
        assert uid in matrix(), f"{uid} does not exist or was revoked"
        assert tactics & set(matrix()[uid].tactics), f"{uid} belongs to {matrix()[uid].tactics}"


def test_what_is_explained_is_of_the_cloud_and_has_no_rule() -> None:
    states = {each.id: each.state for each in techniques(RULES)}
    assert {uid: states.get(uid) for uid in unseen()} == dict.fromkeys(unseen(), UNSEEN)
    assert all(len(reason) > 20 and reason.endswith(".") for reason in unseen().values())


def test_states_follow_from_rules() -> None:
    one = next(rule for rule in RULES if rule.path.stem == "trail_stopped")
    tagged = replace(one, tags=("attack.impact", "attack.t1498.001", "attack.t9999"))
    states = {each.id: each.state for each in techniques([tagged])}
    assert (states["T1498.001"], states["T1498"], states["T1498.002"]) == (COVERED, BY_PARTS, GAP)
    assert states["T1110.002"] == UNSEEN
    assert states["T9999"] == COVERED  # a user's own tag is told, whether MITRE knows it or not


def test_the_layer_switches_off_what_logs_cannot_show() -> None:
    entries = {entry["techniqueID"]: entry for entry in layer(techniques(RULES))["techniques"]}
    assert entries["T1110.002"]["enabled"] is False
    assert "own machine" in entries["T1110.002"]["comment"]
    assert entries["T1098.003"]["score"] > 0
