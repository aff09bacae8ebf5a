"""Shipped detectors over a lake of raw records: what they must see, and what they must leave alone."""

import base64
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.baseline_lakes import lake_of
from tests.conftest import Program
from tests.e2e.records import ACCOUNT, document, flows, record
from tests.mmdb import write_mmdb
from trailkeep.baselines import able, find, idle, look
from trailkeep.core.errors import UsageError
from trailkeep.detect.rules import load_rules
from trailkeep.engine.reading import connect_lake
from trailkeep.geo.places import Geo, Places
from trailkeep.lake.home import Home

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVERY = {one.name: one for one in load_rules([Path(__file__).parents[1] / "src/trailkeep/rules/baselines"]).baselines}
NETHERLANDS, BRAZIL, DOCUMENTATION = "198.51.100.7", "203.0.113.9", "192.0.2.5"
HOST, RESOLVER = "10.0.0.5", "10.0.0.6"


def call(number: int, moment: datetime, user: str, address: str, **more: Any) -> dict[str, Any]:
    return record(
        number,
        eventTime=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        sourceIPAddress=address,
        userIdentity={
            "type": "IAMUser",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        },
        **more,
    )


def sign_in(number: int, moment: datetime, user: str, address: str) -> dict[str, Any]:
    more = {"eventName": "ConsoleLogin", "eventSource": "signin.amazonaws.com", "eventType": "AwsConsoleSignIn"}
    found = call(number, moment, user, address, **more, responseElements={"ConsoleLogin": "Success"})
    del found["userIdentity"]["accessKeyId"]
    return found


def sent(moment: datetime, address: str, size: int) -> bytes:
    start = int(moment.timestamp())
    line = f"2 {ACCOUNT} eni-0a1b2c3d4e5f60718 {HOST} {address} 40000 443 6 9 {size} {start} {start + 60} ACCEPT OK"
    return line.encode()


def asked(moment: datetime, host: str, name: str) -> bytes:
    query = {
        "version": "1.100000",
        "account_id": ACCOUNT,
        "region": "eu-central-1",
        "vpc_id": "vpc-0d0e0f00000000001",
        "query_timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "query_name": f"{name}.",
        "query_type": "A",
        "query_class": "IN",
        "rcode": "NOERROR",
        "answers": [],
        "srcaddr": host,
        "srcport": "41000",
        "transport": "UDP",
    }
    return json.dumps(query).encode() + b"\n"


def of_words(number: int) -> str:
    """Names as people and content networks make them: words, numbers, short marks of machines."""
    shapes = (
        "images{}.shop",
        "static-assets-{}.cdn",
        "r{}---sn-4g5ednsl.media",
        "scontent-fra3-{}.xx",
        "ec2-198-51-100-{}.compute",
        "d{}1111abcdef8.edge",
        "payments-internal-{}.prod",
    )
    return f"{shapes[number % len(shapes)].format(number)}.network.example"


def history() -> tuple[list[dict[str, Any]], list[bytes], list[bytes]]:
    """Calls, flows and queries: five weeks as usual, at the end two hours that are not."""
    rng, calls, lines, queries = random.Random(20_261_129), [], [], []
    for day in range(35, 0, -1):
        moment, place = NOW - timedelta(days=day), NETHERLANDS
        calls += [call(0, moment, user, place) for user in ("mara", "tom")] + [sign_in(0, moment, "eve", place)]
        calls += [call(0, moment, "mara", DOCUMENTATION)]  # of no known place
        lines.append(sent(moment, NETHERLANDS, 20_000_000))
    odd = NOW - timedelta(minutes=100)
    calls += [call(0, odd, "mara", BRAZIL), call(0, odd, "mara", NETHERLANDS), sign_in(0, odd, "eve", BRAZIL)]
    calls += [call(0, odd, "tom", NETHERLANDS), call(0, odd, "tom", "10.1.2.3")]
    lines += [sent(odd, BRAZIL, 20_000_000), sent(odd, NETHERLANDS, 20_000_000), sent(odd, BRAZIL, 100)]
    start = NOW - timedelta(hours=3)
    for quarter in range(8):
        for number in range(60):
            moment = start + timedelta(minutes=15 * quarter, seconds=number)
            queries.append(asked(moment, RESOLVER, of_words(100 * quarter + number)))
            queries.append(asked(moment, HOST, of_words(number)))
            if quarter >= 4:
                label = base64.b32encode(rng.randbytes(20)).decode().lower()
                queries.append(asked(moment, HOST, f"{label}.tunnel.example"))
                queries.append(asked(moment, HOST, f"{rng.randbytes(24).hex()}.c2.hex.example"))
                queries.append(asked(moment, RESOLVER, f"{label}.s3.amazonaws.com"))
    numbered = [each | {"eventID": f"00000000-0000-4000-8000-{n:012}"} for n, each in enumerate(calls)]
    return numbered, lines, queries


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Home:
    calls, lines, queries = history()
    files = {
        "trail.json": document(*calls),
        "flows.log": flows(*lines),
        f"vpc-0d0e0f00000000001_vpcdnsquerylogs_{ACCOUNT}_1.log": b"".join(queries),
    }
    return lake_of(tmp_path_factory.mktemp("shipped"), files)


@pytest.fixture(scope="module")
def geo(tmp_path_factory: pytest.TempPathFactory) -> Geo:
    folder = tmp_path_factory.mktemp("geo")
    both = {
        "198.51.100.0/24": {"country_code": "NL", "asn": "AS64500", "as_name": "Example Net"},
        "203.0.113.0/24": {"country_code": "BR", "asn": "AS64501", "as_name": "Exemplo"},
    }
    path = write_mmdb(folder / "both.mmdb", both)
    return Geo(country=(path,), asn=(path,))


