"""Whole documents: every shape they come in, and that what counts as good is good for the engine too."""

import json

import duckdb
import msgspec
import pytest

from tests.normalize.events import event, event_json, trail
from trailkeep.core.source import load_sources
from trailkeep.normalize.formats import json_records
from trailkeep.normalize.formats.json_records import is_utf8, read_json, top_fields
from trailkeep.normalize.formats.json_salvage import JsonRecords
from trailkeep.normalize.read import read_object, to_table

A, B, C = event_json(1), event_json(2), event_json(3)
PRETTY = json.dumps(event(4), indent=4).encode()


def read(data: bytes) -> JsonRecords:
    return read_json(data, ["Records"], lambda raw: {"eventName", "eventSource"} <= top_fields(raw))


def texts(found: JsonRecords) -> list[bytes]:
    return [bytes(memoryview(raw)) for raw in found.raws]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (trail(A, B), [A, B]),
        (b' {\n "Records" : [ ' + A + b" ,\r\n" + B + b" ] }\n\n", [A, B]),
        (b"\xef\xbb\xbf" + trail(A), [A]),
        (b"[" + A + b", " + B + b"]", [A, B]),
        (A, [A]),
        (PRETTY, [PRETTY]),
        (A + b"\n" + B + b"\n", [A, B]),
        (A + b"\r\n\r\n" + B, [A, B]),
        (A + B + C, [A, B, C]),
        (PRETTY + b"\n" + PRETTY, [PRETTY, PRETTY]),
    ],
)
def test_valid_documents_are_split_natively(
    data: bytes, expected: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(json_records, "salvage")
    found = read(data)
    assert (texts(found), found.numbers, found.bad) == (expected, None, [])


@pytest.mark.parametrize("data", [trail(), b"[]", b'{"Records": [ ]}\n'])
def test_no_records(data: bytes) -> None:
    assert read(data) == JsonRecords([])


def test_files_joined_after_each_other() -> None:
    found = read(trail(A, B) + b"\n" + trail(C) + b"[" + A + b"]")
    assert (texts(found), found.numbers, found.bad) == ([A, B, C, A], [0, 1, 2, 3], [])


def test_non_ascii_text_is_good() -> None:
    record = json.dumps(event(1, userAgent="Größe 😀"), ensure_ascii=False).encode()
    assert texts(read(trail(record))) == [record]


def test_members_that_are_no_objects() -> None:
    found = read(trail(A, b"5", b'"x"', b"null", b"[1]", B))
    assert (texts(found), found.numbers) == ([A, B], [0, 5])
    assert [(bad.record_no, bad.reason, bad.data) for bad in found.bad] == [
        (n, "not a JSON object", data) for n, data in enumerate([b"5", b'"x"', b"null", b"[1]"], 1)
    ]


@pytest.mark.parametrize("tail", [b',"more":1}', b',"more":[' + B + b"]}", b',"Records":[' + B + b"]}"])
def test_nothing_beside_the_records_is_dropped(tail: bytes) -> None:
    found = read(trail(A)[:-1] + tail)
    heads = [head.encode() for _, head in found.heads if head]
    kept = b"".join(texts(found) + [bad.data for bad in found.bad] + heads)
    assert texts(found)[0] == A
    assert bool(found.bad) == (tail != b',"more":1}')
    assert all(part in kept for part in (b'"more"' if b"more" in tail else b"Records", B if B in tail else b":1"))


@pytest.mark.parametrize(
    "data", [b'{"x":[],"Records":[%s],"next":null}', b'{ "x":[], "Records" : [%s] , "next":null }\n']
)
def test_fields_beside_the_records_of_an_answer_are_their_head(data: bytes) -> None:
    found = read(data % A)
    assert (texts(found), found.bad, found.heads) == ([A], [], [(0, '{"x":[],"next":null}')])


def test_an_answer_with_a_name_that_comes_again_is_walked() -> None:
    found = read(b'{"x":1,"Records":[%s],"y":2,"Records":[%s]}' % (A, B))
    assert (texts(found), bool(found.bad)) == ([A, B], True)


NASTY = [
    b'{"a":"\\ud800"}', b'{"a":"\\udc00"}', b'{"a":"\\ud800\\u0041"}', b'{"a":"\\x"}', b'{"a":"\\u12g4"}',
    b'{"a":"\\u0000"}', b'{"a":"\0"}', b'{"a":"\x01"}', b'{"a":"\t"}', b'{"a":"\x7f"}', b'{"a":"\xff"}',
    b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xf4\x90\x80\x80"}', b'{"a":"\xe2\x82"}',
    b'{"a":"\xef\xbf\xbe"}', b'{"a":01}', b'{"a":-0}', b'{"a":1.}', b'{"a":.5}', b'{"a":+1}', b'{"a":1e}',
    b'{"a":1e999}', b'{"a":' + b"9" * 400 + b"}", b'{"a":' + b"9" * 5000 + b"}",
    b'{"a":1.' + b"1" * 2000 + b"}",
    b'{"a":NaN}', b'{"a":Infinity}', b'{"a":1,}', b'{"a":[1,]}', b'{"a":1,"a":2}', b'{"a":1/*x*/}',
    b"{'a':1}",
    b'{"a":\x0c1}', b'{"a":\xc2\xa01}', b'{"a":truex}', b"{1:2}", b'{"a":-}', b'{"\\ud800":1}',
    b'{"\\u0000":1}',
    b'{"":1}', b'{"a":' + b"[" * 800 + b"]" * 800 + b"}", b'{"a":' + b'{"a":' * 800 + b"1" + b"}" * 801,
    b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"a" "b"}', b'{"a":tru}', b"{}",
    b'{"a":"' + b"x" * 10**6 + b'"}',
]  # fmt: skip


