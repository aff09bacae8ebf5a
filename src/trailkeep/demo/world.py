"""Account numbers and a seed in, the resources and principals of an invented organisation out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from trailkeep.demo import actor as agents
from trailkeep.demo.actor import Actor, unique_id

Pools = dict[str, tuple[str, ...]]

_TEAMS = (
    "orders",
    "billing",
    "search",
    "catalog",
    "media",
    "ledger",
    "identity",
    "reports",
    "shipping",
    "pricing",
)
_PARTS = ("api", "worker", "sync", "export", "index", "cache", "ingest", "webhook", "batch", "gateway")
_PEOPLE = (
    "alice",
    "bruno",
    "chloe",
    "dana",
    "emil",
    "farah",
    "goran",
    "hana",
    "ivan",
    "june",
    "kemal",
    "lena",
)
_SERVICES = (
    "ec2",
    "lambda",
    "ecs-tasks",
    "config",
    "cloudtrail",
    "autoscaling",
    "s3",
    "logs",
    "rds",
    "backup",
)


@dataclass(frozen=True)
class Size:
    """How many of each, per account."""

    buckets: int = 16
    objects: int = 1200
    instances: int = 60
    humans: int = 12
    ci: int = 4
    apps: int = 22
    forwarded: int = 4


@dataclass(frozen=True)
class World:
    """An organisation: what each account holds, and who acts in it."""

    organization: str
    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    pools: dict[str, Pools]
    actors: dict[str, dict[str, tuple[Actor, ...]]]


def hexes(rng: Random, length: int) -> str:
    """`length` random hexadecimal digits."""
    return f"{rng.getrandbits(4 * length):0{length}x}"


def uuid(rng: Random) -> str:
    """A random (version 4) UUID."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def build_world(
    organization: str,
    accounts: tuple[str, ...],
    regions: tuple[str, ...],
    seed: int,
    size: Size | None = None,
) -> World:
    """An organisation whose every account has `size` resources and principals."""
    rng = Random(seed)
    size = size or Size()
    pools = {account: _resources(rng, account, accounts, size) for account in accounts}
    actors = {account: _principals(rng, account, accounts, pools[account], size) for account in accounts}
    return World(organization, accounts, regions, pools, actors)


