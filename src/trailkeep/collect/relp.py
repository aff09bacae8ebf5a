"""What came over a connection of RELP in, its messages and the answers to them out; rsyslog's reliable protocol.

A frame is `TXNR SP COMMAND SP DATALEN [SP DATA] LF`. A client says `open` and what it offers, then `syslog` for each
message, of which many may be under way, then `close`. Each is answered with `rsp` under its number: `200 OK` for a
message says that it is stored. What is not answered is sent again after the next `open`.

Source: librelp's documentation ("RELP - The Reliable Event Logging Protocol", version 0), and its behaviour.
"""

import re
from dataclasses import dataclass, field

from trailkeep.collect.syslog_frames import CUT, Message, message
from trailkeep.core.errors import InputError

_HEAD = re.compile(rb"(\d{1,9}) ([A-Za-z]{1,32}) (\d{1,9})(?= |\n)")
_HEAD_SIZE = 9 + 1 + 32 + 1 + 9 + 1
_OFFERED = 4096  # most bytes of what a client offers that are looked at
_OFFERS = b"relp_version=0\nrelp_software=trailkeep\ncommands=syslog"


@dataclass
class Step:
    """What to do next: store `messages`, then send `answer`, then close the connection if it is `over`."""

    messages: list[Message] = field(default_factory=list)
    answer: bytes = b""
    over: bool = False


class Session:
    """One connection. Of a message of more than `limit` bytes only the beginning is kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._begun: tuple[bytes, bytes, int] | None = None
        """Number and command of a frame whose head was read, and how many bytes of its data are still to come."""
        self._data = b""
        self._open = False

    def feed(self, data: bytes) -> Step:
        """What `data` asks for. Raises InputError where it is not RELP; what was complete before is in no step then,
        was not answered and comes again.
        """
        self._held += data
        step = Step()
        while not step.over and self._head() and self._body():
            assert self._begun
            number, command, _ = self._begun
            self._begun = None
            self._obey(step, number, command)
        return step

    def _head(self) -> bool:
        """Whether the head of a frame was read."""
        if self._begun:
            return True
        head = _HEAD.match(self._held)
        if head is None:
            if len(self._held) >= _HEAD_SIZE or b"\n" in self._held:
                raise InputError(f"no frame of RELP: {bytes(self._held[:60])!r}")
            return False
        size = int(head[3])
        has_data = self._held[head.end()] == ord(" ")
        if size and not has_data:
            raise InputError("no frame of RELP: its data is missing")
        self._begun = (head[1], head[2], size)
        self._data = b""
        del self._held[: head.end() + has_data]
        return True

    def _body(self) -> bool:
        """Whether all of a frame's data was read; what is more than allowed is passed over."""
        assert self._begun
        number, command, left = self._begun
        taken = min(left, len(self._held))
        room = (self._limit if command == b"syslog" else _OFFERED) + 1 - len(self._data)
        self._data += self._held[: min(taken, room)]
        del self._held[:taken]
        self._begun = (number, command, left - taken)
        if left > taken or not self._held:
            return False
        if self._held[0] != ord("\n"):
            raise InputError("no frame of RELP: its data is longer than it says")
        del self._held[0]
        return True

    def _obey(self, step: Step, number: bytes, command: bytes) -> None:
        if command == b"open":
            self._open = b"syslog" in self._data
            step.answer += _rsp(number, b"200 OK\n" + _OFFERS if self._open else b"500 only the command syslog")
            step.over = not self._open
        elif command == b"syslog" and self._open:
            cut = len(self._data) > self._limit
            said = message(self._data[: self._limit], *([CUT] if cut else []))
            step.messages += [said] if said.text else []
            step.answer += _rsp(number, b"200 OK")
        elif command == b"close":
            step.answer += _rsp(number, b"") + b"0 serverclose 0\n"
            step.over = True
        else:
            step.answer += _rsp(number, b"500 unknown command, or not open")


def _rsp(number: bytes, data: bytes) -> bytes:
    return b"%s rsp %d%s%s\n" % (number, len(data), b" " if data else b"", data)
