"""Objects in S3 in, files in the spool folder out, handed over to the commit; what cannot be had is noted.

What fails for a reason that lasts (no permission, not there, archived, too large) is tried so often and then given up;
what passes is waited for.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from trailkeep.aws import BROKEN_READ, AwsError, described, is_about_credentials, is_gone, is_lasting
from trailkeep.collect.collector import Context
from trailkeep.collect.feed import Delivery, Fate
from trailkeep.collect.files import LogFile
from trailkeep.collect.s3_events import S3Object, objects_in
from trailkeep.core.errors import InputError

_TRIES = 4
_BLOCK = 1 << 20
_LOOK_SECONDS = 60.0


class Fetcher:
    """Fetches objects for one collector; threads share it. `client` gives the client for an object."""

    def __init__(self, context: Context, client: Callable[[S3Object], Any], limit: int, tries: int) -> None:
        """`limit`: bytes of the largest object; `tries`: after so many what fails lastingly is given up."""
        self._context = context
        self._client = client
        self._limit = limit
        self._tries = tries
        self._lock = threading.Lock()
        self._next_look = 0.0
        context.spool.mkdir(parents=True, exist_ok=True)
        for left in context.spool.iterdir():
            left.unlink()  # fetched by a process that died: it is fetched again

    def fetch(
        self, wanted: S3Object, settled: Callable[[Fate], None], since: float | None, tried: int | None = None
    ) -> bool:
        """Fetch and hand over one object; `settled` hears what became of it, now or after the commit.

        `tried`: how often somebody else has had it tried, who brings it again; it is tried again here otherwise. False:
        the service ends.
        """
        context, tries = self._context, tried or 0
        while True:
            try:
                file = fetch_object(self._client(wanted), wanted, context.spool, self._limit)
                break
            except InputError as error:
                return self._give_up(wanted, str(error), settled)
            except AwsError as error:
                reason = f"{wanted.url}: {described(error)}"
                if is_lasting(error) and not is_about_credentials(error):
                    tries += tried is None
                    if (is_gone(error) and tries > 1) or tries >= self._tries:
                        return self._give_up(wanted, f"{described(error)}; tried {tries} times", settled)
                    if tried is not None:
                        context.health.error(reason)
                        settled("failed")
                        return True
            except OSError as error:  # the disk is full, or the connection breaks again and again
                reason = f"{wanted.url}: {error}"
            if not context.wait(reason):
                settled("failed")
                return False
        context.went_well()

        def after(fate: Fate) -> None:
            file.path.unlink(missing_ok=True)
            settled(fate)

        if context.deliver(Delivery(context.name, file, after, since=since)):
            return True
        after("failed")
        return False

    def again(self) -> None:
        """Fetch what was given up and is to be tried again; looks for it once a minute."""
        context = self._context
        with self._lock:
            if time.monotonic() < self._next_look:
                return
            self._next_look = time.monotonic() + _LOOK_SECONDS
        for key, request in context.kept.given_up(context.name):
            try:
                wanted = objects_in(request["body"]) if "body" in request else [S3Object(**request)]
            except InputError as error:
                context.give_up(key, str(error), request)
                continue

            def settled(fate: Fate, key: str = key) -> None:
                if fate == "stored":
                    context.settle(key)

            for each in wanted:
                self.fetch(each, settled, time.time(), self._tries)

    def _give_up(self, wanted: S3Object, reason: str, settled: Callable[[Fate], None]) -> bool:
        request = {"bucket": wanted.bucket, "key": wanted.key, "region": wanted.region, "version": wanted.version}
        if not self._context.give_up(wanted.url, reason, request):
            settled("failed")
            return False
        self._context.health.error(f"{wanted.url}: given up: {reason}")
        settled("given up")
        return True


def fetch_object(client: Any, wanted: S3Object, folder: Path, limit: int) -> LogFile:
    """Read an object into `folder`; asks again where the connection breaks.

    Raises what the client raises (AwsError), and InputError for an object of more than `limit` bytes.
    """
    path = folder / uuid4().hex
    for attempt in range(_TRIES):
        try:
            return _fetch(client, wanted, path, limit)
        except BROKEN_READ:
            path.unlink(missing_ok=True)
            if attempt == _TRIES - 1:
                raise
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    raise AssertionError


def _fetch(client: Any, wanted: S3Object, path: Path, limit: int) -> LogFile:
    which = {"VersionId": wanted.version} if wanted.version else {}
    answer = client.get_object(Bucket=wanted.bucket, Key=wanted.key, **which)
    size = answer["ContentLength"]
    if size > limit:
        answer["Body"].close()
        raise InputError(f"{size:,} bytes, more than the limit of {limit:,}")
    got = 0
    with path.open("wb") as file:
        for block in answer["Body"].iter_chunks(_BLOCK):
            file.write(block)
            got += len(block)
    if got != size:
        raise ConnectionError(f"{got:,} of {size:,} bytes came")
    return LogFile(
        path=path,
        key=wanted.url,
        size=got,
        version=answer["ETag"].strip('"'),  # which a listing tells, too
        user_metadata=answer.get("Metadata", {}),
    )
