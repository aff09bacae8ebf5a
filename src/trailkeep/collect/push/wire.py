"""What all protocols have in common: a request in, records for the spool and an answer out, or a refusal.

Nothing here knows of a server: the protocols are functions of bytes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NoReturn

import msgspec
import zstandard
from isal import isal_zlib
from isal.igzip_lib import IsalError

from trailkeep.collect.push.senders import Protocol, Refused

STATUS = {
    "no token": 401,
    "no such scheme": 401,
    "unknown token": 401,
    "forbidden": 403,
    "rate": 429,
    "large": 413,
    "slow": 408,
    "type": 415,
    "bad": 400,
    "busy": 503,
}
"""The HTTP status of a refusal, where a protocol has no other."""

_VALUES = msgspec.json.Decoder(msgspec.Raw)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_GZIP, _ZLIB = 31, 15
_LONGEST_ID = 200


@dataclass(frozen=True)
class Call:
    """A request of a known sender: its headers (names in small letters), query and body as it came."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    acks: bool = False


@dataclass(frozen=True)
class Answer:
    """What the sender is told."""

    status: int
    body: bytes = b""
    type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """Records (JSON values without line breaks) of a request, and the answer once they are on disk.

    `batch`: the id under which the sender would repeat it, where the protocol has one.
    """

    records: list[bytes]
    answer: Answer
    batch: str | None = None


class Wire(ABC):
    """A protocol over HTTP."""

    protocol: ClassVar[Protocol]

    @abstractmethod
    def read(self, call: Call) -> Taken:
        """The records in a call. Raises Refused."""

    @abstractmethod
    def refuse(self, refused: Refused, headers: Mapping[str, str]) -> Answer:
        """What the sender is told of a refusal."""


def json_answer(status: int, value: object) -> Answer:
    """An answer in JSON."""
    return Answer(status, msgspec.json.encode(value))


def media_type(headers: Mapping[str, str]) -> str:
    """The content type of a request, without parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """The bytes that a body of this Content-Encoding stands for. Raises Refused where they are more than `limit`."""
    name = encoding.strip().lower()
    try:
        if name in ("", "identity"):
            plain = body
        elif name in ("gzip", "x-gzip"):
            plain = _inflated(body, _GZIP, limit)
        elif name == "deflate":
            plain = _inflated(body, _ZLIB, limit)
        elif name == "zstd":
            with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as stream:
                plain = stream.read(limit + 1)
        else:
            raise Refused("type", f"the Content-Encoding {name} is none of gzip, deflate, zstd, identity")
    except (IsalError, zstandard.ZstdError, EOFError) as error:  # type: ignore[misc]  # isal gives it no base class
        raise Refused("bad", f"the body is no {name}: {error}") from error
    if len(plain) > limit:
        raise Refused("large", f"the body is larger than {limit:,} bytes")
    return plain


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    """All members of a body, or the first bytes above `limit`."""
    parts, size, rest = [], 0, body
    while rest:
        stream = isal_zlib.decompressobj(window)
        parts.append(stream.decompress(rest, limit + 1 - size))
        size += len(parts[-1])
        if size > limit:
            break
        if not stream.eof:
            raise EOFError("it ends too early")
        rest = stream.unused_data
    return b"".join(parts)


def json_values(body: bytes) -> list[msgspec.Raw]:
    """JSON values that stand one after the other, with or without anything between them. Raises Refused."""
    check_utf8(body)
    try:
        return _VALUES.decode_lines(body)  # line breaks are optional to it, and may stand within values
    except (msgspec.DecodeError, RecursionError) as error:
        bad_json(error)


def elements(value: msgspec.Raw) -> list[msgspec.Raw]:
    """The elements of a JSON list, or any other value alone."""
    return _LIST.decode(value) if is_a(value, b"[") else [value]


def is_a(value: msgspec.Raw, with_any_of: bytes) -> bool:
    """Whether the first byte of a JSON value is one of these."""
    return memoryview(value)[0] in with_any_of


def bad_json(error: Exception) -> NoReturn:
    """Say that a body is no JSON."""
    raise Refused("bad", f"the body is no JSON: {error}") from error


def check_utf8(body: bytes) -> None:
    """JSON is UTF-8. Raises Refused."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Refused("bad", f"the body is not UTF-8 at byte {error.start}") from error


def one_line(raw: msgspec.Raw | bytes) -> bytes:
    """A JSON value without line breaks."""
    data = bytes(raw)
    return msgspec.json.format(data, indent=-1) if b"\n" in data or b"\r" in data else data


def text_lines(body: bytes) -> list[str]:
    """The lines of a text that are not blank; bytes that are no UTF-8 stand as `\\xNN`."""
    lines = body.decode("utf-8", "backslashreplace").split("\n")
    return [line for each in lines if (line := each.rstrip("\r")).strip()]


def batch_id(sender: str, said: str | None) -> str | None:
    """The id of a batch among those of all senders, of the one that its sender gave it. Raises Refused."""
    if not said:
        return None
    if len(said) > _LONGEST_ID:
        raise Refused("bad", f"the id of a request is longer than {_LONGEST_ID} characters")
    return f"{sender}/{said}"