def _resources(rng: Random, account: str, accounts: tuple[str, ...], size: Size) -> Pools:
    def some(count: int, make: Callable[[], str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(make() for _ in range(count)))

    def workload() -> str:
        return f"{rng.choice(_TEAMS)}-{rng.choice(_PARTS)}"

    env = ("prod", "stage", "shared")[accounts.index(account) % 3]
    return {
        "bucket": some(size.buckets, lambda: f"{workload()}-{env}-{hexes(rng, 6)}"),
        "object": some(size.objects, lambda: _object_key(rng)),
        "instance": some(size.instances, lambda: f"i-0{hexes(rng, 16)}"),
        "volume": some(size.instances, lambda: f"vol-0{hexes(rng, 16)}"),
        "snapshot": some(size.instances, lambda: f"snap-0{hexes(rng, 16)}"),
        "image": some(6, lambda: f"ami-0{hexes(rng, 16)}"),
        "group": some(20, lambda: f"sg-0{hexes(rng, 16)}"),
        "subnet": some(6, lambda: f"subnet-0{hexes(rng, 16)}"),
        "vpc": some(2, lambda: f"vpc-0{hexes(rng, 16)}"),
        "interface": some(size.instances, lambda: f"eni-0{hexes(rng, 16)}"),
        "endpoint": some(4, lambda: f"vpce-0{hexes(rng, 16)}"),
        "kms_key": some(12, lambda: uuid(rng)),
        "role": some(30, lambda: f"{workload()}-{rng.choice(('role', 'task', 'exec'))}"),
        "user": some(6, lambda: f"svc-{rng.choice(_TEAMS)}"),
        "policy": some(12, lambda: f"{workload()}-access"),
        "function": some(24, lambda: f"{workload()}-{env}"),
        "table": some(12, lambda: f"{env}-{rng.choice(_TEAMS)}-{rng.choice(_PARTS)}"),
        "secret": some(12, lambda: f"{env}/{rng.choice(_TEAMS)}/database-{unique_id(rng, '', 6)}"),
        "parameter": some(30, lambda: f"/{env}/{rng.choice(_TEAMS)}/{rng.choice(_PARTS)}/endpoint"),
        "cluster": some(3, lambda: f"{rng.choice(_TEAMS)}-{env}"),
        "repository": some(10, workload),
        "stack": some(12, lambda: f"{workload()}-stack"),
        "database": some(6, lambda: f"{rng.choice(_TEAMS)}-{env}-db"),
        "balancer": some(6, lambda: f"{rng.choice(_TEAMS)}-{env}-alb/{hexes(rng, 16)}"),
        "person": tuple(f"{name}@example.com" for name in _PEOPLE[: size.humans]),
        "peer": tuple(other for other in accounts if other != account) or ("555566667777",),
        "service_host": tuple(f"{name}.amazonaws.com" for name in _SERVICES),
    }


def _object_key(rng: Random) -> str:
    team, day = rng.choice(_TEAMS), f"2026/{rng.randrange(1, 12):02d}/{rng.randrange(1, 29):02d}"
    return rng.choice(
        (
            f"exports/{team}/{day}/part-{rng.randrange(400):05d}.parquet",
            f"uploads/{uuid(rng)}.jpg",
            f"invoices/{day}/INV-{rng.randrange(10**8):08d}.pdf",
            f"{team}/{day}/{rng.randrange(24):02d}/{hexes(rng, 16)}.json.gz",
            f"static/{hexes(rng, 20)}.js",
        )
    )


def _principals(
    rng: Random, account: str, accounts: tuple[str, ...], pools: Pools, size: Size
) -> dict[str, tuple[Actor, ...]]:
    number = accounts.index(account)
    role = f"AWSReservedSSO_{rng.choice(('Developer', 'PowerUser', 'ReadOnly'))}_{hexes(rng, 16)}"
    role_id = unique_id(rng, "AROA")
    offices = tuple(f"203.0.113.{10 + number}" for _ in range(2)) + tuple(f"198.51.100.{40 + n}" for n in range(40))
    runners = tuple(f"192.0.2.{n}" for n in range(10, 42))
    ci_agents = (agents.TERRAFORM, agents.CLI, agents.BOTO)

    def assumed(kind: str, name: str, session: str, ips: tuple[str, ...], used: tuple[str, ...], hours: int) -> Actor:
        return Actor(kind, account, name, session, unique_id(rng, "AROA"), ips, used, hours)

    humans = tuple(
        Actor("human", account, role, person, role_id, (rng.choice(offices),), (agents.BROWSER, agents.CLI), 8)
        for person in pools["person"]
    )
    ci = tuple(
        assumed("ci", f"ci-deployer-{rng.choice(_TEAMS)}", f"GitHubActions-{n}", runners, ci_agents, 1)
        for n in range(size.ci)
    )
    apps = tuple(_application(rng, pools, number, assumed) for _ in range(size.apps))
    forwarded = tuple(
        assumed("forwarded", rng.choice(pools["role"]), workload, (host,), (host,), 24)
        for workload, host in zip(pools["function"], pools["service_host"][: size.forwarded], strict=False)
    )
    users = tuple(
        replace(
            assumed("user", name, "", (rng.choice(runners),), (agents.BOTO, agents.CLI), 24),
            principal_id=unique_id(rng, "AIDA"),
            access_key=unique_id(rng, "AKIA", 20),
        )
        for name in pools["user"][:3]
    )
    services = tuple(Actor("service", account, host, "", "", (host,), (host,), 24) for host in pools["service_host"])
    peers = tuple(
        Actor(
            "account",
            account,
            peer,
            f"{peer}-reader",
            unique_id(rng, "AROA"),
            runners[:4],
            (agents.JAVA,),
            24,
        )
        for peer in pools["peer"][:2]
    )
    pipelines = tuple(
        Actor(
            "federated",
            account,
            "github",
            f"repo:example/{name}:ref:refs/heads/main",
            name,
            runners,
            ci_agents,
            1,
        )
        for name in pools["repository"][:4]
    )
    root = Actor("root", account, "root", "", account, (offices[0],), (agents.FIREFOX,), 24)
    return {
        "human": humans, "ci": ci, "app": apps, "forwarded": forwarded, "user": users, "service": services,
        "account": peers, "federated": pipelines, "root": (root,),
    }  # fmt: skip


def _application(rng: Random, pools: Pools, number: int, assumed: Callable[..., Actor]) -> Actor:
    """A workload's role: on an instance (private address, by an endpoint) or a function (public address)."""
    if rng.random() < 0.5:
        private = f"10.{20 + number}.{rng.randrange(1, 6)}.{rng.randrange(10, 250)}"
        used = (agents.JAVA, agents.SSM_AGENT, agents.NODE)
        return assumed("app", rng.choice(pools["role"]), rng.choice(pools["instance"]), (private,), used, 6)
    public = f"198.51.100.{100 + rng.randrange(30)}"
    return assumed("app", rng.choice(pools["role"]), rng.choice(pools["function"]), (public,), (agents.BOTO,), 6)
