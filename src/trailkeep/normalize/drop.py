"""Mapped events in, which of them must not be kept out: by source, log group and the values of stored columns."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.core.drop import Drop


def to_drop(events: pa.Table, source: str, rules: Sequence[Drop]) -> pa.ChunkedArray | None:
    """For each event whether a rule drops it; None where no rule is about this source."""
    found = None
    for rule in rules:
        if rule.source is None or fnmatchcase(source, rule.source):
            hit = _matches(events, rule)
            found = hit if found is None else pc.or_(found, hit)
    return found


def _matches(events: pa.Table, rule: Drop) -> pa.ChunkedArray:
    hits = pa.chunked_array([pa.repeat(pa.scalar(True), len(events))])
    if rule.log_group is not None:
        pattern = '"log_group":"' + _regex(rule.log_group, '[^"]*') + '"'
        hits = pc.and_(hits, _found(events["envelope"], pattern))
    for name, value in rule.where.items():
        if name not in events.column_names:
            return pa.chunked_array([pa.repeat(pa.scalar(False), len(events))])
        hits = pc.and_(hits, _found(events[name], f"^(?:{_regex(value)})$"))
    return hits


def _found(column: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    return pc.fill_null(pc.match_substring_regex(column.cast(pa.string()), pattern), False)


def _regex(glob: str, any_text: str = ".*") -> str:
    """A text with wildcards as a regular expression."""
    return "".join({"*": any_text, "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", glob))
