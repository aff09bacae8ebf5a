"""The shipped rules in; out: whether each is complete and right about its raw records, and no named event is missed."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from trailkeep.core.columns import natives_in
from trailkeep.core.source import load_sources
from trailkeep.detect.correlations import silent
from trailkeep.detect.declared import group_names
from trailkeep.detect.rule import AnyRule, Baseline, Correlation, Rule
from trailkeep.detect.rules import load_rules
from trailkeep.engine.duckdb import connect
from trailkeep.normalize.mapping import RAW, Mapper
from trailkeep.rule_tests import Result, matcher_of_tests, run_tests

FOLDER = Path(__file__).parents[2] / "src/trailkeep/rules"
PACK = load_rules([FOLDER])
ALL = PACK.met_by_events
LEVELS = {"informational", "low", "medium", "high", "critical"}
IDS = ("eventID", "auditID", "uuid", "id")
TACTICS = {
    "reconnaissance",
    "resource-development",
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "defense-evasion",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "command-and-control",
    "exfiltration",
    "impact",
}

# The events that responders and CIS AWS Foundations (monitoring controls) ask to be told of, by control.
IAM_CHANGES = """CreatePolicy DeletePolicy CreatePolicyVersion DeletePolicyVersion AttachUserPolicy DetachUserPolicy
    AttachRolePolicy DetachRolePolicy AttachGroupPolicy DetachGroupPolicy PutUserPolicy DeleteUserPolicy PutRolePolicy
    DeleteRolePolicy PutGroupPolicy DeleteGroupPolicy"""
NAMED = {
    "brute force": ("signin", "CredentialVerification ConsoleLogin"),
    "group changes": ("iam", "AddUserToGroup AttachGroupPolicy PutGroupPolicy"),
    "GuardDuty disabled": (
        "guardduty",
        """DeleteMembers DisassociateMembers StopMonitoringMembers DisassociateFromMasterAccount
        DisassociateFromAdministratorAccount DeleteDetector UpdateDetector""",
    ),
    "blast radius": ("ec2", "AuthorizeSecurityGroupIngress AssociateRouteTable StopInstances TerminateInstances"),
    "flow logs": ("ec2", "DeleteFlowLogs"),
    "DNS query logs": ("route53resolver", "DeleteResolverQueryLogConfig DisassociateResolverQueryLogConfig"),
    "CIS 4": ("iam", IAM_CHANGES),
    "CIS 5": ("cloudtrail", "CreateTrail UpdateTrail DeleteTrail StartLogging StopLogging"),
    "CIS 7": ("kms", "DisableKey ScheduleKeyDeletion"),
    "CIS 8": (
        "s3",
        """PutBucketAcl PutBucketPolicy DeleteBucketPolicy PutBucketCors DeleteBucketCors PutBucketLifecycle
        DeleteBucketLifecycle PutBucketReplication DeleteBucketReplication""",
    ),
    "CIS 9": (
        "config",
        "StopConfigurationRecorder PutConfigurationRecorder PutDeliveryChannel DeleteDeliveryChannel",
    ),
    "CIS 10": (
        "ec2",
        """AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress
        RevokeSecurityGroupEgress CreateSecurityGroup DeleteSecurityGroup""",
    ),
    "CIS 11": (
        "ec2",
        """CreateNetworkAcl DeleteNetworkAcl CreateNetworkAclEntry DeleteNetworkAclEntry ReplaceNetworkAclEntry
        ReplaceNetworkAclAssociation""",
    ),
    "CIS 12": (
        "ec2",
        """CreateInternetGateway DeleteInternetGateway AttachInternetGateway DetachInternetGateway
        CreateCustomerGateway DeleteCustomerGateway""",
    ),
    "CIS 13": (
        "ec2",
        """CreateRoute ReplaceRoute DeleteRoute CreateRouteTable DeleteRouteTable ReplaceRouteTableAssociation
        DisassociateRouteTable""",
    ),
    "CIS 14": (
        "ec2",
        """CreateVpc DeleteVpc ModifyVpcAttribute AcceptVpcPeeringConnection CreateVpcPeeringConnection
        DeleteVpcPeeringConnection RejectVpcPeeringConnection AttachClassicLinkVpc DetachClassicLinkVpc
        EnableVpcClassicLink DisableVpcClassicLink""",
    ),
    "CIS 15": (
        "organizations",
        """CreateAccount CloseAccount MoveAccount InviteAccountToOrganization AcceptHandshake DeclineHandshake
        CancelHandshake CreateOrganizationalUnit UpdateOrganizationalUnit DeleteOrganizationalUnit CreatePolicy
        UpdatePolicy DeletePolicy AttachPolicy DetachPolicy EnablePolicyType DisablePolicyType LeaveOrganization
        RemoveAccountFromOrganization DeleteOrganization""",
    ),
}


def _name(rule: AnyRule) -> str:
    return f"{rule.path.parent.name}/{rule.path.stem}"


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return list(run_tests(PACK.rules, load_sources(), PACK.correlations, PACK.baselines))


@pytest.fixture(scope="module")
def proven(results: list[Result]) -> list[tuple[Rule, dict[str, Any]]]:
    """Rule and record of every hit that passed; each such test has one event, so the record itself matched."""
    passed = {(result.rule.id, result.test) for result in results if result.failure is None}
    return [
        (rule, json.loads(test.events[0]))
        for rule in PACK.rules
        for test in rule.tests
        if test.match and test.events[0].startswith("{") and (rule.id, test.name) in passed
    ]


def test_every_rule_file_is_usable() -> None:
    assert not PACK.faults
    assert len(PACK.every) == len(list(FOLDER.rglob("*.yml"))) >= 450


def test_inline_tests(results: list[Result]) -> None:
    failures = [f"{_name(result.rule)}: {result.test}: {result.failure}" for result in results if result.failure]
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("rule", ALL, ids=_name)
def test_a_rule_is_complete(rule: Rule | Correlation) -> None:
    text = yaml.safe_load(rule.path.read_text(encoding="utf-8"))
    missing = {"id", "status", "description", "author", "date", "tags", "falsepositives", "level", "runbook"}
    assert missing <= text.keys()
    assert rule.level in LEVELS
    assert len(rule.description) > 80 and all(rule.falsepositives)
    for part in ("Ask: ", "Look at: ", "Contain: "):
        assert part in rule.runbook
    tactics = [tag for tag in rule.tags if tag.removeprefix("attack.") in TACTICS]
    techniques = [tag for tag in rule.tags if re.fullmatch(r"attack\.t\d{4}(\.\d{3})?", tag)]
    assert tactics[0] == f"attack.{rule.path.parent.name.replace('_', '-')}"
    assert techniques and len(tactics) + len(techniques) == len(set(rule.tags))
    assert re.fullmatch(r"[a-z0-9_]+\.yml", rule.path.name)


@pytest.mark.parametrize("rule", PACK.rules, ids=_name)
def test_a_rule_has_hits_and_near_misses_on_single_records(rule: Rule) -> None:
    assert {test.match for test in rule.tests} == {True, False}
    assert all(len(test.events) == 1 for test in rule.tests)
    names = Counter(test.name for test in rule.tests)
    assert max(names.values()) == 1, f"the name of a test is taken twice: {names.most_common(1)}"


@pytest.mark.parametrize("one", PACK.baselines, ids=_name)
def test_a_baseline_is_complete_and_has_tests_both_ways(one: Baseline) -> None:
    assert {test["match"] for test in one.series} == {True, False}
    assert len(one.description) > 60 and all(one.falsepositives) and one.name == one.path.stem
    assert all(part in one.runbook for part in ("Ask: ", "Look at: ", "Contain: "))
    assert any(re.fullmatch(r"attack\.t\d{4}(\.\d{3})?", tag) for tag in one.tags)


@pytest.mark.parametrize("one", PACK.correlations, ids=_name)
def test_a_correlation_has_hits_and_near_misses_on_several_records(one: Correlation) -> None:
    assert {test.match for test in one.tests} == {True, False}
    assert all(len(test.events) > 1 for test in one.tests)
    names = Counter(test.name for test in one.tests)
    assert max(names.values()) == 1, f"the name of a test is taken twice: {names.most_common(1)}"


def test_what_a_correlation_refers_to_has_a_name_and_one_that_its_file_tells() -> None:
    named = {rule.name: rule for rule in ALL if rule.name}
    assert all(rule.name == rule.path.stem for rule in named.values())
    ids = {rule.id for rule in named.values()}
    assert all(rule in ids for one in PACK.correlations for rule in one.rules)


def test_what_users_declare_is_asked_for_and_the_other_way_round() -> None:
    asked = {name for rule in PACK.rules for name in rule.lists}
    groups = set(group_names())
    assert asked - groups == {"tor_exits", "tor_relays", "listed_addresses"}
    assert groups <= asked
    assert {rule.id for rule in PACK.rules if rule.lists} == set(PACK.waiting), "nothing is declared here"


def test_ids_titles_and_test_event_ids_are_unique() -> None:
    events = [json.loads(e) for rule in ALL for t in rule.tests for e in t.events if e.startswith("{")]
    for values in (
        [rule.id for rule in PACK.every],
        [rule.title for rule in PACK.every],
        [str(next((event[key] for key in IDS if key in event), event)) for event in events],
    ):
        assert max(Counter(values).values()) == 1


def test_no_call_raises_more_than_two_alerts() -> None:
    """A general rule and a specific one may both tell of a call; a third says nothing new.

    What is a signal for correlations only raises none.
    """
    quiet = silent(PACK.rules, PACK.correlations)
    rules = [rule for rule in PACK.rules if rule.id not in quiet]
    source = load_sources()["aws_cloudtrail"]
    hits = [
        {"raw_data": test.events[0], "object_id": f"{_name(rule)}: {test.name}", "record_no": 0}
        for rule in rules
        for test in rule.tests
        if test.match and rule.applies_to(source.logsource)
    ]
    connection = connect()
    mapped = Mapper(connection).map(source, pa.Table.from_pylist(hits, schema=RAW))
    natives = natives_in(mapped.events.column_names)
    connection.register("batch", mapped.events)
    matches = matcher_of_tests(rules, {source.name: source}).match(connection, "batch", source.name, natives)
    told = Counter(matches["object_id"].to_pylist())
    assert len(told) == len(hits)
    assert max(told.values()) <= 2, told.most_common(3)


@pytest.mark.parametrize(
    ("control", "service", "event"),
    [
        (control, service, event)
        for control, (service, events) in NAMED.items()
        for event in dict.fromkeys(events.split())
    ],
)
def test_a_named_event_is_covered(
    proven: list[tuple[Rule, dict[str, Any]]], control: str, service: str, event: str
) -> None:
    told = {(r["eventSource"], r["eventName"]) for _, r in proven if "eventSource" in r and "errorCode" not in r}
    assert (f"{service}.amazonaws.com", event) in told, control


@pytest.mark.parametrize(
    ("control", "stem", "field", "pattern"),
    [
        ("CIS 1", "permission_denied", "errorCode", r".*UnauthorizedOperation"),
        ("CIS 1", "permission_denied", "errorCode", r"AccessDenied.*"),
        ("any permission error", "permission_denied", "errorCode", r"Unauthorized.*"),
        ("CIS 2", "console_login_without_mfa", "additionalEventData", r".*'MFAUsed': 'No'.*"),
        ("CIS 3", "root_account_used", "userIdentity", r".*'type': 'Root'.*"),
        ("CIS 6", "console_login_failed", "errorMessage", r"Failed authentication"),
        ("brute force", "credential_verification_failed", "serviceEventDetails", r".*Failure.*"),
        ("any ingress, tried too", "security_group_ingress_added", "errorCode", r".*UnauthorizedOperation"),
    ],
)
def test_a_named_condition_is_covered(
    proven: list[tuple[Rule, dict[str, Any]]], control: str, stem: str, field: str, pattern: str
) -> None:
    values = [str(record.get(field)) for rule, record in proven if rule.path.stem == stem]
    assert any(re.fullmatch(pattern, value) for value in values), control
