"""The part `geo:` of trailkeep.yaml, and the places of addresses."""

from pathlib import Path

import pytest

from tests.mmdb import write_mmdb
from trailkeep.config import config_model
from trailkeep.core.errors import ConfigError
from trailkeep.core.yaml_file import load_yaml
from trailkeep.geo.places import Geo, Place, Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    country = write_mmdb(
        tmp_path / "country.mmdb", {"0.0.0.0/1": {"country_code": "NL"}, "2000::/3": {"country_code": "DE"}}
    )
    (tmp_path / "4.csv").write_text("8.0.0.0,8.255.255.255,64500,Example\n")
    (tmp_path / "6.csv").write_text("2001:db8::,2001:db8::ffff,64501,\n")
    (tmp_path / "yaml").write_text(
        f"geo:\n  country: {country}\n  asn:\n    - {tmp_path / '4.csv'}\n    - {tmp_path / '6.csv'}\n"
    )
    return Places(load_yaml(tmp_path / "yaml", config_model(collectors=False), {}).geo)


def test_places(places: Places) -> None:
    assert places.of("8.1.2.3") == Place("NL", 64500, "Example")
    assert places.of("::ffff:8.1.2.3") == Place("NL", 64500, "Example")
    assert places.of("2001:db8::1") == Place("DE", 64501, None)
    assert places.of("9.1.2.3") == Place("NL")
    assert [str(places.of(text)) for text in ("8.1.2.3", "2001:db8::1", "9.1.2.3", "x")] == [
        "NL, AS64500 Example",
        "DE, AS64501",
        "NL",
        "",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1",
        "127.0.0.1",
        "100.64.0.1",
        "169.254.1.1",
        "172.31.0.1",
        "192.168.1.1",
        "0.1.2.3",
        "::1",
        "fe80::1",
        "fd00::1",
        "Internal",
        "",
        "8.1.2",
        "8.1.2.3\0",
        "fe80::1%eth0",
    ],
)
def test_what_is_inside_or_no_address_has_no_place(places: Places, text: str) -> None:
    assert places.of(text) == Place()


def test_a_table_has_a_row_for_each_that_is_known(places: Places) -> None:
    rows = places.table(["8.1.2.3", "10.0.0.1", "9.1.2.3"]).to_pylist()
    assert rows == [
        {"ip": "8.1.2.3", "country": "NL", "asn": 64500, "as_name": "Example"},
        {"ip": "9.1.2.3", "country": "NL", "asn": None, "as_name": None},
    ]
    assert places.table([]).num_rows == 0 == Places(Geo()).table(["8.1.2.3"]).num_rows


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("geo:\n  country: none.mmdb\n", r"yaml:2: geo\.country: none\.mmdb:1: cannot be read"),
        ("home: x\ngeo:\n  asn:\n    - {csv}\n    - none.mmdb\n", r"yaml:3: geo\.asn: none\.mmdb:1: cannot be read"),
        ("geo:\n  country: {csv}\n", r"yaml:2: geo\.country: .*4\.csv:1: names no countries"),
        ("geo:\n  city: x\n", r"yaml:2: geo\.city: no such key"),
    ],
)
def test_faults_of_the_configuration(places: Places, tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "yaml").write_text(text.replace("{csv}", str(tmp_path / "4.csv")))
    with pytest.raises(ConfigError, match=why):
        load_yaml(tmp_path / "yaml", config_model(collectors=False), {})
