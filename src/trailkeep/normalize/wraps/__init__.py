"""The kinds of envelopes: how each is known by its fields, and what it wraps."""

from collections.abc import Collection
from functools import lru_cache

from trailkeep.normalize.wraps import aws, otlp, receiver
from trailkeep.normalize.wraps.kind import Kind

KINDS = (*receiver.KINDS, *aws.KINDS, *otlp.KINDS)


def kind_of(fields: Collection[str]) -> Kind | None:
    """The kind of envelope that a record with these fields is."""
    return _kind_of(*fields)


@lru_cache(maxsize=1024)  # the records of a file hardly differ in their fields
def _kind_of(*names: str) -> Kind | None:
    return next((kind for kind in KINDS if kind.fits(names)), None)