def seen(home: Home, name: str, places: Places | None = None) -> list[str]:
    with connect_lake(home.warehouse) as con:
        found = find(con, home, EVERY[name], NOW - timedelta(days=1), NOW, places)
        return [each.sentence.replace(f"arn:aws:iam::{ACCOUNT}:user/", "") for each in found]


NEW = "for the first time, at 2026-11-20 10:20:00Z"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("country_new_to_principal", [f"mara: expected one of 1 that it had in 60 days; seen 'BR' {NEW}"]),
        (
            "system_new_to_principal",
            [f"mara: expected one of 1 that it had in 60 days; seen 'AS64501' (Exemplo) {NEW}"],
        ),
        ("sign_in_from_new_country", [f"eve: expected one of 1 that it had in 60 days; seen 'BR' {NEW}"]),
        (
            "country_never_seen_before",
            [f"eve: expected one of 1 that anyone had in 90 days; seen 'BR' {NEW}"],  # mara at the same moment
        ),
        ("calls_from_two_countries", ["mara: expected less than 2; seen 2, in the hour from 2026-11-20 10:00Z"]),
        ("bytes_leaving_to_new_country", [f"{HOST}: expected one of 1 that anyone had in 30 days; seen 'BR' {NEW}"]),
        (
            "bytes_leaving_to_new_system",
            [f"{HOST}: expected one of 1 that anyone had in 30 days; seen 'AS64501' (Exemplo) {NEW}"],
        ),
    ],
)
def test_places(lake: Home, geo: Geo, name: str, wanted: list[str]) -> None:
    assert seen(lake, name, Places(geo)) == wanted


def test_without_places_it_is_said_and_nothing_is_taken_for_zero(lake: Home, geo: Geo, trailkeep: Program) -> None:
    countries = Places(Geo(country=geo.country))
    every = EVERY.values()
    assert idle(every, Places(geo)) is None and list(able(every, Places(geo))) == list(every)
    told = idle(every, countries)
    assert told is not None and told.startswith(
        "2 of the baselines cannot run until trailkeep.yaml names a file for `geo.asn`"
    )
    with pytest.raises(UsageError, match=r"names a file for `geo\.country`"):
        seen(lake, "country_new_to_principal")
    assert look(lake, [EVERY["country_new_to_principal"]], NOW) == 0
    assert look(lake, [EVERY["country_new_to_principal"]], NOW, countries) == 1


def test_commands_read_the_part_geo(lake: Home, geo: Geo, tmp_path: Path, trailkeep: Program) -> None:
    span = ("--since", "2026-11-19", "--until", "2026-11-20T12:00", "--home", lake.path, "--format", "jsonl")
    done = trailkeep("rules", "replay", "country_new_to_principal", *span)
    assert done.code == 2 and "`geo.country`" in done.err
    config = tmp_path / "trailkeep.yaml"
    config.write_text(f"geo: {{country: {geo.country[0]}}}\n")
    done = trailkeep("rules", "replay", "country_new_to_principal", *span, "--config", config)
    (row,) = map(json.loads, done.out.splitlines())
    assert row["alerts"] == 1
    for command in ("list", "lint"):
        told = trailkeep("rules", command, "--config", config).err
        assert "2 of the baselines cannot run until trailkeep.yaml names a file for `geo.asn`: " in told


def test_random_labels_are_told_and_words_are_not(lake: Home) -> None:
    """A host that asks for base32 and hex below two domains; another for words, marks of machines, buckets of S3."""
    told = seen(lake, "dns_entropy_of_names")
    for domain, bits in (("tunnel.example", "4."), ("hex.example", "3.")):  # of four quarters, the first is its first
        about = [text for text in told if text.startswith(f"{HOST}, {domain}: expected less than 3.60; seen {bits}")]
        assert len(about) == 3
    assert len(told) == 6


def test_every_one_runs(lake: Home, geo: Geo) -> None:
    with connect_lake(lake.warehouse) as con:
        for one in EVERY.values():
            list(find(con, lake, one, NOW - timedelta(days=1), NOW, Places(geo)))


def day_of_cost(day: datetime, amount: float) -> bytes:
    period = {"Start": f"{day:%Y-%m-%d}", "End": f"{day + timedelta(days=1):%Y-%m-%d}"}
    group = {"Keys": [ACCOUNT, "Amazon EC2"], "Metrics": {"UnblendedCost": {"Amount": str(amount), "Unit": "USD"}}}
    return json.dumps({"TimePeriod": period, "Total": {}, "Groups": [group], "Estimated": False}).encode() + b"\n"


@pytest.mark.parametrize(("deployed", "told"), [(None, 1), (timedelta(days=1, hours=10), 0), (timedelta(days=3), 1)])
def test_cost_without_a_deploy(tmp_path: Path, deployed: timedelta | None, told: int) -> None:
    """`deployed`: how long before now; the day that is expensive is yesterday."""
    days = [NOW - timedelta(days=n) for n in range(25, 0, -1)]
    costs = b"".join(day_of_cost(day, 100 if day != days[-1] else 300) for day in days)
    calls = [call(1, NOW - timedelta(days=20), "mara", NETHERLANDS)]
    if deployed is not None:
        calls.append(call(2, NOW - deployed, "mara", NETHERLANDS, eventName="ExecuteChangeSet"))
    home = lake_of(tmp_path, {"cost.json": costs, "trail.json": document(*calls)})
    with connect_lake(home.warehouse) as con:
        for name, wanted in (("cost_rises_without_deploy", told), ("cost_rises", 1)):
            found = list(find(con, home, EVERY[name], NOW - timedelta(days=2), NOW))
            assert len(found) == wanted, name
