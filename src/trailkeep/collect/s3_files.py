"""`s3://bucket/prefix` in, the objects under it as files to read out: for an ingest by hand.

Each process that reads has a client of its own.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from trailkeep.aws import BROKEN_READ, Aws, AwsError, described
from trailkeep.collect.files import LogFile
from trailkeep.collect.s3_price import Estimate
from trailkeep.core.errors import UsageError
from trailkeep.core.fetched import Fetched

_TRIES = 4


@dataclass(frozen=True)
class S3File(LogFile):
    """An object in S3; `path` is its URL and no file."""

    bucket: str = ""
    name: str = ""
    remote = True

    def fetch(self) -> Fetched:
        """Its bytes, or why there are none."""
        for attempt in range(_TRIES):
            try:
                answer = _client().get_object(Bucket=self.bucket, Key=self.name)
                data = answer["Body"].read()
                etag = answer["ETag"].strip('"')
                return Fetched(self.key, data, version=etag, user_metadata=answer.get("Metadata", {}))
            except (*BROKEN_READ, *AwsError) as error:
                if not isinstance(error, BROKEN_READ) or attempt == _TRIES - 1:
                    return Fetched(self.key, b"", f"cannot be fetched: {described(error)}")
        raise AssertionError


def find_objects(url: str) -> tuple[list[LogFile], Estimate]:
    """Every object under `s3://bucket/prefix`, and what reading them will take. Raises UsageError where there is none,
    or where the bucket cannot be listed.
    """
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    files: list[LogFile] = []
    listings = 0
    try:
        for page in _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            listings += 1
            for each in page.get("Contents", []):
                if each["Size"]:
                    key = f"s3://{bucket}/{each['Key']}"
                    files.append(S3File(Path(key), key, each["Size"], bucket=bucket, name=each["Key"]))
    except AwsError as error:
        raise UsageError(f"{url}: cannot be listed: {described(error)}") from error
    if not files:
        raise UsageError(f"{url}: no objects there")
    return files, Estimate(len(files), sum(file.size for file in files), listings)


@cache
def _client() -> Any:
    return Aws({}).client("s3")
