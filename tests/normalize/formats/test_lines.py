"""Lines without a header: which of them are records, and where the others stand."""

from trailkeep.core.source import Source, load_sources
from trailkeep.normalize.formats.delimited import read_lines
from trailkeep.normalize.read import read_object
from trailkeep.normalize.recognise import by_lines

SOURCES = load_sources()
S3 = SOURCES["aws_s3_access"]
LINE = (S3.folder / "samples" / "access.log").read_text().splitlines()[0]


def texts(data: bytes, comments: str | None = None, cut: bool = False) -> list[str]:
    return [text for chunk in read_lines(data, comments, cut).chunks for text in chunk.raw.to_pylist()]


def test_every_line_that_is_not_blank_or_a_comment_is_a_record() -> None:
    assert texts(b"one\r\n\n# two\nthree") == ["one", "# two", "three"]
    found = read_lines(b"#Version: 1.0\none\n#Fields: x\n\ntwo\n", "#")
    assert [chunk.raw.to_pylist() for chunk in found.chunks] == [["one", "two"]]
    assert [chunk.numbers.to_pylist() for chunk in found.chunks] == [[0, 1]]
    assert (found.count, found.bad) == (2, [])


def test_bad_lines_keep_their_number_and_place() -> None:
    found = read_lines(b"one\nt\0wo\nthree\nfo", None, cut=True)
    assert texts(b"one\nt\0wo\nthree\nfo", cut=True) == ["one", "three"]
    assert [(bad.position, bad.record_no, bad.reason) for bad in found.bad] == [
        (4, 1, "a line with NUL bytes"),
        (15, 3, "the last line is cut off"),
    ]


def test_bytes_that_are_no_utf8_are_marked() -> None:
    found = read_lines(b"one\ntw\xff\n", None)
    assert (texts(b"one\ntw\xff\n"), found.escaped) == (["one", "tw\\xff"], [1])


def test_an_object_is_recognised_by_its_lines() -> None:
    read = read_object(f"{LINE}\nno such line\n".encode(), "some/file", SOURCES, limit=1 << 20)
    assert (read.kind, read.source, read.count) == ("events", "aws_s3_access", 2)
    unknown = read_object(b"no such line\n", "some/file", SOURCES, limit=1 << 20)
    assert (unknown.kind, unknown.source) == ("unknown", None)


def test_a_source_to_be_tried_last_is_tried_last() -> None:
    general = Source.model_validate(
        {**S3.model_dump(exclude={"shape"}), "name": "a", "pattern": "(?P<all>.+)", "recognise": {"last": True}}
    )
    assert by_lines([LINE], [general, S3]) is S3
    assert by_lines(["anything"], [general, S3]) is general


def test_a_record_may_have_several_lines() -> None:
    data = b"lost\n# a\nx\r\n\ny\n# b\n# c\nz\n\n"
    found = read_lines(data, None, begins="# ")
    assert [text for chunk in found.chunks for text in chunk.raw.to_pylist()] == [
        "lost",
        "# a\nx\r\n\ny",
        "# b",
        "# c\nz",
    ]
    assert found.count == 4
    assert texts(b"# a\n\x01\n\x02# b") == ["# a", "\x01", "\x02# b"]
    assert read_lines(b"# a\n\x01\n# b", None, begins="# ").chunks[0].raw.to_pylist() == ["# a\n\x01", "# b"]


def test_a_source_is_recognised_by_records_of_several_lines() -> None:
    several = Source.model_validate(
        {**S3.model_dump(exclude={"shape"}), "pattern": "(?P<all># .+\nx)", "begins": "# ", "recognise": {"line": "a"}}
    )
    assert by_lines(["# a", "x"], [several]) is several
    assert by_lines(["# a", "# b"], [several]) is None
    assert by_lines(["# b", "x"], [several]) is None
