"""Broken documents: each good record is found, each other byte is kept, whatever is done to them."""

import re
import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.normalize.events import event, event_json, trail
from tests.normalize.formats.test_json_records import read, texts
from trailkeep.normalize.formats.json_salvage import JsonRecords

A, B, C = event_json(1), event_json(2), event_json(3)
STRUCTURE = re.compile(rb'([ \t\r\n\x0b\x0c,\[\]{}:]|"Records")*')


def left_over(data: bytes, found: JsonRecords) -> bytes:
    """The bytes that are in no good record and in no bad piece; asserts that none is in two."""
    spans = [(bad.position, bad.position + len(bad.data)) for bad in found.bad]
    base = pa.py_buffer(data).address
    for raw in found.raws:
        buffer = pa.py_buffer(memoryview(raw))
        spans.append((buffer.address - base, buffer.address - base + buffer.size))
    rest, position = [], 0
    for start, end in sorted(spans):
        assert start >= position
        rest.append(data[position:start])
        position = end
    for bad in found.bad:
        assert data[bad.position : bad.position + len(bad.data)] == bad.data
    return b"".join([*rest, data[position:]])


def walk(data: bytes) -> JsonRecords:
    found = read(data)
    if found.numbers is not None:
        assert STRUCTURE.fullmatch(left_over(data, found))
    return found


def bad_of(found: JsonRecords) -> list[tuple[int, int | None, bytes]]:
    return [(bad.position, bad.record_no, bad.data) for bad in found.bad]


def test_truncated_inside_a_record() -> None:
    data = trail(A, B, C)[:-40]
    found = walk(data)
    start = len(trail(A, B)) - 1
    assert texts(found) == [A, B]
    assert bad_of(found) == [(start, 2, data[start:])]
    assert found.bad[0].reason.startswith("invalid JSON: ")


def test_truncated_between_records() -> None:
    data = trail(A, B)[:-2]
    found = walk(data)
    assert texts(found) == [A, B]
    assert bad_of(found) == [(len(data), None, b"")]
    assert "truncated" in found.bad[0].reason


def test_truncated_before_the_first_record() -> None:
    assert bad_of(walk(b'{"Reco')) == [(0, 0, b'{"Reco')]


BREAKS = {
    "lost quote": (b'"eventName":"Create', b'"eventName":Create'),
    "lost closing quote": (b'AccessKey"', b"AccessKey"),
    "lost last quote": (b'2"}', b"2}"),
    "lost brace": (b'{"type"', b'"type"'),
    "lost last brace": (b'000002"}', b'000002"'),
    "lost colon": (b'"awsRegion":', b'"awsRegion"'),
    "NUL bytes": (b"us-east-1", b"us\0\0\0\0\0-1"),
    "NUL between": (b'"awsRegion"', b'\0"awsRegion"'),
    "lone escape": (b"ana", b"a\\xa"),
    "bare word": (b"null", b"nil"),
    "overwritten": (
        b'"IAMUser","arn":"arn:aws:iam::111122223333:user/ana","userName":"ana"},"eventTime":',
        b"\xff" * 70,
    ),
}


@pytest.mark.parametrize("old, new", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("between", [b",", b"\n"])
def test_broken_record_among_good_ones(old: bytes, new: bytes, between: bytes) -> None:
    broken = B.replace(old, new, 1)
    assert broken != B
    data = between.join([A, broken, C, event_json(4)])
    if between == b",":
        data = trail(data)
    found = walk(data)
    assert texts(found) == [A, C, event_json(4)]
    kept = b"".join(bad.data for bad in found.bad)
    assert kept.rstrip(b"}") == broken.rstrip(b"}")
    assert found.bad[0].position == data.index(broken)
    assert found.bad[0].record_no == 1


def test_invalid_utf8_sets_only_its_record_aside() -> None:
    broken = B.replace(b"ana", b"\xe9na", 1)
    data = trail(A, broken, C)
    found = walk(data)
    assert texts(found) == [A, C]
    assert found.numbers == [0, 2]
    assert bad_of(found) == [(data.index(broken), 1, broken)]
    assert found.bad[0].reason == f"invalid UTF-8 (byte {broken.index(0xE9)} of the record)"


def test_a_brace_too_many_harms_no_record() -> None:
    found = walk(trail(A, B + b"}", C))
    assert texts(found) == [A, B, C]
    assert bad_of(found) == [(len(trail(A, B)) - 2, 2, b"}")]


@pytest.mark.parametrize("tail", [b"garbage", b"\0" * 100, b"}", b"]", b"{", b'"x"'])
def test_something_after_the_end(tail: bytes) -> None:
    data = trail(A, B) + tail
    found = walk(data)
    assert texts(found) == [A, B]
    assert bad_of(found) == [(len(data) - len(tail), 2, tail)]


def test_truncated_file_with_another_after_it() -> None:
    found = walk(trail(A, B)[:-30] + trail(C))
    assert texts(found) == [A, C]


@pytest.mark.parametrize("closed", [True, False])
def test_deep_nesting(closed: bool) -> None:
    deep = b'{"eventName":"x","deep":' + b"[" * 100_000 + (b"]" * 100_000 + b"}" if closed else b"")
    found = walk(trail(A, deep, B))
    assert texts(found) == [A, B]
    assert len(found.bad) == 1
    assert found.bad[0].data == deep
    assert "nested too deeply" in found.bad[0].reason


@pytest.mark.parametrize(
    "unit", [b"[", b'{"a":', b'{"a":[', b'[{"a":"', b'{"a":"\\"', b'{"Records":[', b'{"Records":']
)
def test_nothing_but_opening_is_done_in_bounded_time(unit: bytes) -> None:
    started = time.process_time()
    walk(unit * 100_000)
    walk(trail(A) + unit * 100_000)
    assert time.process_time() - started < 10


@settings(deadline=None)
@given(st.data())
def test_any_corruption(data: st.DataObject) -> None:
    """Whatever is overwritten, cut or inserted in one place: all records elsewhere survive."""
    records = [event_json(n) for n in range(6)]
    whole = data.draw(
        st.sampled_from([trail(*records), b"\n".join(records), b"[" + b",\n".join(records) + b"]"])
    )
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 700)))
    filling = data.draw(
        st.one_of(st.binary(max_size=30), st.sampled_from([b'"', b"{", b"}", b"[", b"]", b"\\", b","]))
    )
    damaged = whole[:start] + filling + whole[end:]
    found = walk(damaged)
    before = [r for r in records if whole.index(r) + len(r) < start]
    after = [r for r in records if whole.index(r) > end + len(A)]
    assert [text for text in texts(found) if text in before] == before
    # A cut may join a record to the inside of a later one, which then swallows the rest: kept, not recovered.
    kept = b"".join(texts(found) + [bad.data for bad in found.bad])
    assert all(text in kept for text in after)


def test_no_record_is_taken_from_inside_a_broken_one() -> None:
    """What a caller put into a request must not become an event because the file was cut."""
    outer = event_json(1, requestParameters={"items": [event(8), event(9)], "note": True})
    for cut in range(len(A), len(outer)):
        assert texts(walk(trail(A, outer[:cut])[:-2])) == [A]
        assert texts(walk(trail(A, outer[:cut], B)))[0] == A
