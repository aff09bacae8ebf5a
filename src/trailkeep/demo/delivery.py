"""Records in, gzip files in the layout of AWS's deliveries out; the same bytes every time."""

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

_FILE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def cloudtrail_key(organization: str, account: str, region: str, when: int, rng: Random) -> str:
    """The object key of a CloudTrail file of an organisation's trail, delivered at `when`."""
    moment = datetime.fromtimestamp(when, UTC)
    name = f"{account}_CloudTrail_{region}_{moment:%Y%m%dT%H%MZ}_{''.join(rng.choices(_FILE_ALPHABET, k=16))}"
    return f"AWSLogs/{organization}/{account}/CloudTrail/{region}/{moment:%Y/%m/%d}/{name}.json.gz"


def flow_log_key(account: str, region: str, flow_log: str, when: int, rng: Random) -> str:
    """The object key of a file of VPC flow records, delivered at `when`."""
    moment = datetime.fromtimestamp(when, UTC)
    name = f"{account}_vpcflowlogs_{region}_{flow_log}_{moment:%Y%m%dT%H%MZ}_{rng.getrandbits(32):08x}"
    return f"AWSLogs/{account}/vpcflowlogs/{region}/{moment:%Y/%m/%d}/{name}.log.gz"


def cloudtrail_document(records: Sequence[str]) -> bytes:
    """The content of a CloudTrail file."""
    return ('{"Records":[' + ",".join(records) + "]}").encode()


def write_gzip(path: Path, content: bytes) -> int:
    """Writes `content` compressed, without a time in the header; returns the size of the file."""
    packed = zlib.compress(content, 6, wbits=31)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed)
    return len(packed)
