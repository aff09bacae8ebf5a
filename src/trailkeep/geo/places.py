"""The part `geo:` of trailkeep.yaml in, the places of addresses out: country, number and name of the autonomous system.

Private, loopback and other addresses that are of no network of the world have no place, whatever files say.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NamedTuple

import pyarrow as pa
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from trailkeep.core.errors import ConfigError
from trailkeep.geo.address import Address, parse
from trailkeep.geo.tables import Kind, Said, System, Table, check_table, open_table

SCHEMA = pa.schema([("ip", pa.string()), ("country", pa.string()), ("asn", pa.int64()), ("as_name", pa.string())])


def _several(value: object) -> object:
    return [value] if isinstance(value, str | Path) else value


def _checked(kind: Kind) -> AfterValidator:
    def check(paths: tuple[Path, ...]) -> tuple[Path, ...]:
        for path in paths:
            try:
                check_table(path, kind)
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return paths

    return AfterValidator(check)


class Geo(BaseModel):
    """Files that say where addresses are, MMDB or CSV of ranges. Of several, the first that knows an address counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    country: Annotated[tuple[Path, ...], BeforeValidator(_several), _checked("country")] = Field(
        default=(), description="a file of countries, or several"
    )
    asn: Annotated[tuple[Path, ...], BeforeValidator(_several), _checked("asn")] = Field(
        default=(), description="a file of autonomous systems, or several"
    )

    @property
    def kinds(self) -> frozenset[str]:
        """Of `country` and `asn`, those that are given."""
        return frozenset(name for name in ("country", "asn") if getattr(self, name))


class Place(NamedTuple):
    """Where an address is, as far as it is known."""

    country: str | None = None
    asn: int | None = None
    as_name: str | None = None

    def __str__(self) -> str:
        system = f"AS{self.asn} {self.as_name or ''}".strip() if self.asn else None
        return ", ".join(filter(None, (self.country, system)))


class Places:
    """The files of a `Geo`, opened. Raises ConfigError for one that is damaged, now or when it is asked."""

    def __init__(self, geo: Geo) -> None:
        self.kinds = geo.kinds
        self._countries = [open_table(path, "country") for path in geo.country]
        self._systems = [open_table(path, "asn") for path in geo.asn]

    def of(self, text: str) -> Place:
        """The place of an address; nothing is known of what is none, or is inside a network."""
        address = parse(text)
        if address is None or address.inside:
            return Place()
        country, system = _first(self._countries, address), _first(self._systems, address)
        number, name = system if isinstance(system, System) else (None, None)
        return Place(country if isinstance(country, str) else None, number, name)

    def table(self, addresses: Iterable[str]) -> pa.Table:
        """A row (ip, country, asn, as_name) for each address that has a place."""
        found = [(text, *place) for text in addresses if any(place := self.of(text))]
        columns = list(zip(*found, strict=True)) or [()] * len(SCHEMA)
        return pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def _first(tables: Iterable[Table], address: Address) -> Said | None:
    return next((said for table in tables if (said := table.of(address)) is not None), None)
