"""A fetched object in, itself out, or the members of the archive that it is, each an object of its own.

The key of a member is `archive.zip!path/in/archive`. Members stay in memory, so a path is a name and leads nowhere.
What compression hides counts against one limit for an archive and all archives in it.
"""

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from trailkeep.core.errors import InputError
from trailkeep.core.fetched import Fetched
from trailkeep.normalize.decompress import decompress, head
from trailkeep.normalize.records import BadPiece

_DEPTH = 5
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # with a member, or empty
_TAR, _TAR_AT = b"ustar", 257
_ENCRYPTED = 1
_STORED, _DEFLATED, _BZIP2, _ZSTD = 0, 8, 12, 93
_GZIP_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"

_Found = Iterator[Fetched | BadPiece]


@dataclass(frozen=True)
class Archive(Fetched):
    """An archive whose members came before it, with what in it is no member; or why it was not opened."""

    bad: list[BadPiece] = field(default_factory=list)
    refused: str | None = None


@dataclass
class _Budget:
    """How many bytes an archive and those in it may still unpack to."""

    limit: int
    room: int

    def spend(self, size: int) -> None:
        if size > self.room:
            raise InputError(
                f"the archive unpacks to more than {self.limit} bytes: if it is to be trusted, raise the limit"
            )
        self.room -= size


def unpack(file: Fetched, limit: int) -> Iterator[Fetched]:
    """`file`, or where it is an archive its members, those of archives in it too, and an `Archive` after them."""
    return _unpack(file, _Budget(limit, limit), 0)


def _unpack(file: Fetched, budget: _Budget, depth: int) -> Iterator[Fetched]:
    start = b"" if file.error else head(file.data, 512)
    if start.startswith(_ZIP):
        read = _zip
    elif start.startswith(_TAR, _TAR_AT):
        read = _tar
    else:
        yield file
        return
    bad: list[BadPiece] = []
    try:
        if depth >= _DEPTH:
            raise InputError(f"archives within archives, more than {_DEPTH} deep")
        for found in read(file.data, budget):
            if isinstance(found, BadPiece):
                bad.append(found)
            else:
                yield from _unpack(replace(found, key=f"{file.key}!{_name(found.key)}"), budget, depth + 1)
    except InputError as error:  # raised before the first member
        yield Archive(file.key, file.data, refused=str(error))
        return
    yield Archive(file.key, file.data, bad=bad)


def _name(name: str) -> str:
    """A member's name as text, bytes that are no UTF-8 written as \\xNN."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _plain(data: bytes, budget: _Budget) -> tuple[bytes, list[BadPiece]]:
    """The bytes of an archive that may be compressed as a whole, and what is damaged of it."""
    try:
        plain = decompress(data, budget.room)
    except InputError:
        budget.spend(budget.room + 1)
        raise
    if plain.data is not data:
        budget.spend(len(plain.data))
    return plain.data, [plain.damage] if plain.damage else []


def _zip(data: bytes, budget: _Budget) -> _Found:
    data, damage = _plain(data, budget)
    try:
        members = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, struct.error, EOFError, OSError, NotImplementedError) as error:
        raise InputError(f"a damaged zip archive: {error}") from error
    budget.spend(sum(member.file_size for member in members))
    yield from damage
    for member in members:
        if not member.is_dir():
            yield _zip_member(data, member)


def _zip_member(data: bytes, member: zipfile.ZipInfo) -> Fetched | BadPiece:
    """A member, plain where that can be had; damaged, it stays compressed, for read_object to say how."""
    place, method, size = member.header_offset, member.compress_type, member.file_size
    lengths = data[place + 26 : place + 30]
    start = place + 30 + sum(struct.unpack("<HH", lengths)) if len(lengths) == 4 else len(data)
    raw = data[start : start + member.compress_size]

    def refused(reason: str) -> BadPiece:
        return BadPiece(place, None, f"{_name(member.filename)}: {reason}", raw)

    if member.flag_bits & _ENCRYPTED:
        return refused("encrypted")
    if len(raw) < member.compress_size or not data.startswith(_ZIP[0], place):
        return refused("the archive is damaged where this member should be")
    if method in (_DEFLATED, _STORED):
        if method == _STORED and zlib.crc32(raw) == member.CRC:
            return Fetched(member.filename, raw)
        raw = _as_gzip(raw, member)
    elif method not in (_BZIP2, _ZSTD):
        return refused(f"compressed by method {method}, which is not supported")
    try:
        plain = decompress(raw, size, layers=1)
    except InputError:
        return refused(f"holds more than the {size} bytes that the archive says")
    return Fetched(member.filename, raw if plain.damage else plain.data)


def _as_gzip(raw: bytes, member: zipfile.ZipInfo) -> bytes:
    """The stored bytes of a member as a gzip file, whose reader sees to its length and checksum."""
    if member.compress_type == _STORED:
        deflate = zlib.compressobj(0, wbits=-15)
        raw = deflate.compress(raw) + deflate.flush()
    return _GZIP_HEADER + raw + struct.pack("<II", member.CRC, member.file_size & 0xFFFFFFFF)


def _tar(data: bytes, budget: _Budget) -> _Found:
    data, damage = _plain(data, budget)
    yield from damage
    end = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                yield from _tar_member(data, member)
                end = archive.offset
    except (tarfile.TarError, ValueError, OSError, EOFError) as error:
        reason = f"the archive is damaged: {error}"
    else:
        reason = "the archive is damaged: no member begins here"
    rest = data[end:]
    if end == len(data) and not damage:
        yield BadPiece(end, None, "the archive is truncated after a whole member", b"")
    elif rest.strip(b"\0"):
        yield BadPiece(end, None, reason, rest)


def _tar_member(data: bytes, member: tarfile.TarInfo) -> _Found:
    start, end = member.offset_data, member.offset_data + member.size
    if member.isdir():
        return
    if not member.isreg():
        yield Fetched(member.name, b"", "no file: a link or device in an archive")
    elif member.issparse():
        yield BadPiece(member.offset, None, f"{_name(member.name)}: a sparse file, not supported", data[start:end])
    elif end > len(data):
        yield BadPiece(member.offset, None, f"{_name(member.name)}: cut, the archive ends within it", data[start:])
    else:
        yield Fetched(member.name, data[start:end])