@pytest.mark.parametrize("record", NASTY)
@pytest.mark.parametrize("way", ["fast", "walked"])
def test_a_good_record_is_good_for_the_engine(record: bytes, way: str) -> None:
    """DuckDB's parser accepts and transforms whatever is handed on as good; neighbours are never harmed."""
    found = read(trail(A, record, B) if way == "fast" else trail(A, record, B)[:-2])
    good = texts(found)
    assert good[0] == A and good[-1] == B
    whole = b"".join(good + [bad.data for bad in found.bad])
    assert record in whole
    for text in good:
        valid = duckdb.execute("SELECT json_valid($1)", [text.decode()]).fetchone()
        duckdb.execute('SELECT json_transform($1, \'{"a":"JSON"}\')', [text.decode()]).fetchall()
        assert valid == (True,)
        msgspec.json.decode(text, type=msgspec.Raw)


@pytest.mark.parametrize(
    ("data", "valid"),
    [(b"", True), (b"abc", True), ("é😀".encode(), True), (b"\xff", False), (b"a\xc3", False)],
)
def test_is_utf8(data: bytes, valid: bool) -> None:
    assert is_utf8(data) is valid


def test_plain_values_may_stand_before_the_array_of_an_envelope() -> None:
    records = read_json(b'{"version": "1.0", "n": 1, "Records": [{"a": 1}, {"a": "]"}]}', ["Records"], lambda raw: True)
    assert [bytes(raw) for raw in records.raws] == [b'{"a": 1}', b'{"a": "]"}']
    assert records.bad == []
    assert records.heads == [(0, '{"version": "1.0", "n": 1}')]


def test_what_stands_beside_records_belongs_to_the_records_of_its_envelope() -> None:
    one, two = b'{"v": 1, "Records": [{"a": 1}]}', b'{"v": "2", "Records": [{"a": 2}, {"a": oops}, {"a": 3}]}'
    records = read_json(one + two + b'{"a": 4}', ["Records"], lambda raw: b"a" in bytes(raw))
    assert [bytes(raw) for raw in records.raws] == [b'{"a": 1}', b'{"a": 2}', b'{"a": 3}', b'{"a": 4}']
    assert records.heads == [(0, '{"v": 1}'), (1, None), (1, '{"v": "2"}'), (3, None)]
    sources = load_sources()
    item = '{"configurationItemCaptureTime":"2026-09-01T10:00:00Z","resourceType":"t","resourceId":"%s","awsRegion":'
    item += '"r","configuration":{}}'
    text = '{"fileVersion":"1.0","configurationItems":[' + item % "a" + "]}" + item % "b"
    read = read_object(text.encode(), "file", sources, limit=1 << 20)
    table = to_table(read, "0", None)
    assert table["raw_data"].to_pylist() == [item % "a", item % "b"]
    assert table["raw_format"].to_pylist() == ['{"fileVersion":"1.0"}', None]
    assert table["record_no"].to_pylist() == [0, 1]
