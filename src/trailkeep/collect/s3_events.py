"""The body of a queue message in, the objects in S3 that it tells of out.

Notifications come from S3 itself, through SNS (wrapped or raw) or through EventBridge. Only new objects are told of:
messages about deleted ones, restored ones and S3's test event hold nothing to fetch.

Formats: Amazon S3 User Guide, "Event message structure" (keys are URL-encoded) and "EventBridge event message
structure" (keys are not).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from trailkeep.core.errors import InputError

_DEPTH = 4


@dataclass(frozen=True)
class S3Object:
    """An object as a notification or a listing tells of it. `time` is seconds since 1970, if it is known."""

    bucket: str
    key: str
    region: str | None = None
    version: str | None = None
    size: int | None = None
    etag: str | None = None
    time: float | None = None

    @property
    def url(self) -> str:
        """Its name everywhere in Trailkeep."""
        return f"s3://{self.bucket}/{self.key}"


def objects_in(body: str) -> list[S3Object]:
    """The new objects that a message tells of, in its order. Raises InputError where it is no notification."""
    try:
        return list(_objects(json.loads(body), 0))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"no notification of S3: {type(error).__name__}: {error}") from error


def _objects(message: Any, depth: int) -> Iterator[S3Object]:
    if depth > _DEPTH:
        raise InputError("no notification of S3: wrapped too often")
    if "Records" in message:
        for record in message["Records"]:
            if "Sns" in record:  # as a Lambda function gets it
                yield from _objects(json.loads(record["Sns"]["Message"]), depth + 1)
            elif "body" in record:
                yield from _objects(json.loads(record["body"]), depth + 1)
            elif record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
                yield _notified(record)
            elif "s3" not in record:
                raise InputError("no notification of S3: a record without the key s3")
    elif message.get("Type") == "Notification" and "Message" in message:
        yield from _objects(json.loads(message["Message"]), depth + 1)
    elif "detail-type" in message:
        if message["source"] != "aws.s3":
            raise InputError(f"no notification of S3, but an event of {message['source']}")
        if message["detail-type"] == "Object Created":
            yield _from_eventbridge(message)
    elif "detail" in message and "bucket" in message["detail"]:  # what an input transformer may leave
        yield _from_eventbridge(message)
    elif message.get("Event") != "s3:TestEvent":
        raise InputError(f"no notification of S3: an object with the keys {', '.join(sorted(message)[:12])}")


def _notified(record: dict[str, Any]) -> S3Object:
    found = record["s3"]["object"]
    return S3Object(
        bucket=record["s3"]["bucket"]["name"],
        key=unquote_plus(found["key"]),
        region=record.get("awsRegion"),
        version=found.get("versionId"),
        size=found.get("size"),
    )


def _from_eventbridge(message: dict[str, Any]) -> S3Object:
    detail = message["detail"]
    found = detail["object"]
    return S3Object(
        bucket=detail["bucket"]["name"],
        key=found["key"],
        region=message.get("region"),
        version=found.get("version-id"),
        size=found.get("size"),
    )
