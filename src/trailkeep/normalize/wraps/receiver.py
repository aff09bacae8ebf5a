"""What Trailkeep's own receivers spool: a line for each record, `{"trailkeep": {...}, "record": ...}`.

`trailkeep` says how it came: `protocol`, `received`, `sender`, `batch`. `record` is a JSON object, or a string that
holds a line. Of the protocol hec it is an event of the HTTP Event Collector of Splunk.
"""

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from trailkeep.normalize.records import Slice
from trailkeep.normalize.wraps.kind import Facts, Fields, Kind, Part, begins, content, facts_of

_FACTS = msgspec.json.Decoder(Facts)


def _spooled(record: Slice, fields: Fields) -> Iterator[Part]:
    facts, what = _said(bytes(fields["trailkeep"])), fields["record"]
    is_hec = facts.get("protocol") == "hec" and begins(what, b"{")
    yield Part(content(what), facts, kind=_HEC if is_hec else None, whole=True)


@lru_cache(maxsize=16)
def _said(text: bytes) -> Facts:
    """The facts of a head, which is the same for a whole batch."""
    return _FACTS.decode(text)


def _hec(record: Slice, fields: Fields) -> Iterator[Part]:
    names = ("time", "host", "source", "sourcetype", "index", "fields")
    yield Part(content(fields["event"]), facts_of(fields, **dict(zip(names, names, strict=True))), record)


_HEC = Kind("splunk_hec", frozenset({"event"}), _hec)
KINDS = (Kind("trailkeep", frozenset({"trailkeep", "record"}), _spooled, outermost=True),)
