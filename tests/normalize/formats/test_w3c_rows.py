"""Lines under `#Fields:` as JSON records, and CloudFront's logs with fields of one's choice."""

import json
from collections.abc import Mapping

from trailkeep.core.source import Source
from trailkeep.normalize.formats.w3c_rows import field_names, read_w3c
from trailkeep.normalize.read import read_object

CHOSEN = (
    b"#Version: 1.0\n#Fields: date time x-edge-location c-ip cs(User-Agent) sc-status cs-uri-stem x-edge-result-type\n"
)
LINE = b"2026-09-14\t13:20:31\tFRA56-P1\t192.0.2.91\tcurl/8 %s\t200\t/a\tHit\n"


def records(data: bytes, cut: bool = False) -> list[dict[str, str]]:
    return [json.loads(text) for chunk in read_w3c(data, cut).chunks for text in chunk.raw.to_pylist()]


def test_names() -> None:
    assert field_names(CHOSEN)[:2] == ["date", "time"]
    assert field_names(b"\xef\xbb\xbf#Fields: a b\n1 2\n") == ["a", "b"]
    assert field_names(b"1 2\n#Fields: a b\n") == field_names(b"#Version: 1.0\n") == []


def test_rows_under_several_headers() -> None:
    data = b"#Fields: a b\n1\t-\n1 2\n#Fields: c\nx\n\n"
    assert records(data) == [{"a": "1"}, {"a": "1", "b": "2"}, {"c": "x"}]


def test_what_is_no_row_is_kept_with_its_place() -> None:
    read = read_w3c(b"#Fields: a b\n1 2 3\n\x00 2\n\xff 2\n1 2", cut=True)
    assert [(each.position, each.record_no, each.reason, each.data) for each in read.bad] == [
        (13, 0, "a line with 3 fields where #Fields names 2", b"1 2 3"),
        (19, 1, "a line with NUL bytes", b"\x00 2"),
        (27, 3, "the last line is cut off", b"1 2"),
    ]
    assert read.escaped == [2]
    assert read.chunks[0].raw.to_pylist() == ['{"a":"\\\\xff","b":"2"}']


def test_cloudfront_with_chosen_fields(sources: Mapping[str, Source]) -> None:
    read = read_object(CHOSEN + LINE % b"x" + LINE % b"y", "E1.2026-09-14-13.abcdef12.log", sources, limit=10**6)
    assert (read.source, read.count, read.bad) == ("aws_cloudfront_json", 2, [])
