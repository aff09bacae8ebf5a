"""A world in, the steps of an intrusion out: leaked key, new administrator, data taken, servers gone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from trailkeep.demo.actor import BROWSER, CLI, Actor, unique_id
from trailkeep.demo.template import Json, Template
from trailkeep.demo.templates import TEMPLATES
from trailkeep.demo.world import World

ATTACKER_IP = "203.0.113.77"
OUTSIDE_ACCOUNT = "999988887777"
NEW_USER = "svc-backup-sync"
LEAKED_USER = "ci-legacy-deploy"
BUCKET = "harborline-customer-data"
TRAIL = "harborline-production"
STOLEN_OBJECTS = 420
OPENED = 3 * 3600 + 9 * 60  # seconds after midnight UTC when ssh is opened to the world

_BY_NAME = {template.name: template for template in TEMPLATES}


@dataclass(frozen=True)
class Step:
    """One call of the attacker, `at` seconds after midnight UTC."""

    at: int
    template: Template
    actor: Actor
    values: Mapping[str, str] = field(default_factory=dict)
    failed: bool = False


@dataclass(frozen=True)
class Cast:
    """The identities the attacker goes through."""

    owner: Actor  # the leaked key where it belongs, in the CI system
    leaked: Actor
    console: Actor
    admin: Actor


def cast(account: str, rng: Random) -> Cast:
    """The leaked user and the one the attacker creates."""
    principal, key = unique_id(rng, "AIDA"), unique_id(rng, "AKIA", 20)
    owner = Actor("user", account, LEAKED_USER, "", principal, ("198.51.100.20",), (CLI,), 24, key)
    created = unique_id(rng, "AIDA")
    console = Actor("user", account, NEW_USER, "", created, (ATTACKER_IP,), (BROWSER,), 12)
    admin = replace(console, agents=(CLI,), access_key=unique_id(rng, "AKIA", 20))
    return Cast(owner, replace(owner, ips=(ATTACKER_IP,)), console, admin)


def steps(world: World, who: Cast, bastion_group: str, rng: Random) -> Iterator[Step]:
    """The whole intrusion in its order, from 02:41 to about 03:55."""
    yield from _look_around(who)
    yield from _become_admin(who)
    yield from _hide_and_open(who, bastion_group)
    yield from _take_data(world, who, rng)
    yield from _destroy(world, who)


def _look_around(who: Cast) -> Iterator[Step]:
    clock = 2 * 3600 + 41 * 60 + 7
    for name, failed in (
        ("GetCallerIdentity", False),
        ("ListUsers", False),
        ("ListAttachedUserPolicies", False),
        ("ListAccounts", True),
        ("ListSecrets", True),
        ("DescribeInstances", True),
        ("DescribeDBInstances", True),
        ("ListBuckets", False),
        ("GetAccountSummary", False),
    ):
        yield Step(clock, _BY_NAME[name], who.leaked, {"user": LEAKED_USER}, failed)
        clock += 23


def _become_admin(who: Cast) -> Iterator[Step]:
    clock = 2 * 3600 + 52 * 60 + 12
    user = {"user": NEW_USER, "user_id": who.console.principal_id}
    yield Step(clock, _BY_NAME["CreateUser"], who.leaked, user)
    yield Step(clock + 19, _BY_NAME["AttachUserPolicy"], who.leaked, user)
    yield Step(clock + 48, _BY_NAME["CreateAccessKey"], who.leaked, user | {"long_key": who.admin.access_key or ""})
    yield Step(clock + 77, _BY_NAME["CreateLoginProfile"], who.leaked, user)
    login = replace(
        _BY_NAME["ConsoleLogin"],
        additional={
            "LoginTo": "https://console.aws.amazon.com/console/home?region=<region>",
            "MobileVersion": "No",
            "MFAUsed": "No",
        },
    )
    yield Step(clock + 361, login, who.console, failed=True)
    yield Step(clock + 394, login, who.console)


def _hide_and_open(who: Cast, bastion_group: str) -> Iterator[Step]:
    trail = "arn:aws:cloudtrail:<region>:<account>:trail/" + TRAIL
    stop = replace(_BY_NAME["StopLogging"], request={"name": trail})
    yield Step(OPENED - 300, _BY_NAME["DescribeTrails"], who.console)
    yield Step(OPENED - 262, stop, who.console)
    permission: Json = {
        "ipProtocol": "tcp",
        "fromPort": 22,
        "toPort": 22,
        "groups": {},
        "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]},
        "ipv6Ranges": {},
        "prefixListIds": {},
    }
    opened = replace(
        _BY_NAME["AuthorizeSecurityGroupIngress"],
        request={"groupId": bastion_group, "ipPermissions": {"items": [permission]}},
    )
    yield Step(OPENED - 41, _BY_NAME["DescribeSecurityGroups"], who.console, {"group": bastion_group})
    yield Step(OPENED, opened, who.console)


def _take_data(world: World, who: Cast, rng: Random) -> Iterator[Step]:
    clock = 3 * 3600 + 12 * 60
    yield Step(clock, _BY_NAME["GetCallerIdentity"], who.admin)
    yield Step(clock + 9, _BY_NAME["ListSecrets"], who.admin)
    for number, secret in enumerate(world.pools[who.admin.account]["secret"][:3]):
        yield Step(clock + 31 + 6 * number, _BY_NAME["GetSecretValue"], who.admin, {"secret": secret})
    yield Step(clock + 95, _BY_NAME["ListObjects"], who.admin, {"bucket": BUCKET})
    for number in range(STOLEN_OBJECTS):
        key = f"customers/2026/{1 + number // 40:02d}/export-{number:05d}.parquet"
        size = {"bytes_out": f"{rng.randrange(2_000_000, 9_000_000)}.0"}
        yield Step(
            clock + 120 + 3 * number,
            _BY_NAME["GetObject"],
            who.admin,
            {"bucket": BUCKET, "object": key} | size,
        )
    snapshot = {"hex17": "0c1d5e77a90b3f642", "volume": world.pools[who.admin.account]["volume"][0]}
    share = replace(
        _BY_NAME["ModifySnapshotAttribute"],
        request={
            "snapshotId": "snap-" + snapshot["hex17"],
            "attributeType": "CREATE_VOLUME_PERMISSION",
            "createVolumePermission": {"add": {"items": [{"userId": OUTSIDE_ACCOUNT}]}},
        },
    )
    yield Step(clock + 1420, _BY_NAME["CreateSnapshot"], who.admin, snapshot)
    yield Step(clock + 1510, share, who.admin)


def _destroy(world: World, who: Cast) -> Iterator[Step]:
    clock = 3 * 3600 + 48 * 60 + 30
    victims = world.pools[who.admin.account]["instance"][1:5]
    before: Json = {"code": 16, "name": "running"}
    after: Json = {"code": 32, "name": "shutting-down"}
    changes: Json = [{"instanceId": victim, "currentState": after, "previousState": before} for victim in victims[:2]]
    pair = replace(
        _BY_NAME["TerminateInstances"],
        request={"instancesSet": {"items": [{"instanceId": victim} for victim in victims[:2]]}},
        response={"requestId": "<request_id>", "instancesSet": {"items": changes}},
    )
    yield Step(clock, _BY_NAME["DescribeInstances"], who.admin)
    yield Step(clock + 40, pair, who.admin)
    for number, victim in enumerate(victims[2:]):
        yield Step(clock + 70 + 25 * number, _BY_NAME["TerminateInstances"], who.admin, {"instance": victim})
