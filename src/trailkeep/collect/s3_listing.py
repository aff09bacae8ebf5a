"""A bucket and a prefix in, the objects under it out: by listing day by day; days that are done are not listed again.

For backfills, and for buckets that send no notifications. What a backfill will cost is said before it begins.
"""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from pydantic import Field, model_validator

from trailkeep.aws import AwsError, described, is_about_credentials, is_lasting
from trailkeep.collect.collector import AwsCollectorConfig, Context
from trailkeep.collect.feed import Delivery, Fate
from trailkeep.collect.s3_events import S3Object
from trailkeep.collect.s3_fetch import Fetcher
from trailkeep.collect.s3_layout import Folder, folders
from trailkeep.collect.s3_price import Estimate
from trailkeep.lake.completeness import LISTED
from trailkeep.lake.progress import Position

_LATE = timedelta(days=2)  # AWS delivers logs of a day until well into the next


class S3Listing(AwsCollectorConfig):
    """Objects in S3 by listing, for a range of days or for ever."""

    type: Literal["s3_listing"]
    bucket: str = Field(pattern=r"^[a-z0-9.-]{3,63}$")
    prefix: str = ""
    since: date | None = Field(default=None, description="first day; yesterday at the first run otherwise")
    until: date | None = Field(default=None, description="last day; today, every day anew, otherwise")
    every_seconds: float = Field(default=60, gt=0)
    ask_above_gb: float = Field(default=10, ge=0, description="larger backfills wait for `--yes`")
    threads: int = Field(default=4, ge=1, le=64)
    tries: int = Field(default=5, ge=1)
    max_object_mb: int = Field(default=1024, ge=1)

    @model_validator(mode="after")
    def _range(self) -> "S3Listing":
        if self.since and self.until and self.until < self.since:
            raise ValueError("until: is before since")
        return self

    def run(self, context: Context) -> None:
        """List and fetch, again and again where the range is open."""
        listing = _Listing(self, context)
        while not context.stop.is_set():
            if not listing.round():
                return
            if context.once or (self.until and self.until < listing.today() - _LATE):
                context.health.done(context.health.reason or "everything is fetched")
                return
            context.stop.wait(self.every_seconds)


