"""Lines under a header: good ones as they are, others set aside, whatever the ends of the lines."""

from hypothesis import given
from hypothesis import strategies as st

from tests.normalize.events import HEADER, LINE, flow
from trailkeep.normalize.formats import delimited
from trailkeep.normalize.formats.delimited import Lines, first_lines, names_only, read_delimited

ONE, TWO, THREE = LINE.format(1), LINE.format(2), LINE.format(3)
SHORT = "account-id srcaddr dstaddr"


def read(data: bytes, header: str | None = None, cut: bool = False) -> Lines:
    return read_delimited(data, header, lambda line: names_only(line) and "srcaddr" in line, cut)


def good(lines: Lines) -> list[tuple[int, str, str | None]]:
    return [
        (number, text, chunk.raw_format)
        for chunk in lines.chunks
        for number, text in zip(chunk.numbers.to_pylist(), chunk.raw.to_pylist(), strict=True)
    ]


def bad(lines: Lines) -> list[tuple[int, int | None, bytes]]:
    return [(piece.position, piece.record_no, piece.data) for piece in lines.bad]


def test_lines_under_a_header() -> None:
    lines = read(flow(HEADER, ONE, TWO))
    assert good(lines) == [(0, ONE, HEADER), (1, TWO, HEADER)]
    assert (lines.bad, lines.escaped, lines.count) == ([], [], 2)


def test_line_ends_and_blank_lines_do_not_matter() -> None:
    data = flow(HEADER, "", ONE, "", TWO)
    for variant in (data, data.rstrip(), data.replace(b"\n", b"\r\n"), b"\n" + data + b"\n\n"):
        assert good(read(variant)) == [(0, ONE, HEADER), (1, TWO, HEADER)]


def test_no_header_line() -> None:
    assert good(read(flow(ONE), header=HEADER)) == [(0, ONE, HEADER)]


def test_header_again_and_another_header() -> None:
    lines = read(flow(HEADER, ONE, HEADER, TWO, SHORT, "1 2 3", TWO, HEADER, THREE))
    assert good(lines) == [(0, ONE, HEADER), (1, TWO, HEADER), (2, "1 2 3", SHORT), (4, THREE, HEADER)]
    assert [(piece.record_no, piece.reason) for piece in lines.bad] == [
        (3, "a line with 14 fields where the header names 3")
    ]


def test_wrong_number_of_fields() -> None:
    for end in (b"\n", b"\r\n"):
        data = flow(HEADER, ONE, "", "2 x", TWO, ONE + " more").replace(b"\n", end)
        lines = read(data)
        assert good(lines) == [(0, ONE, HEADER), (2, TWO, HEADER)]
        assert bad(lines) == [
            (data.index(b"2 x"), 1, b"2 x"),
            (data.index(b" more") - len(ONE), 3, (ONE + " more").encode()),
        ]
        assert lines.bad[0].reason == "a line with 2 fields where the header names 14"


def test_lines_before_any_header() -> None:
    lines = read(flow("\0\0", ONE, HEADER, TWO))
    assert good(lines) == [(2, TWO, HEADER)]
    assert [piece.reason for piece in lines.bad] == [
        "a line with NUL bytes",
        "a line without a header line above it",
    ]


def test_nul_bytes() -> None:
    broken = ONE.replace("eni", "e\0i")
    lines = read(flow(HEADER, TWO, broken))
    assert good(lines) == [(0, TWO, HEADER)]
    assert bad(lines) == [(len(flow(HEADER, TWO)), 1, broken.encode())]
    assert lines.bad[0].reason == "a line with NUL bytes"


def test_invalid_utf8_is_kept_as_xnn_and_marked() -> None:
    data = flow(HEADER, ONE, TWO, THREE).replace(b"50002", b"50\xff02\xc3")
    lines = read(data)
    assert good(lines) == [
        (0, ONE, HEADER),
        (1, TWO.replace("50002", r"50\xff02\xc3"), HEADER),
        (2, THREE, HEADER),
    ]
    assert lines.escaped == [1]
    assert lines.bad == []


def test_valid_utf8_is_kept_as_it_is() -> None:
    line = ONE.replace("ACCEPT", "ÄCCEPT")
    lines = read(flow(HEADER, line))
    assert (good(lines), lines.escaped) == ([(0, line, HEADER)], [])


def test_a_cut_last_line_is_bad_even_if_its_fields_count() -> None:
    data = flow(HEADER, ONE) + TWO[:-1].encode()
    assert good(read(data))[1][1] == TWO[:-1]
    lines = read(data, cut=True)
    assert good(lines) == [(0, ONE, HEADER)]
    assert bad(lines) == [(len(flow(HEADER, ONE)), 1, TWO[:-1].encode())]
    assert read(data + b"\n", cut=True).bad == []


def test_pieces() -> None:
    """A large file is read in pieces that never part a line."""
    texts = [LINE.format(n) for n in range(200)]
    data = flow(HEADER, *texts[:99], "wrong line", *texts[99:])
    for size in (1, 100, 1000, len(data) - 1, len(data)):
        delimited.CHUNK_BYTES, before = size, delimited.CHUNK_BYTES
        try:
            lines = read(data)
        finally:
            delimited.CHUNK_BYTES = before
        assert [text for _, text, _ in good(lines)] == texts
        assert [number for number, _, _ in good(lines)] == [n for n in range(201) if n != 99]
        assert bad(lines) == [(data.index(b"wrong line"), 99, b"wrong line")]


def test_first_lines() -> None:
    assert list(first_lines(b"\n \na\r\nb\xff\nc", 2)) == ["a", "b\\xff"]
    assert list(first_lines(b"", 2)) == []


@given(
    st.lists(
        st.one_of(st.just(HEADER), st.just(SHORT), st.just(ONE), st.text(max_size=9), st.binary(max_size=9))
    )
)
def test_every_line_is_somewhere(parts: list[str | bytes]) -> None:
    data = b"\n".join(part if isinstance(part, bytes) else part.encode() for part in parts)
    lines = read(data)
    for piece in lines.bad:
        assert data[piece.position : piece.position + len(piece.data)] == piece.data
    numbers = sorted([n for n, _, _ in good(lines)] + [piece.record_no or 0 for piece in lines.bad])
    assert numbers == list(range(lines.count))
    wanted = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    assert lines.count == sum(1 for line in wanted if line and line not in (HEADER.encode(), SHORT.encode()))
