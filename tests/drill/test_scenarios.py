"""Every scenario names shipped rules, and its records say that they are a drill wherever a person looks first."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from trailkeep.cli.setup import SHIPPED_RULES
from trailkeep.core.source import load_sources
from trailkeep.detect.rules import load_rules
from trailkeep.drill.scenarios import SCENARIOS, Run, Scenario, log_of

RUN = Run("drill-20261129-120000-0123abcd", "000000000000", "eu-west-1", datetime(2026, 11, 29, 12, tzinfo=UTC))
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


def test_every_expected_rule_is_shipped_under_its_title() -> None:
    shipped = {rule.id: rule.title for rule in load_rules([SHIPPED_RULES]).every}
    expected = {each.rule: each.title for scenario in SCENARIOS.values() for each in scenario.expected}
    assert expected.items() <= shipped.items()


@each_scenario
def test_its_marks_cannot_be_overlooked(scenario: Scenario) -> None:
    log = log_of(scenario, RUN)
    records = json.loads(log.content)["Records"]
    assert len(records) == log.records
    for record in records:
        assert record["userAgent"] == f"trailkeep-drill ({RUN.id})"
        assert json.dumps(record).count("trailkeep-drill") >= 2
        assert record["sourceIPAddress"].startswith("192.0.2.")
        assert record["recipientAccountId"] == record["userIdentity"]["accountId"] == RUN.account
    assert len({record["eventID"] for record in records}) == len(records)
    assert all(UUID(record["eventID"]) for record in records)


@each_scenario
def test_its_file_is_recognised_by_its_name(scenario: Scenario) -> None:
    name = log_of(scenario, RUN).name
    patterns = load_sources()["aws_cloudtrail"].key_patterns
    assert all(pattern.search(name) for pattern in patterns)
    assert RUN.id.replace("-", "_") in name


@each_scenario
def test_no_two_runs_write_the_same(scenario: Scenario) -> None:
    assert log_of(scenario, RUN).sha256 != log_of(scenario, RUN).sha256
