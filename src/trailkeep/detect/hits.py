"""Which rows of a batch which rule may match: groups of rows, and the hits in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.detect.masks import Mask, either
from trailkeep.detect.plan import Need, Planned


@dataclass(frozen=True)
class Group:
    """Rows `start` to `start + length` in order of event name, and the rules that may match them."""

    number: int
    start: int
    length: int
    rules: Sequence[Planned]
    open: bool = False
    """Whether it is all rows; the other groups follow each other."""


@dataclass(frozen=True)
class Hit:
    """The rows of `group` that `planned` matches, or may match."""

    planned: Planned
    group: Group
    rows: Mask


def wanted(needs: Iterable[tuple[Need, Hit]], rows: int) -> dict[Need, pa.BooleanArray]:
    """For each part of a record those of all `rows` on which a hit needs it."""
    groups: dict[int, Group] = {}
    by_need: dict[Need, dict[int, Mask]] = {}
    for need, hit in needs:
        by_group = by_need.setdefault(need, {})
        by_group[hit.group.number] = either(by_group.get(hit.group.number, False), hit.rows)
        groups[hit.group.number] = hit.group
    return {need: _spread(by_group, groups, rows) for need, by_group in by_need.items()}


def _spread(by_group: Mapping[int, Mask], groups: Mapping[int, Group], rows: int) -> pa.BooleanArray:
    """One mask over all rows; groups by name follow each other, the group of open rules lies over them."""
    pieces: list[pa.BooleanArray] = []
    end, over = 0, None
    for number, passed in sorted(by_group.items()):
        group = groups[number]
        mask = pa.repeat(passed, group.length) if isinstance(passed, bool) else passed
        if group.open:
            over = mask
        else:
            pieces += [pa.repeat(False, group.start - end), mask]
            end = group.start + group.length
    pieces.append(pa.repeat(False, rows - end))
    below = pa.concat_arrays(pieces)
    return below if over is None else pc.or_(over, below)
