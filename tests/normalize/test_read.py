"""Objects as they come: every shape, every damage, every wrong name, with what is read and what is said."""

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.normalize.events import HEADER, LINE, event, event_json, flow, trail
from trailkeep.core.errors import InputError
from trailkeep.core.source import Source
from trailkeep.normalize.read import ObjectRecords, key_time, read_object, sha256s

A, B = event_json(1), event_json(2)
ONE, TWO = LINE.format(1), LINE.format(2)
FOLDER = "AWSLogs/111122223333/CloudTrail/us-east-1/2024/03/01"
DELIVERED = f"{FOLDER}/111122223333_CloudTrail_us-east-1_20240301T1205Z_x.json.gz"
FLOW_KEY = "AWSLogs/111122223333/vpcflowlogs/us-east-1/2024/03/01/x.log.gz"

Read = Callable[..., ObjectRecords]


@pytest.fixture(scope="session")
def read(sources: Mapping[str, Source]) -> Read:
    def read_one(data: bytes, key: str = "file", source: str | None = None, limit: int = 10**8) -> ObjectRecords:
        return read_object(data, key, sources, source=source, limit=limit)

    return read_one


def texts(records: ObjectRecords) -> list[bytes]:
    return [text.encode() for chunk in records.chunks for text in chunk.raw.to_pylist()]


def test_a_delivered_file(read: Read) -> None:
    data = gzip.compress(trail(A, B))
    records = read(data, DELIVERED)
    assert (records.source, records.kind, records.reason, records.bad) == ("aws_cloudtrail", "events", "", [])
    assert texts(records) == [A, B]
    assert (records.count, records.stored_size, records.size) == (2, len(data), len(trail(A, B)))
    assert records.sha256 == hashlib.sha256(trail(A, B)).hexdigest()
    assert sha256s(records) == hashlib.sha256(A).digest() + hashlib.sha256(B).digest()
    assert records.chunks[0].raw_format is None


@pytest.mark.parametrize("key", ["file", "notes.txt", "x.log.gz", "x.parquet", FLOW_KEY, DELIVERED])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_content_decides_whatever_the_name(read: Read, key: str, pack: Callable[[bytes], bytes]) -> None:
    pretty = json.dumps([event(1)], indent=2).encode()
    for data, source, count in [
        (trail(A, B), "aws_cloudtrail", 2),
        (b"[" + A + b"]", "aws_cloudtrail", 1),
        (A, "aws_cloudtrail", 1),
        (A + b"\n" + B, "aws_cloudtrail", 2),
        (A + B, "aws_cloudtrail", 2),
        (pretty, "aws_cloudtrail", 1),
        (flow(HEADER, ONE, TWO), "aws_vpc_flow", 2),
        (flow(ONE, TWO), "aws_vpc_flow", 2),
        (flow("action interface-id start", "ACCEPT eni-1 1"), "aws_vpc_flow", 1),
    ]:
        records = read(pack(data), key)
        assert (records.source, records.kind, records.count, records.bad) == (source, "events", count, [])


def test_flow_lines_carry_their_header(read: Read) -> None:
    assert [chunk.raw_format for chunk in read(flow(HEADER, ONE)).chunks] == [HEADER]
    assert [chunk.raw_format for chunk in read(flow(ONE)).chunks] == [HEADER]


def test_parquet(read: Read) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"interface_id": ["eni-1"], "srcaddr": ["10.0.0.1"], "dstaddr": [None]}), sink)
    records = read(bytes(sink.getvalue()), "x.log.gz")
    assert (records.source, records.count) == ("aws_vpc_flow", 1)
    assert texts(records) == [b"eni-1 10.0.0.1 -"]
    assert records.chunks[0].raw_format == "interface-id srcaddr dstaddr"
    other = pa.BufferOutputStream()
    pq.write_table(pa.table({"api_id": ["x"]}), other)
    assert read(bytes(other.getvalue())).reason == "not recognised: a Parquet file with the columns api_id"
    rows = pa.BufferOutputStream()
    pq.write_table(pa.table({"api_id": ["x", "y"], "request_id": ["1", "2"], "stage": ["a b", None]}), rows)
    records = read(bytes(rows.getvalue()), "rows.parquet")
    assert (records.source, records.count) == ("aws_apigateway_access", 2)
    assert texts(records)[1] == b'{"api_id":"y","request_id":"2","stage":null}'
    with pytest.raises(InputError, match=r"^flow\.parquet: a damaged Parquet file: "):
        read(bytes(sink.getvalue())[:-20], "flow.parquet")


