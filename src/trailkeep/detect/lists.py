"""Lists that users declare in; which texts are in a list, or lie in its networks, out.

A list may hold 100,000 addresses. A rule's tree has only the key of such a list; membership is one look-up by hash, or
one search in sorted ranges, for each distinct value of a batch.
"""

import socket
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from ipaddress import ip_network

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.detect.tree import fold


@dataclass(frozen=True)
class Lists:
    """Values by name, for `%name%` in rules. Names are the same in upper and lower case; no list is empty."""

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @staticmethod
    def of(given: Mapping[str, Iterable[str]]) -> "Lists":
        """Those of `given` that have values."""
        found = {name.lower(): tuple(dict.fromkeys(values)) for name, values in given.items()}
        return Lists({name: values for name, values in found.items() if values})

    def get(self, name: str) -> tuple[str, ...]:
        """The values of a list; none if it is not declared, or empty."""
        return self.values.get(name.lower(), ())

    def no_network(self, name: str) -> str | None:
        """The first value of a list that is neither an address nor a network."""
        if name.lower() not in self._checked:
            wrong = (value for value in self.get(name) if _range(value) is None)
            self._checked[name.lower()] = next(wrong, None)
        return self._checked[name.lower()]

    @cached_property
    def _checked(self) -> dict[str, str | None]:
        return {}

    def key(self, name: str) -> str:
        """What stands for the list in a tree: its name, and what tells it from others of that name."""
        return self._keys[name.lower()]

    @cached_property
    def _keys(self) -> dict[str, str]:
        return {name: f"{name}@{_digest(values)}" for name, values in self.values.items()}

    @cached_property
    def by_key(self) -> dict[str, tuple[str, ...]]:
        """Values by key."""
        return {self._keys[name]: values for name, values in self.values.items()}

    def named_in(self, text: str) -> dict[str, str]:
        """The keys of those lists that `text` may name."""
        low = text.lower()
        return {name: key for name, key in self._keys.items() if f"%{name}%" in low}


def _digest(values: Sequence[str]) -> str:
    return sha256("\n".join(values).encode()).hexdigest()[:16]


class Members:
    """The members of one list: texts without regard to case, or addresses in networks."""

    def __init__(self, values: Sequence[str], *, networks: bool) -> None:
        self._networks = networks
        self._texts = pa.array([] if networks else [fold(value) for value in values], pa.string())
        self._ranges = {version: _ranges(values, version) for version in (4, 6)} if networks else {}

    def among(self, texts: pa.Array, lowered: pa.Array) -> pa.BooleanArray:
        """For each of `texts`, which `lowered` has in lower case, whether it is a member; a null is none."""
        if not self._networks:
            return pc.is_in(lowered, value_set=self._texts.cast(lowered.type))
        coded = texts.dictionary_encode()
        inside = [self._lies_in(text) for text in coded.dictionary.to_pylist()]
        return pa.array(inside, pa.bool_()).take(coded.indices).fill_null(False)

    def among_any(self, lists: pa.ListArray, lowered: pa.Array) -> pa.BooleanArray:
        """For each list of texts, whether any is a member; `lowered` are all texts in lower case."""
        parents = pc.list_parent_indices(lists).filter(self.among(lists.flatten(), lowered))
        return pc.is_in(pa.array(range(len(lists)), parents.type), value_set=parents)

    def _lies_in(self, text: str | None) -> bool:
        version = 6 if ":" in (text or "") else 4
        number = _number(text or "", version)
        if number is None:
            return False
        starts, ends = self._ranges[version]
        place = bisect_right(starts, number) - 1
        return place >= 0 and number <= ends[place]


def _number(text: str, version: int) -> int | None:
    """An address as a number, five times faster than ipaddress has it; None for what is none."""
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET6 if version == 6 else socket.AF_INET, text))
    except (OSError, ValueError):
        return None


def _ranges(values: Iterable[str], version: int) -> tuple[list[int], list[int]]:
    """First and last addresses of the networks of one version, in order; they do not overlap."""
    starts: list[int] = []
    ends: list[int] = []
    found = (_range(value) for value in values if (":" in value) == (version == 6))
    for start, end in sorted(one for one in found if one is not None):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


def is_network(text: str) -> bool:
    """Whether it is an address, or a network in CIDR notation."""
    return _range(text) is not None


def _range(text: str) -> tuple[int, int] | None:
    """The first and the last address of a network."""
    number = _number(text, 6 if ":" in text else 4)
    if number is not None:
        return number, number
    try:
        found = ip_network(text)
    except ValueError:
        return None
    return int(found.network_address), int(found.broadcast_address)
