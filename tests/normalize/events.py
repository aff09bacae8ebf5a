"""CloudTrail events and VPC flow lines to build test objects from, written after real ones."""

import json
from typing import Any

_ADDRESSES = "version account-id interface-id srcaddr dstaddr srcport dstport"
HEADER = f"{_ADDRESSES} protocol packets bytes start end action log-status"
LINE = "2 111122223333 eni-0a1b2c3d4e5f67890 10.0.0.5 10.0.1.9 443 50{0:03d} 6 10 840 170 170 ACCEPT OK"


def event(n: int = 0, **more: Any) -> dict[str, Any]:
    """A management event whose id says which one it is."""
    return {
        "eventVersion": "1.09",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ana", "userName": "ana"},
        "eventTime": "2024-03-01T12:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateAccessKey",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.7",
        "requestParameters": {"userName": "ana", "tags": [{"key": "a", "value": '{"b":[1]}'}]},
        "responseElements": None,
        "eventID": f"00000000-0000-0000-0000-{n:012d}",
    } | more


def event_json(n: int = 0, **more: Any) -> bytes:
    return json.dumps(event(n, **more), separators=(",", ":")).encode()


def trail(*records: bytes) -> bytes:
    """A file as CloudTrail delivers it."""
    return b'{"Records":[' + b",".join(records) + b"]}"


def flow(*lines: str) -> bytes:
    return "".join(line + "\n" for line in lines).encode()
