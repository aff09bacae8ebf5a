"""A seed in, the accounts, people, workloads and resources of an invented organisation out."""

from dataclasses import dataclass
from random import Random

from trailkeep.demo.world import Pools, hexes, uuid

MANAGEMENT, PRODUCTION, STAGING = "111122223333", "444455556666", "777788889999"
TOOLS, DATA, SECURITY = "555566667777", "666677778888", "222233334444"
ACCOUNTS = (PRODUCTION, STAGING, TOOLS, DATA, SECURITY, MANAGEMENT)
WORKLOADS = (PRODUCTION, STAGING, DATA)
REGIONS = ("us-east-1", "eu-central-1")
ORGANIZATION = "o-hb4r9lin3x"
OFFICE = "203.0.113.10"
_TEAMS = ("orders", "billing", "search", "catalog", "media", "ledger", "reports", "shipping")
_PARTS = ("api", "worker", "sync", "export", "index", "ingest", "webhook", "batch")
_PEOPLE = (
    "alice", "bruno", "chloe", "dana", "emil", "farah", "goran", "hana", "ivan", "june", "kemal", "lena", "mio",
    "nora", "oskar", "petra", "quentin", "rosa", "samir", "tilda",
)  # fmt: skip


@dataclass(frozen=True)
class Company:
    """What each account holds, by kind, and who works here."""

    seed: int
    pools: dict[str, Pools]
    people: tuple[str, ...] = tuple(f"{name}@example.com" for name in _PEOPLE)

    def home_of(self, person: str) -> str:
        """The address that a person works from: the office, or one of their own."""
        number = self.people.index(person)
        return OFFICE if number % 3 else f"198.51.100.{40 + number}"


def build_company(seed: int) -> Company:
    """The same organisation for the same seed."""
    return Company(seed, {account: _resources(account, Random(f"{seed}:{account}")) for account in ACCOUNTS})


def _resources(account: str, rng: Random) -> Pools:
    env = {PRODUCTION: "prod", STAGING: "stage", TOOLS: "tools", DATA: "data"}.get(account, "core")
    loads = tuple(f"{team}-{part}" for team in _TEAMS for part in rng.sample(_PARTS, 3))

    def ids(prefix: str, count: int) -> tuple[str, ...]:
        return tuple(f"{prefix}-0{hexes(rng, 16)}" for _ in range(count))

    return {
        "workload": loads,
        "function": tuple(f"{load}-{env}" for load in loads),
        "bucket": tuple(f"{load}-{env}-{hexes(rng, 6)}" for load in loads[:16]),
        "stack": tuple(f"{load}-stack" for load in loads[:14]),
        "secret": tuple(f"{env}/{load}/database-{hexes(rng, 6)}" for load in loads[:12]),
        "parameter": tuple(f"/{env}/{load}/endpoint" for load in loads),
        "table": tuple(f"{env}-{load}" for load in loads[:10]),
        "cluster": tuple(f"{env}-{name}" for name in ("main", "batch")),
        "database": tuple(f"{team}-{env}-db" for team in _TEAMS[:5]),
        "instance": ids("i", 40),
        "volume": ids("vol", 40),
        "snapshot": ids("snap", 60),
        "image": ids("ami", 5),
        "group": ids("sg", 24),
        "subnet": ids("subnet", 6),
        "vpc": ids("vpc", 2),
        "endpoint": ids("vpce", 4),
        "key": tuple(uuid(rng) for _ in range(10)),
        "nat": tuple(f"198.51.100.{100 + rng.randrange(100)}" for _ in range(3)),
    }
