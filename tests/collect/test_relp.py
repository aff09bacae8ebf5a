"""RELP as librelp speaks it, byte by byte; rsyslog itself is in test_syslog.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailkeep.collect.relp import Session
from trailkeep.collect.syslog_frames import CUT, Message
from trailkeep.core.errors import InputError

OFFERS = b"relp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog"
OPEN = b"1 open %d %s\n" % (len(OFFERS), OFFERS)
OPENED = b"200 OK\nrelp_version=0\nrelp_software=trailkeep\ncommands=syslog"
TALK = OPEN + b"2 syslog 6 <1>a\nb\n3 syslog 4 <1>c\n4 close 0\n"


def talk(data: bytes, cuts: list[int], limit: int = 100) -> tuple[list[Message], bytes, bool]:
    session, start = Session(limit), 0
    messages: list[Message] = []
    answer, over = b"", False
    for end in [*sorted(cuts), len(data)]:
        step = session.feed(data[start:end])
        start = max(start, end)
        messages += step.messages
        answer += step.answer
        over |= step.over
    return messages, answer, over


@given(st.lists(st.integers(0, len(TALK))))
def test_a_talk(cuts: list[int]) -> None:
    messages, answer, over = talk(TALK, cuts)
    assert messages == [Message("<1>a\nb"), Message("<1>c")]
    assert answer == (
        b"1 rsp %d %s\n2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 0\n0 serverclose 0\n" % (len(OPENED), OPENED)
    )
    assert over


def test_a_message_is_answered_only_once_it_is_whole() -> None:
    session = Session(100)
    session.feed(OPEN)
    assert session.feed(b"2 syslog 4 <1>").answer == b""
    assert session.feed(b"a").answer == b""
    assert session.feed(b"\n").answer == b"2 rsp 6 200 OK\n"


@given(st.lists(st.integers(80, 160)))
def test_a_long_message_is_cut(cuts: list[int]) -> None:
    messages, answer, _ = talk(OPEN + b"2 syslog 30 " + b"x" * 30 + b"\n3 syslog 4 <1>c\n", cuts, 10)
    assert messages == [Message("x" * 10, (CUT,)), Message("<1>c")]
    assert answer.endswith(b"2 rsp 6 200 OK\n3 rsp 6 200 OK\n")


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\n", b"x" * 60, b"1 open\n", b"1 open 3 abcd\n", b"1 syslog 5\n<1>a\n", b"\x16\x03\x01" * 20],
)
def test_what_is_no_relp(data: bytes) -> None:
    with pytest.raises(InputError, match="no frame of RELP"):
        Session(100).feed(data)


def test_commands_that_are_refused() -> None:
    assert talk(b"1 syslog 4 <1>a\n", [])[:2] == ([], b"1 rsp 32 500 unknown command, or not open\n")
    _, answer, over = talk(b"1 open 14 relp_version=0\n", [])
    assert answer.startswith(b"1 rsp ") and b"500" in answer and over