class _Listing:
    def __init__(self, config: S3Listing, context: Context) -> None:
        self._config = config
        self._context = context
        self._client = context.aws.client("s3", config.account, config.region)
        self._agreed = False
        self._range = (date.min, date.max)
        self._after: dict[str, str] = {}
        self._given_up: set[str] = set()
        self._fetcher = Fetcher(context, lambda _: self._client, config.max_object_mb << 20, config.tries)

    def today(self) -> date:
        """The day that it is, in UTC."""
        return datetime.fromtimestamp(self._context.health.now(), UTC).date()

    def round(self) -> bool:
        """Fetch everything new. False: the service ends, or somebody has to mend or to agree to something."""
        context, where = self._context, f"s3://{self._config.bucket}/{self._config.prefix}"
        while True:
            try:
                if not (self._agreed or self._agree()):
                    return False
                found = self._fetch_new()
                break
            except AwsError as error:
                if is_lasting(error) and not is_about_credentials(error):
                    context.health.failed(f"{where}: {described(error)}")
                    return False
                if not context.wait(f"{where}: {described(error)}"):
                    return False
        if found == 0:
            context.health.running(f"no new objects under {where}")
        context.went_well()
        return found is not None

    def _agree(self) -> bool:
        """Say what the first round will take; whether somebody agreed, if it is much."""
        context, config = self._context, self._config
        objects = size = listings = 0
        for folder in self._folders():
            listings += 1
            for _, fresh in self._pages(folder):
                listings += 1
                objects += len(fresh)
                size += sum(each.size or 0 for each in fresh)
        estimate = Estimate(objects, size, 2 * listings)
        if objects:
            context.say(f"{context.name}: to fetch: {estimate}")
        if size > config.ask_above_gb * 1e9 and not context.confirmed:
            reason = f"{estimate}; more than ask_above_gb, {config.ask_above_gb:g}: agree by `trailkeep collect --yes`"
            context.health.failed(reason)
            context.say(f"{context.name}: {reason}")
            return False
        self._agreed = True
        return True

    def _fetch_new(self) -> int | None:
        """Fetch what is not in the ledger, folder by folder; returns how many objects, None where the service ends."""
        self._fetcher.again()
        found = 0
        waiting: list[_Work] = []
        with ThreadPoolExecutor(self._config.threads, f"{self._context.name}-fetch") as pool:
            for folder in self._folders():
                work = _Work(folder)
                waiting.append(work)
                for listed, fresh in self._pages(folder):
                    work.listed += listed
                    found += len(fresh)
                    if not all(pool.map(lambda each, work=work: self._fetch(each, work), fresh)):
                        return None
                    self._note_last_closed(work, fresh)
                waiting = [each for each in waiting if not self._close(each)]
        for work in waiting:
            if not work.wait(self._context.stop):
                return None
            self._close(work)
        return found

    def _close(self, work: "_Work") -> bool:
        """Keep what of a folder is done for good, if all of it is committed; whether that is so."""
        if work.open:
            return False
        scope, positions = self._scope(work.folder), []
        if work.folder.day is not None:  # what completeness compares with the ledger
            listed = {"objects": work.listed, "at": datetime.fromtimestamp(self._context.health.now(), UTC).isoformat()}
            positions.append(Position(self._context.name, LISTED + scope, listed))
        closed = work.folder.day is not None and work.folder.day < self._open_since()
        if (closed or work.last) and not work.failed:
            positions.append(Position(self._context.name, scope, work.last or "done"))
        if positions:
            self._context.deliver(Delivery(self._context.name, None, positions=tuple(positions)))
        return True

    def _folders(self) -> Iterator[Folder]:
        """The folders of the range that are not done."""
        config, context = self._config, self._context
        done = context.kept.positions(context.name)
        since = config.since or _day(done.get("since")) or self.today() - timedelta(days=1)
        if "since" not in done:
            first = Position(context.name, "since", since.isoformat())
            context.deliver(Delivery(context.name, None, positions=(first,)))
        self._range = since, config.until or self.today()
        self._given_up = context.kept.all_given_up(context.name)  # asked for again only when somebody wants that
        self._after = {scope: value for scope, value in done.items() if scope.startswith("s3://")}
        for folder in folders(self._client, config.bucket, config.prefix, *self._range):
            if self._after.get(self._scope(folder)) != "done":
                yield folder

    def _pages(self, folder: Folder) -> Iterator[tuple[int, list[S3Object]]]:
        """Of a folder, page by page: how many objects are of the range, and those that are not in the ledger."""
        how: dict[str, Any] = {} if folder.deep else {"Delimiter": "/"}
        if after := self._after.get(self._scope(folder)):
            how["StartAfter"] = after
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._config.bucket, Prefix=folder.prefix, **how
        )
        for page in pages:
            objects = [self._listed(each) for each in page.get("Contents", []) if each["Size"]]
            if folder.day is None:
                objects = [each for each in objects if self._range[0] <= _date_of(each) <= self._range[1]]
            stored = self._context.kept.stored([each.url for each in objects])
            fresh = [each for each in objects if each.etag not in stored.get(each.url, set())]
            yield len(objects), [each for each in fresh if each.url not in self._given_up]

    def _listed(self, told: dict[str, Any]) -> S3Object:
        return S3Object(
            bucket=self._config.bucket,
            key=told["Key"],
            region=self._config.region,
            size=told["Size"],
            etag=told["ETag"].strip('"'),
            time=told["LastModified"].timestamp(),
        )

    def _fetch(self, wanted: S3Object, work: "_Work") -> bool:
        """Fetch and hand over one object; False: the service ends."""
        work.begin()
        return self._fetcher.fetch(wanted, work.end, wanted.time)

    def _note_last_closed(self, work: "_Work", page: list[S3Object]) -> None:
        """In a folder of no day, the last key that begins with a day that is over: a later look begins behind it."""
        for each in page if work.folder.day is None else ():
            name = each.key[len(work.folder.prefix) :]
            if _NAMED_BY_DAY.match(name) and _date_of(each) < self._open_since():
                work.last = max(work.last or "", each.key)

    def _open_since(self) -> date:
        """The first day of which logs may still come."""
        return self.today() - _LATE

    def _scope(self, folder: Folder) -> str:
        return f"s3://{self._config.bucket}/{folder.prefix}"


class _Work:
    """A folder, and how many of its objects are handed over and not committed."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.listed = 0
        self.last: str | None = None
        self.failed = False
        self.open = 0
        self._changed = threading.Condition()

    def begin(self) -> None:
        with self._changed:
            self.open += 1

    def end(self, fate: Fate) -> None:
        with self._changed:
            self.open -= 1
            self.failed |= fate == "failed"
            self._changed.notify_all()

    def wait(self, stop: threading.Event) -> bool:
        """Wait until all are committed; False: the service ends."""
        with self._changed:
            while not self._changed.wait_for(lambda: not self.open, timeout=0.5):
                if stop.is_set():
                    return False
        return True


_NAMED_BY_DAY = re.compile(r"20\d\d-?[01]\d-?[0-3]\d")
_IN_KEY = re.compile(r"(20\d\d)[-/]?([01]\d)[-/]?([0-3]\d)")


def _date_of(each: S3Object) -> date:
    """The day of an object by its key, or else when it was written."""
    if found := _IN_KEY.search(each.key):
        with suppress(ValueError):
            return date(*map(int, found.groups()))
    return datetime.fromtimestamp(each.time or 0, UTC).date()


def _day(text: Any) -> date | None:
    return date.fromisoformat(text) if isinstance(text, str) else None
