"""CloudTrail records of an invented account, and the documents that hold them."""

import gzip
import json
from typing import Any

ACCOUNT = "111122223333"


def record(number: int, **changed: Any) -> dict[str, Any]:
    """A record with an event id of its own; a field that is changed to None is left out."""
    found = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/mara", "accountId": ACCOUNT},
        "eventTime": f"2026-11-17T08:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "198.51.100.23",
        "requestParameters": {"filterSet": {}},
        "responseElements": None,
        "eventID": event_uid(number),
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
        **changed,
    }
    return {name: value for name, value in found.items() if value is not None or name == "responseElements"}


def event_uid(number: int) -> str:
    return f"5f0c0000-0000-4000-8000-{number:012}"


def document(*records: dict[str, Any] | str | bytes) -> bytes:
    """A CloudTrail file; what is no dictionary is put in as it is."""
    texts = (
        r if isinstance(r, bytes) else r.encode() if isinstance(r, str) else json.dumps(r).encode() for r in records
    )
    return b'{"Records":[' + b",".join(texts) + b"]}"


def good(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [record(number) for number in range(first, first + count)]


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


FLOW_HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)


def flow(port: int, note: bytes = b"OK") -> bytes:
    text = f"2 {ACCOUNT} eni-0a1b2c3d4e5f60718 198.51.100.7 10.0.0.5 {port} 22 6 4 240 1794902400 1794902460 REJECT "
    return text.encode() + note


def flows(*lines: bytes) -> bytes:
    return b"\n".join([FLOW_HEADER.encode(), *lines]) + b"\n"
