"""Files of places: every shape that publishers give them, and what is said of files that cannot be read."""

from pathlib import Path
from typing import Any

import pytest

from tests.mmdb import write_mmdb
from trailkeep.core.errors import ConfigError
from trailkeep.geo.address import parse
from trailkeep.geo.tables import Kind, System, check_table, open_table

EXAMPLE = System(64500, "Example Net")


def of(path: Path, kind: Kind, text: str) -> object:
    address = parse(text)
    assert address is not None
    return open_table(path, kind).of(address)


@pytest.mark.parametrize(
    ("record", "kind", "wanted"),
    [
        ({"country_code": "NL"}, "country", "NL"),  # ip-location-db
        ({"country": {"iso_code": "NL", "geoname_id": 1}}, "country", "NL"),  # GeoLite2, DB-IP
        ({"country": "NL"}, "country", "NL"),  # IPinfo, older files
        ({"country": "Netherlands", "country_code": "nl"}, "country", "NL"),  # IPinfo Lite
        ({"autonomous_system_number": 64500, "autonomous_system_organization": "Example Net"}, "asn", EXAMPLE),
        ({"asn": "AS64500", "as_name": "Example Net", "as_domain": "net.example"}, "asn", EXAMPLE),
        ({"asn": "AS64500", "as_domain": "net.example"}, "asn", System(64500, "net.example")),
        ({"autonomous_system_number": 64500}, "asn", System(64500, None)),
    ],
)
def test_keys_of_each_publisher(tmp_path: Path, record: Any, kind: Kind, wanted: object) -> None:
    path = write_mmdb(tmp_path / "a.mmdb", {"198.51.100.0/24": record, "2001:db8::/48": record})
    assert of(path, kind, "198.51.100.7") == wanted
    assert of(path, kind, "2001:db8::1") == wanted
    assert of(path, kind, "::ffff:198.51.100.7") == wanted
    assert of(path, kind, "198.51.101.7") is None
    assert of(path, kind, "2001:db8:1::1") is None


@pytest.mark.parametrize(
    ("record", "kind", "why"),
    [
        ({"continent": "EU"}, "country", "names no countries .*; its records have: continent"),
        ({"country": "Netherlands"}, "country", "names no countries .*: country"),
        ({"country_code": "NL"}, "asn", "names no autonomous systems .*: country_code"),
        ({"asn": "Example Net"}, "asn", "names no autonomous systems"),
        ("NL", "country", "names no countries .*; its records have: no keys"),
    ],
)
def test_other_keys_are_refused(tmp_path: Path, record: Any, kind: Kind, why: str) -> None:
    path = write_mmdb(tmp_path / "a.mmdb", {"198.51.100.0/24": record})
    with pytest.raises(ConfigError, match=rf"a\.mmdb:1: {why}"):
        check_table(path, kind)


def test_a_record_without_a_country_says_nothing(tmp_path: Path) -> None:
    said = {"198.51.100.0/25": {"country": {"iso_code": "NL"}}, "198.51.100.128/25": {"continent": {"code": "EU"}}}
    path = write_mmdb(tmp_path / "a.mmdb", said)
    assert of(path, "country", "198.51.100.7") == "NL"
    assert of(path, "country", "198.51.100.200") is None


def test_what_is_no_mmdb_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.mmdb:1: cannot be read: No such file"):
        check_table(tmp_path / "none.mmdb", "country")
    whole = write_mmdb(tmp_path / "a.mmdb", {"198.51.100.0/24": {"country_code": "NL"}}).read_bytes()
    for data in (b"", b"country,NL\n", whole[: len(whole) // 2]):
        (tmp_path / "cut.mmdb").write_bytes(data)
        with pytest.raises(ConfigError, match=r"cut\.mmdb:1: is no MMDB file"):
            check_table(tmp_path / "cut.mmdb", "country")


def test_a_file_of_version_4_says_nothing_of_version_6(tmp_path: Path) -> None:
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet

    writer = MMDBWriter(ip_version=4)
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"country_code": "NL"})
    writer.to_db_file(str(tmp_path / "a.mmdb"))
    assert of(tmp_path / "a.mmdb", "country", "198.51.100.7") == "NL"
    assert of(tmp_path / "a.mmdb", "country", "2001:db8::1") is None


SYSTEMS = """\
198.51.100.0,198.51.100.127,64500,Example Net
198.51.100.128,198.51.100.130,0,
203.0.113.0,203.0.113.255,64501,"Example, Inc."
203.0.113.64,203.0.114.3,64502,Late
"""


def test_ranges(tmp_path: Path) -> None:
    path = tmp_path / "asn.csv"
    path.write_text(SYSTEMS)
    check_table(path, "asn")
    table = open_table(path, "asn")
    wanted = {
        "198.51.99.255": None,
        "198.51.100.0": EXAMPLE,
        "198.51.100.127": EXAMPLE,
        "198.51.100.129": None,
        "203.0.113.63": System(64501, "Example, Inc."),
        "203.0.113.64": System(64502, "Late"),
        "203.0.114.3": System(64502, "Late"),
        "203.0.114.4": None,
        "2001:db8::1": None,
    }
    assert {text: table.of(address) for text in wanted if (address := parse(text))} == wanted


def test_ranges_of_version_6_with_countries(tmp_path: Path) -> None:
    path = tmp_path / "country.csv"
    path.write_text("2001:db8::,2001:db8::ffff,NL\n2001:db8:1::,2001:db8:1::ffff,DE\n")
    assert of(path, "country", "2001:db8::9") == "NL"
    assert of(path, "country", "2001:db8:1::9") == "DE"
    assert of(path, "country", "2001:db8:0:1::") is None
    assert of(path, "country", "198.51.100.7") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("198.51.100.0,198.51.100.9\n", "1: expected first,last"),
        ("198.51.100.0,198.51.100.9,Example\n", "1: names no autonomous systems .*: 'Example'"),
        ("3325256704,3325256711,64500,Example\n", "1: no addresses: '3325256704'"),
        (SYSTEMS + "198.51.100.0,198.51.100.9,64500,Example\n", "5: .* does not begin behind the range before"),
        ("198.51.100.9,198.51.100.0,64500,Example\n", "1: .* does not begin behind"),
        (SYSTEMS + "2001:db8::,2001:db8::1,64500,Example\n", "5: not of IPv4 as the rows before"),
        ("", "1: holds no ranges"),
    ],
)
def test_faults_of_ranges_have_their_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "asn.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"asn\.csv:{why}"):
        open_table(path, "asn")


def test_what_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "asn.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"asn\.csv:1: is no CSV"):
        check_table(path, "asn")
