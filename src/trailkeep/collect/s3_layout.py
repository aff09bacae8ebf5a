"""A bucket and a prefix in, its folders by day out: so that a day that is done is never listed again.

Logs lie in folders of their day in all the layouts that AWS delivers: `2026/11/25/`, `2017/1/2/`, with hours below;
`year=2026/month=11/day=25/`; `dt=2026-11-25/`, `eventDay=20261125/`. What lies in no such folder is listed whole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

_YEAR = re.compile(r"(?:year=)?(20\d\d)/$")
_PART = re.compile(r"(?:month=|day=)?(\d{1,2})/$")
_DAY = re.compile(r"(?:dt|date|day|eventDay|event_day|time_dt|time_dt_day|log_date)=(20\d\d)-?(\d\d)-?(\d\d)/$")


@dataclass(frozen=True)
class Folder:
    """A prefix to list: `day` is whose logs lie in it, None where that cannot be told; `deep`: with what is below."""

    prefix: str
    day: date | None
    deep: bool = True


def folders(client: Any, bucket: str, prefix: str, since: date, until: date) -> Iterator[Folder]:
    """The folders under `prefix` that may hold logs of the days `since` to `until`, both included, the oldest first of
    each tree. Costs one listing for each folder above the days.
    """
    yield from _below(client, bucket, prefix, (), since, until)


def _below(client: Any, bucket: str, prefix: str, parts: tuple[int, ...], since: date, until: date) -> Iterator[Folder]:
    inner, objects = _listed(client, bucket, prefix)
    if objects:
        yield Folder(prefix, _day_of(parts), deep=False)
    for name in inner:
        last = name.rstrip("/").rpartition("/")[2] + "/"
        found = _DAY.search(last)
        if found:
            day = _date(*map(int, found.groups()))
            if day is None or since <= day <= until:
                yield Folder(name, day)
            continue
        deeper = _deeper(parts, last)
        if deeper is None or _may_hold(deeper, since, until):
            if deeper is not None and len(deeper) == 3:
                yield Folder(name, _day_of(deeper))
            else:
                yield from _below(client, bucket, name, deeper or (), since, until)


def _deeper(parts: tuple[int, ...], name: str) -> tuple[int, ...] | None:
    """Year, month and day so far with that of the folder `name`, or None where it is no part of a date."""
    pattern = _PART if parts else _YEAR
    found = pattern.fullmatch(name)
    if not found:
        return None
    number = int(found[1])
    if len(parts) == 1 and not 1 <= number <= 12:
        return None
    return (*parts, number)


def _may_hold(parts: tuple[int, ...], since: date, until: date) -> bool:
    size = len(parts)
    first, last = (since.year, since.month, since.day)[:size], (until.year, until.month, until.day)[:size]
    return first <= parts <= last


def _day_of(parts: tuple[int, ...]) -> date | None:
    return _date(*parts) if len(parts) == 3 else None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _listed(client: Any, bucket: str, prefix: str) -> tuple[list[str], bool]:
    """The folders right under a prefix, and whether objects lie there, too."""
    inner: list[str] = []
    objects = False
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    for page in pages:
        inner += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        objects = objects or any(each["Size"] for each in page.get("Contents", []))
    return inner, objects
