"""Messages come out of a connection as they went in, however they are framed and wherever the network cuts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailkeep.collect.syslog_frames import CUT, ESCAPED, UNFINISHED, UNFRAMED, Frames, Message, message

TEXTS = st.lists(st.text("<>1 ab\té\N{SNOWMAN}", min_size=1, max_size=30).map(lambda text: "<13>" + text), max_size=8)


def fed(data: bytes, limit: int = 100, cuts: list[int] | None = None) -> list[Message]:
    frames, found, start = Frames(limit), [], 0
    for end in [*sorted(cuts or []), len(data)]:
        found += frames.feed(data[start:end])
        start = max(start, end)
    return found + frames.end()


@given(TEXTS, st.lists(st.integers(0, 400)), st.sampled_from([b"", b"\n", b"\r\n"]))
def test_octet_counting(texts: list[str], cuts: list[int], end: bytes) -> None:
    """`\\n` stands inside the count, as rsyslog writes it, or nowhere."""
    data = b"".join(b"%d %s%s" % (len(text.encode()) + len(end), text.encode(), end) for text in texts)
    assert fed(data, 200, cuts) == [Message(text) for text in texts]


@given(TEXTS, st.lists(st.integers(0, 400)), st.sampled_from([b"\n", b"\r\n", b"\0\n"]))
def test_lines(texts: list[str], cuts: list[int], end: bytes) -> None:
    data = b"".join(text.encode() + end for text in texts)
    assert fed(data, 200, cuts) == [Message(text) for text in texts]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_where_the_network_cuts_does_not_matter(data: bytes, cuts: list[int]) -> None:
    assert fed(data, 20, cuts) == fed(data, 20)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n\n\r\n", []),
        (b"<1>a\n<1>b", [Message("<1>a"), Message("<1>b", (UNFINISHED,))]),
        (b"4 <1>a9 <1>b", [Message("<1>a"), Message("<1>b", (UNFINISHED,))]),
        (b"4 <1>a12", [Message("<1>a"), Message("12", (UNFINISHED,))]),
        (b"4 <1>a\n4 <1>b\n", [Message("<1>a"), Message("<1>b")]),
        (b"6 <1>a\nb4 <1>c", [Message("<1>a\nb"), Message("<1>c")]),
        (b"3 <1>a<1>b\n4 <1>c\n", [Message("<1>"), Message("a<1>b", (UNFRAMED,)), Message("4 <1>c")]),
        (b"0123456789abc\nx\n", [Message("0123456789", (CUT,)), Message("x")]),
        (b"0123456789\nx\n", [Message("0123456789"), Message("x")]),
        (b"13 0123456789abc3 xyz", [Message("0123456789", (CUT,)), Message("xyz")]),
        (b"0123456789abc", [Message("0123456789", (CUT,))]),
        (b"2026-11-25 a\n", [Message("2026-11-25", (CUT,))]),
        (b"<1>\xff\xc3\n", [Message("<1>\\xff\\xc3", (ESCAPED,))]),
        ("<1>é".encode(), [Message("<1>é", (UNFINISHED,))]),
    ],
)
def test_odd_ones(data: bytes, expected: list[Message]) -> None:
    assert fed(data, 10) == expected
    assert fed(data, 10, list(range(len(data)))) == expected


def test_a_message_is_without_its_end_and_in_utf8() -> None:
    assert message(b"<1>a\r\n") == Message("<1>a")
    assert message(b"\xe9t\xc3\xa9", CUT) == Message("\\xe9té", (CUT, ESCAPED))
