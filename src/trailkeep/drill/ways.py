"""Logs of a drill in, the same logs where Trailkeep takes logs from out."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from trailkeep.aws import Aws, AwsError, described
from trailkeep.collect.files import LogFile
from trailkeep.core.errors import UsageError
from trailkeep.drill.scenarios import Log
from trailkeep.ingest import ingest
from trailkeep.pipeline import Settings

Put = Callable[[list[Log]], dict[str, datetime | str]]
"""Writes logs; returns when each was written, by scenario, or why it could not be."""


def by_ingest(settings: Settings) -> Put:
    """Stores logs as `trailkeep ingest` does."""

    def put(logs: list[Log]) -> dict[str, datetime | str]:
        with TemporaryDirectory() as folder:
            files = []
            for log in logs:
                path = Path(folder) / Path(log.name).name
                path.write_bytes(log.packed)
                files.append(LogFile(path, f"trailkeep://drill/{log.name}", path.stat().st_size))
            began = datetime.now(UTC)
            ingest(settings, files, 1)
        return {log.scenario.name: began for log in logs}

    return put


def by_s3(aws: Aws, url: str, account: str | None, region: str | None) -> Put:
    """Puts logs below `s3://bucket/prefix`, from where a collector fetches them. Raises UsageError for another URL."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise UsageError(f"--to {url}: name a bucket that a collector reads, such as s3://my-trail-logs/prefix")
    folder = f"{prefix.rstrip('/')}/" if prefix else ""

    def put(logs: list[Log]) -> dict[str, datetime | str]:
        written: dict[str, datetime | str] = {}
        for log in logs:
            began = datetime.now(UTC)
            try:
                aws.client("s3", account, region).put_object(
                    Bucket=bucket, Key=folder + log.name, Body=log.packed, Metadata={"trailkeep-drill": "harmless"}
                )
                written[log.scenario.name] = began
            except AwsError as error:
                written[log.scenario.name] = f"s3://{bucket}/{folder} cannot be written to: {described(error)}"
        return written

    return put
