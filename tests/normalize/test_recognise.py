"""Which source an object belongs to: by its key, by its fields, and what is not taken for one."""

import pytest

from tests.normalize.events import HEADER, LINE, event
from trailkeep.core.source import SHIPPED, Source, load_source
from trailkeep.normalize import recognise

ACCOUNT = "111122223333"
ALL_TGW = next(iter(load_source(SHIPPED / "aws_tgw_flow").headless.values()))
PASSED = f"6 TransitGateway {ACCOUNT} tgw-0a1b tgw-attach-0a1b {'- ' * 20}OK IPv4{' -' * 9}"
TGW = "version account-id tgw-id tgw-attachment-id srcaddr dstaddr srcport dstport bytes start end log-status"


@pytest.mark.parametrize(
    ("key", "source"),
    [
        (f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2024/03/01/x.json.gz", "aws_cloudtrail"),
        (
            f"logs/AWSLogs/o-a1b2c3/{ACCOUNT}/CloudTrail-Insight/us-east-1/2024/03/01/x.json.gz",
            "aws_cloudtrail",
        ),
        (f"{ACCOUNT}_CloudTrail_us-east-1_20240301T1205Z_AbCdEfGhIjKlMnOp.json", "aws_cloudtrail"),
        (f"AWSLogs/{ACCOUNT}/vpcflowlogs/us-east-1/2024/03/01/x.log.gz", "aws_vpc_flow"),
        (f"{ACCOUNT}_vpcflowlogs_us-east-1_fl-0a1b_20240301T1205Z_ab12cd34.log.gz", "aws_vpc_flow"),
        ("notes/cloudtrail.json", None),
        ("", None),
    ],
)
def test_by_key(sources: dict[str, Source], key: str, source: str | None) -> None:
    found = recognise.by_key(key, sources)
    assert (found.name if found else None) == source


@pytest.mark.parametrize(
    ("names", "source"),
    [
        (event().keys(), "aws_cloudtrail"),
        (["eventID", "eventType", "eventTime", "insightDetails"], "aws_cloudtrail"),
        (HEADER.split(), "aws_vpc_flow"),
        (["interface-id", "action", "bytes"], "aws_vpc_flow"),
        (TGW.split(), "aws_tgw_flow"),
        (
            ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"],
            None,
        ),
        (["eventVersion", "eventSource", "awsRegion", "eventTime", "eventName", "userIdentity", "s3"], None),
        (["messageType", "owner", "logGroup", "logStream", "logEvents"], None),
        ([], None),
    ],
)
def test_by_fields(sources: dict[str, Source], names: list[str], source: str | None) -> None:
    found = recognise.by_fields(names, sources.values())
    assert (found.name if found else None) == source


def test_digest() -> None:
    assert recognise.is_digest(["awsAccountId", "digestS3Object", "logFiles"])
    assert not recognise.is_digest(event().keys())
    assert recognise.is_digest_key(f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/us-east-1/2024/03/01/x.json.gz")


@pytest.mark.parametrize(
    ("line", "header"),
    [
        (LINE.format(1), HEADER),
        ("2 111122223333 eni-0a1b - - - - - - - 170 171 - NODATA", HEADER),
        ("2 unknown eni-0a1b - - - - - - - 170 171 - SKIPDATA", HEADER),
        ("5 111122223333 eni-0a1b - - - - - - - 170 171 - NODATA", None),
        (LINE.format(1) + " more", None),
        ("2 a b c d e f g h i j k l OK", None),
        (PASSED, ALL_TGW),
        (PASSED.replace("OK", "SKIPDATA"), ALL_TGW),
        (PASSED + " -", None),
        (PASSED.replace("TransitGateway", "VPC"), None),
    ],
)
def test_a_line_without_a_header(sources: dict[str, Source], line: str, header: str | None) -> None:
    delimited = [source for source in sources.values() if source.format == "delimited"]
    assert recognise.default_header(line, delimited) == header
    assert not header or len(header.split(" ")) == len(line.split(" "))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04...", "a zip archive"),
        (b"\x28\xb5\x2f\xfd", "zstd data"),
        (b"\xff\xfe{\0", "UTF-16 text"),
        (b"\n hello\xff world\nmore", "begins with 'hello\ufffd world'"),
    ],
)
def test_seen(data: bytes, words: str) -> None:
    assert recognise.seen(data) == words