@pytest.mark.parametrize("key", ["x.json", DELIVERED])
def test_digest_files_are_no_events(read: Read, key: str) -> None:
    digest = b'{"awsAccountId":"111122223333","digestS3Object":"k","logFiles":[{"s3Object":"a"}]}'
    records = read(gzip.compress(digest), key)
    assert (records.source, records.kind, records.count, records.bad) == ("aws_cloudtrail", "digest", 0, [])
    broken = read(digest[:-9], DELIVERED.replace("/CloudTrail/", "/CloudTrail-Digest/"))
    assert (broken.kind, len(broken.bad)) == ("digest", 1)


@pytest.mark.parametrize(
    "data", [b"", b" \r\n", gzip.compress(b"", mtime=0), trail(), b"[]", b"\xef\xbb\xbf", flow(HEADER)]
)
@pytest.mark.parametrize("key", ["file", DELIVERED])
def test_nothing_in_it(read: Read, data: bytes, key: str) -> None:
    records = read(data, key)
    assert (records.kind, records.reason, records.count, records.bad) == ("empty", "holds no records", 0, [])


NOTIFICATION = b'{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":"t",\
"eventName":"ObjectCreated:Put","userIdentity":{"principalId":"x"},"s3":{}}]}'
OTHER = flow("version account-id thing-id srcaddr dstaddr bytes", "6 111122223333 thing-1 10.0.0.1 10.0.0.2 9")


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (NOTIFICATION, "JSON records of no known source, with the fields awsRegion, eventName, "),
        (b'{"Messages":[{"Body":"{\\"a\\":1}"}]}', "in envelopes, a JSON record with the fields a"),
        (b'{"Messages":[{"Body":"x"}]}', "in envelopes, begins with 'x'"),
        (OTHER, "begins with 'version account-id thing-id srcaddr dstaddr bytes'"),
        (b"hello world", "begins with 'hello world'"),
        (b"\x89PNG\r\n\0\0", "begins with '\ufffdPNG'"),
        (b"PK\x03\x04x", "a zip archive"),
        (b"[5, 6]", "no JSON record can be read; it begins with '[5, 6]'"),
        (b'{"a":1}', "JSON records of no known source, with the fields a"),
        (bytes(1000), "begins with '\\x00\\x00"),
    ],
)
def test_not_recognised(read: Read, data: bytes, seen: str) -> None:
    records = read(data, "file")
    assert (records.source, records.kind, records.count, records.bad) == (None, "unknown", 0, [])
    assert records.reason.startswith(f"not recognised: {seen}")
    if data[:1] in b"{h\x89":
        named = read(data, DELIVERED)
        assert named.kind == "unknown"
        assert "the name says aws_cloudtrail, but the content does not" in named.reason


def test_a_forced_source(read: Read) -> None:
    odd = b'{"eventName":"x"}'
    assert read(odd).kind == "unknown"
    assert texts(read(odd, source="aws_cloudtrail")) == [odd]
    assert texts(read(flow(HEADER, ONE), DELIVERED, source="aws_vpc_flow")) == [ONE.encode()]
    for data, source in [(b"hello", "aws_cloudtrail"), (b"hello", "aws_vpc_flow"), (A, "aws_vpc_flow")]:
        try:
            records = read(data, "file", source=source)
        except InputError as error:
            assert str(error).startswith(f"file: cannot be read as {source}: ")
        else:
            assert (records.count, [bad.data for bad in records.bad]) == (0, [data])


def test_truncated_gzip_of_json(read: Read) -> None:
    events = [event_json(n, noise=hashlib.sha512(b"%d" % n).hexdigest()) for n in range(200)]
    stored = gzip.compress(trail(*events))[:-2000]
    records = read(stored, DELIVERED)
    assert 0 < records.count < 200
    assert texts(records) == events[: records.count]
    damage, cut = records.bad
    assert "truncated" in damage.reason and f"stored byte {len(stored)}" in damage.reason
    assert damage.data == stored
    assert cut.record_no == records.count
    assert events[records.count].startswith(cut.data)
    assert cut.position + len(cut.data) == records.size


def test_truncated_gzip_of_text(read: Read) -> None:
    stored = gzip.compress(flow(HEADER, *(LINE.format(n) for n in range(500))))[:-60]
    records = read(stored, FLOW_KEY)
    assert texts(records) == [LINE.format(n).encode() for n in range(records.count)]
    assert [bad.reason[:21] for bad in records.bad] == ["the gzip data ends to", "the last line is cut "]


def test_bytes_after_the_gzip_data_do_not_cut_the_last_line(read: Read) -> None:
    records = read(gzip.compress(flow(HEADER, ONE).rstrip()) + b"tail", FLOW_KEY)
    assert texts(records) == [ONE.encode()]
    assert [bad.data for bad in records.bad] == [b"tail"]


