"""Masks over rows in; what they say together out."""

from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

Mask: TypeAlias = pa.BooleanArray | bool
"""The rows that pass; True or False where all or none do."""


def simplified(mask: Mask) -> Mask:
    """`mask`, or True or False if it is that throughout."""
    if isinstance(mask, bool):
        return mask
    count = mask.true_count
    return False if count == 0 else True if count == len(mask) else mask


def both(one: Mask, other: Mask) -> Mask:
    """The rows in `one` and `other`."""
    if isinstance(one, bool):
        return other if one else False
    return one if other is True else False if other is False else simplified(pc.and_(one, other))


def either(one: Mask, other: Mask) -> Mask:
    """The rows in `one` or `other`."""
    if isinstance(one, bool):
        return True if one else other
    return True if other is True else one if other is False else simplified(pc.or_(one, other))
