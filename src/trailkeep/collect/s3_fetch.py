"""An object in S3 in, a file in the spool folder out, with what S3 says of it."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from trailkeep.collect.aws import BROKEN_READ, code_of
from trailkeep.collect.files import LogFile
from trailkeep.collect.s3_events import S3Object
from trailkeep.core.errors import InputError

_TRIES = 4
_BLOCK = 1 << 20


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


def archived(error: Exception) -> bool:
    """Whether an object lies in an archive class, from where it has to be restored first."""
    return code_of(error) == "InvalidObjectState"