def test_damaged_objects_are_not_the_same_object(read: Read) -> None:
    """Else the second would pass for a duplicate, and its damaged bytes would be dropped."""
    whole = gzip.compress(trail(A))
    shas = {read(data, DELIVERED).sha256 for data in (whole, whole + b"x", whole + b"y", whole[:12], whole[:13])}
    assert len(shas) == 5
    assert read(trail(A)).sha256 == read(whole).sha256 == read(gzip.compress(trail(A), 1)).sha256


def test_bomb(read: Read) -> None:
    with pytest.raises(InputError, match=r"^bomb\.gz: decompresses to more than 1000000 bytes"):
        read(gzip.compress(bytes(10**7)), "bomb.gz", limit=10**6)


def test_one_bad_record_among_good_ones(read: Read) -> None:
    records = read(gzip.compress(trail(A, b'{"eventName":"x","a":\x00}', B)), DELIVERED)
    assert texts(records) == [A, B]
    assert [n for chunk in records.chunks for n in chunk.numbers.to_pylist()] == [0, 2]
    assert [(bad.record_no, bad.data) for bad in records.bad] == [(1, b'{"eventName":"x","a":\x00}')]


def test_all_records_bad_under_a_telling_name(read: Read) -> None:
    records = read(b'{"Records":[{"eventName":', DELIVERED)
    assert (records.source, records.kind, records.count) == ("aws_cloudtrail", "events", 0)
    assert records.reason == "holds no records that could be read"
    assert len(records.bad) == 1


def test_damage_at_the_very_beginning(read: Read) -> None:
    records = read(b"\0\0\0" + trail(A, B)[3:], DELIVERED)
    assert texts(records) == [A, B]
    assert [bad.position for bad in records.bad] == [
        0,
        len(trail(A, B)) - 2,
    ]  # the brackets now close nothing


def test_a_large_file_is_read_in_chunks(read: Read) -> None:
    big = event_json(1, requestParameters={"noise": "x" * 100_000})
    records = read(trail(*[big] * 400))
    assert records.count == 400
    assert [len(chunk.raw) * len(big) <= 16 * 1024 * 1024 for chunk in records.chunks] == [True] * 3
    flows = read(flow(HEADER, *[ONE] * 400_000))
    assert flows.count == 400_000
    assert len(flows.chunks) == 3


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_to_a_stored_object(read: Read, data: st.DataObject) -> None:
    """Never raises but on purpose; what is good is what was written; what is lost is said."""
    events = [event_json(n) for n in range(5)]
    lines = [LINE.format(n).encode() for n in range(5)]
    plain = data.draw(st.sampled_from([trail(*events), b"\n".join(events), flow(HEADER, *map(bytes.decode, lines))]))
    stored = bytearray(
        data.draw(
            st.sampled_from([plain, gzip.compress(plain), gzip.compress(plain[:700]) + gzip.compress(plain[700:])])
        )
    )
    for _ in range(data.draw(st.integers(0, 2))):
        stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(stored[: data.draw(st.integers(0, len(stored)))])
    records = read(damaged, data.draw(st.sampled_from(["file", DELIVERED, FLOW_KEY])))
    assert records.count == len(texts(records)) == len(sha256s(records)) // 32
    numbers = [n for chunk in records.chunks for n in chunk.numbers.to_pylist()]
    numbers += [bad.record_no for bad in records.bad if bad.record_no is not None]
    assert sorted(numbers) == list(range(len(numbers)))
    if records.kind == "unknown":
        assert records.reason.startswith("not recognised: ")
    elif not records.bad and records.kind == "events" and len(damaged) == len(stored):
        assert records.count == 5


@pytest.mark.parametrize(
    ("key", "time"),
    [
        (DELIVERED, datetime(2024, 3, 1, 12, 5, tzinfo=UTC)),
        ("1_CloudTrail-Digest_us-east-1_20240301T120559Z.json.gz", datetime(2024, 3, 1, 12, 5, tzinfo=UTC)),
        (FLOW_KEY, datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024/03/01/07/x.gz", datetime(2024, 3, 1, 7, tzinfo=UTC)),
        ("a/year=2024/month=03/day=01/hour=07/x.parquet", datetime(2024, 3, 1, 7, tzinfo=UTC)),
        ("a/2024/13/01/x", None),
        ("a/2024/03/x", None),
        ("a_20241301T1205Z_x", None),
        ("", None),
    ],
)  # fmt: skip
def test_key_time(key: str, time: datetime | None) -> None:
    assert key_time(key) == time
