"""A folder and a day in, an invented company's logs of that day, one intrusion among them, out."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import accumulate
from pathlib import Path
from random import Random

from trailkeep.demo import attack, flows
from trailkeep.demo.actor import Session, Sessions
from trailkeep.demo.delivery import cloudtrail_document, cloudtrail_key, flow_log_key, write_gzip
from trailkeep.demo.fields import Fields, record
from trailkeep.demo.template import Template
from trailkeep.demo.templates import TEMPLATES
from trailkeep.demo.world import Size, World, build_world

DEFAULT_DAY = date(2026, 11, 17)
_SEED = 20_261_117
_MANAGEMENT, _PRODUCTION, _STAGING = "111122223333", "444455556666", "777788889999"
_EVENTS = {_MANAGEMENT: 900, _PRODUCTION: 4800, _STAGING: 1700}
_FLOWS_OF_INTERFACE = 240
_ERROR_SHARE = 0.02
_DELIVERY = 900  # seconds of events a CloudTrail file holds here; AWS delivers about every 5 minutes
_FLOW_DELIVERY = 1800
_HOURS = (3, 2, 2, 2, 2, 3, 5, 8, 12, 14, 14, 12, 11, 12, 14, 13, 12, 10, 7, 5, 4, 4, 3, 3)


@dataclass(frozen=True)
class CompanyDay:
    """What was written, and what there is to be found."""

    cloudtrail_events: int
    cloudtrail_files: int
    flow_records: int
    flow_files: int
    attack_events: int
    attacker_ip: str
    access_key: str
    leaked_user: str
    new_user: str


@dataclass(frozen=True)
class _Call:
    """One CloudTrail event that is going to be written."""

    when: int
    account: str
    region: str
    text: str


def write_company_day(folder: Path, day: date = DEFAULT_DAY, *, attacked: bool = True) -> CompanyDay:
    """Writes the day's CloudTrail and VPC flow log files under `folder`; the same bytes for the same day.

    A day that is not `attacked` holds the company's own work alone.
    """
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    rng = Random(_SEED)
    size = Size(buckets=6, objects=300, instances=8, humans=6, ci=2, apps=5, forwarded=3)
    accounts = (_PRODUCTION, _STAGING, _MANAGEMENT)
    world = build_world("o-hb4r9lin3x", accounts, ("us-east-1", "eu-central-1"), _SEED, size)
    sessions = Sessions(_SEED)
    who = attack.cast(_PRODUCTION, rng)
    intrusion = list(_intrusion(world, sessions, who, midnight, rng)) if attacked else []
    calls = [*_work(world, sessions, midnight, rng), *_logins(world, sessions, midnight, rng)]
    calls += [*_legacy_deploys(world, sessions, who, midnight, rng), *intrusion]
    seen = list(_traffic(world, midnight, rng, attacked))
    return CompanyDay(
        cloudtrail_events=len(calls),
        cloudtrail_files=_write_calls(folder, world, calls, rng),
        flow_records=len(seen),
        flow_files=_write_flows(folder, seen, rng),
        attack_events=len(intrusion),
        attacker_ip=attack.ATTACKER_IP,
        access_key=who.leaked.access_key or "",
        leaked_user=attack.LEAKED_USER,
        new_user=attack.NEW_USER,
    )


def _call(world: World, rng: Random, template: Template, session: Session, when: int, region: str,
          values: dict[str, str] | None = None, failure: int | None = None) -> _Call:  # fmt: skip
    account = session.account
    fields = Fields(rng, world.pools[account], session, when, account, region)
    fields.update(values or {})
    return _Call(when, account, region, record(template, fields, failure))


def _moment(midnight: int, rng: Random) -> int:
    """A time of the day, more likely in working hours."""
    return midnight + rng.choices(range(24), _HOURS)[0] * 3600 + rng.randrange(3600)


def _work(world: World, sessions: Sessions, midnight: int, rng: Random) -> Iterator[_Call]:
    """What people, deployments, applications and AWS itself do all day."""
    templates = [template for template in TEMPLATES if not template.sensitive and template.service != "signin"]
    bounds = list(accumulate(template.weight for template in templates))
    for account, count in _EVENTS.items():
        for template in rng.choices(templates, cum_weights=bounds, k=count):
            actor = rng.choice(world.actors[account][rng.choice(template.actors.split())])
            when = _moment(midnight, rng)
            session = sessions.at(actor, when)
            region = "us-east-1" if template.is_global or rng.random() < 0.85 else "eu-central-1"
            failed = "arn:" in session.caller and rng.random() < _ERROR_SHARE
            failure = rng.randrange(len(template.errors)) if failed else None
            yield _call(world, rng, template, session, when, region, failure=failure)


def _logins(world: World, sessions: Sessions, midnight: int, rng: Random) -> Iterator[_Call]:
    """Each person signs in once, through single sign-on."""
    login = next(template for template in TEMPLATES if template.name == "ConsoleLogin")
    for account in world.accounts:
        for actor in world.actors[account]["human"]:
            when = midnight + rng.randrange(7 * 3600, 10 * 3600)
            yield _call(world, rng, login, sessions.at(actor, when), when, "us-east-1")


def _legacy_deploys(world: World, sessions: Sessions, who: attack.Cast, midnight: int, rng: Random) -> Iterator[_Call]:
    """The leaked key where it belongs: hourly uploads of the old CI system."""
    by_name = {template.name: template for template in TEMPLATES}
    for hour in range(24):
        for number, name in enumerate(("GetCallerIdentity", "PutParameter", "UpdateFunctionCode20150331v2")):
            when = midnight + hour * 3600 + 600 + 20 * number
            yield _call(world, rng, by_name[name], sessions.at(who.owner, when), when, "us-east-1")


def _intrusion(world: World, sessions: Sessions, who: attack.Cast, midnight: int, rng: Random) -> Iterator[_Call]:
    group = world.pools[_PRODUCTION]["group"][0]
    # A session of its own: `sessions` knows the leaked key only from its owner's address.
    stolen = Sessions(_SEED + 1)
    for step in attack.steps(world, who, group, rng):
        session = stolen.at(step.actor, midnight + step.at)
        yield _call(
            world, rng, step.template, session, midnight + step.at, "us-east-1", dict(step.values),
            0 if step.failed else None,
        )  # fmt: skip


def _traffic(world: World, midnight: int, rng: Random, attacked: bool) -> Iterator[flows.Flow]:
    interfaces = []
    for account, columns, network in ((_PRODUCTION, flows.CUSTOM, 40), (_STAGING, flows.DEFAULT, 50)):
        pools = world.pools[account]
        for number in range(8 if account == _PRODUCTION else 4):
            address = f"10.{network}.{1 + number % 3}.{10 + number}"
            ids = (
                pools["vpc"][0],
                pools["subnet"][number % 3],
                pools["instance"][number],
                pools["interface"][number],
            )
            interfaces.append(flows.Interface(account, "us-east-1", *ids, address, columns))
    for interface in interfaces:
        yield from flows.ordinary(interface, midnight, _FLOWS_OF_INTERFACE, rng)
    if attacked:
        yield from flows.intrusion(interfaces[0], midnight, rng)


def _write_calls(folder: Path, world: World, calls: list[_Call], rng: Random) -> int:
    files = defaultdict(list)
    for call in calls:
        files[call.account, call.region, call.when // _DELIVERY].append(call)
    for (account, region, slot), members in sorted(files.items()):
        key = cloudtrail_key(world.organization, account, region, (slot + 1) * _DELIVERY, rng)
        texts = [call.text for call in sorted(members, key=lambda call: call.when)]
        write_gzip(folder / key, cloudtrail_document(texts))
    return len(files)


def _write_flows(folder: Path, seen: list[flows.Flow], rng: Random) -> int:
    files = defaultdict(list)
    for flow in seen:
        files[flow.interface.account, flow.interface.region, flow.start // _FLOW_DELIVERY].append(flow)
    for (account, region, slot), members in sorted(files.items()):
        key = flow_log_key(account, region, f"fl-0{int(account):016x}", slot * _FLOW_DELIVERY, rng)
        header = " ".join(members[0].interface.columns)
        lines = [header, *(flow.line() for flow in sorted(members, key=lambda flow: flow.start))]
        write_gzip(folder / key, ("\n".join(lines) + "\n").encode())
    return len(files)
