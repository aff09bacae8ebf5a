"""One file of address ranges in, what it says of an address out: the country, or the autonomous system (AS).

Two formats: MMDB (https://maxmind.github.io/MaxMind-DB/) with the keys of ip-location-db, GeoLite2, DB-IP and IPinfo;
and CSV of ranges in order, `first,last,country` or `first,last,number,name`, as ip-location-db has them.
"""

import csv
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import maxminddb

from trailkeep.core.errors import ConfigError, Fault
from trailkeep.geo.address import Address, parse

Kind = Literal["country", "asn"]
_SAMPLED = 1000  # records, among which one must have a known shape
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_NUMBER = re.compile(r"(?:AS)?([0-9]{1,10})", re.IGNORECASE)


class System(NamedTuple):
    """An autonomous system, and what it is called."""

    number: int
    name: str | None


Said = str | System
"""A country by its two letters (ISO 3166-1 alpha-2), or an autonomous system."""


class Table(Protocol):
    """A file of one kind, opened."""

    def of(self, address: Address) -> Said | None:
        """What it says of `address`; None where it says nothing. Raises ConfigError if the file is damaged."""


def open_table(path: Path, kind: Kind) -> Table:
    """`path`, an MMDB file or, by its name, CSV. Raises ConfigError if it is neither, or not of this kind."""
    return _Ranges(path, kind) if path.suffix == ".csv" else _Mmdb(path, kind)


def check_table(path: Path, kind: Kind) -> None:
    """Raises ConfigError if `path` is not of this kind, as far as its beginning tells."""
    if path.suffix == ".csv":
        next(_rows(path, kind), None)
    else:
        _Mmdb(path, kind)


class _Mmdb:
    """A tree of prefixes, read from a mapped file."""

    def __init__(self, path: Path, kind: Kind) -> None:
        self._path = path
        self._read = _READERS[kind]
        try:
            self._reader = maxminddb.open_database(path)
            sample = [record for _, record in islice(self._reader, _SAMPLED)]
        except OSError as error:
            raise _fault(path, 1, f"cannot be read: {error.strerror}") from error
        except (maxminddb.InvalidDatabaseError, ValueError) as error:  # the second for an empty file
            raise _fault(path, 1, f"is no MMDB file: {error}") from error
        self._version = self._reader.metadata().ip_version
        if not any(isinstance(record, dict) and self._read(record) is not None for record in sample):
            keys = sorted({key for record in sample if isinstance(record, dict) for key in record})
            raise _fault(path, 1, f"{_WANTED[kind]}; its records have: {', '.join(keys) or 'no keys'}")

    def of(self, address: Address) -> Said | None:
        if address.version > self._version:
            return None
        try:
            record = self._reader.get(address.text)
        except maxminddb.InvalidDatabaseError as error:
            raise _fault(self._path, 1, f"is damaged: {error}") from error
        return self._read(record) if isinstance(record, dict) else None


class _Ranges:
    """Ranges of one family, in memory. Where two overlap, the one that begins later counts."""

    def __init__(self, path: Path, kind: Kind) -> None:
        self._version = 0
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._said: list[Said] = []
        for line, first, last, said in _rows(path, kind):
            self._version = self._version or first.version
            if {first.version, last.version} != {self._version}:
                raise _fault(path, line, f"not of IPv{self._version} as the rows before: give each version a file")
            if first.number > last.number or (self._firsts and first.number <= self._firsts[-1]):
                raise _fault(path, line, f"{first.text} - {last.text} does not begin behind the range before")
            self._firsts.append(first.number)
            self._lasts.append(last.number)
            self._said.append(said)
        if not self._firsts:
            raise _fault(path, 1, "holds no ranges")

    def of(self, address: Address) -> Said | None:
        place = bisect_right(self._firsts, address.number) - 1
        within = address.version == self._version and place >= 0 and address.number <= self._lasts[place]
        return self._said[place] if within else None


def _rows(path: Path, kind: Kind) -> Iterator[tuple[int, Address, Address, Said]]:
    """Line, first and last address, and what is said of those between, of each row that says something."""
    known: dict[tuple[str, ...], Said | None] = {}
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.reader(lines)
            for row in reader:
                values = tuple(row[2:4])
                if values not in known:
                    known[values] = _said(path, reader.line_num, kind, row)
                said, first, last = known[values], parse(row[0]), parse(row[1])
                if first is None or last is None:
                    raise _fault(path, reader.line_num, f"no addresses: {row[0]!r}, {row[1]!r}")
                if said is not None:
                    yield reader.line_num, first, last, said
    except OSError as error:
        raise _fault(path, 1, f"cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise _fault(path, 1, f"is no CSV: {error}") from error


def _said(path: Path, line: int, kind: Kind, row: list[str]) -> Said | None:
    """What a row says; None where it says that nothing is known."""
    if len(row) < 3:
        raise _fault(path, line, "expected first,last,country or first,last,number,name")
    said = _country(row[2]) if kind == "country" else _system(*row[2:4])
    if said is None and row[2] not in ("", "0"):
        raise _fault(path, line, f"{_WANTED[kind]}: {row[2]!r}")
    return said


def _country_in(record: Mapping[str, Any]) -> str | None:
    """`country_code` of ip-location-db and IPinfo; `country.iso_code` of GeoLite2 and DB-IP; `country` of IPinfo."""
    inner = record.get("country")
    nested = inner.get("iso_code") if isinstance(inner, dict) else inner
    return _country(record.get("country_code")) or _country(nested)


def _system_in(record: Mapping[str, Any]) -> System | None:
    """`autonomous_system_...` of ip-location-db, GeoLite2 and DB-IP; `asn` with `as_name` or `as_domain` of IPinfo."""
    number = record.get("autonomous_system_number", record.get("asn"))
    names = (record.get(key) for key in ("autonomous_system_organization", "as_name", "name", "as_domain", "domain"))
    return _system(number, next(filter(None, names), None))


def _country(text: object) -> str | None:
    return str(text).upper() if _COUNTRY.fullmatch(str(text or "")) else None


def _system(number: object, name: object = None) -> System | None:
    match = _NUMBER.fullmatch(str(number or ""))
    return System(int(match[1]), str(name) if name else None) if match and int(match[1]) else None


_READERS: dict[Kind, Callable[[Mapping[str, Any]], Said | None]] = {"country": _country_in, "asn": _system_in}
_WANTED: dict[Kind, str] = {
    "country": "names no countries (country_code, country.iso_code or country, of two letters)",
    "asn": "names no autonomous systems (autonomous_system_number or asn, a number)",
}


def _fault(path: Path, line: int, reason: str) -> ConfigError:
    return ConfigError([Fault(path, line, reason)])
