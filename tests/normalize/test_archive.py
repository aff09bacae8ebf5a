"""Archives as they come: nested, compressed, damaged, encrypted, hostile; members out, and what is none."""

import bz2
import gzip
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.normalize.archives import tarred, zipped
from trailkeep.core.fetched import Fetched
from trailkeep.normalize.archive import Archive, unpack
from trailkeep.normalize.decompress import decompress

TEXT = b"".join(b"line %d of a log, %d\n" % (n, n * n % 7919) for n in range(3000))
MEMBERS = {"a.log": TEXT, "AWSLogs/b.log.gz": gzip.compress(TEXT, mtime=0), "AWSLogs/empty": b""}
LIMIT = 10**7


def read(data: bytes, limit: int = LIMIT) -> tuple[dict[str, bytes], Archive]:
    *members, archive = unpack(Fetched("x", data), limit)
    assert isinstance(archive, Archive)
    assert archive.data == data
    return {member.key: member.data for member in members}, archive


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_zip(method: int) -> None:
    found, archive = read(zipped(MEMBERS | {"folder/": b""}, method))
    assert found == {f"x!{name}": data for name, data in MEMBERS.items()}
    assert (archive.bad, archive.refused) == ([], None)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, zstandard.compress])
def test_tar(pack: Callable[[bytes], bytes]) -> None:
    found, archive = read(pack(tarred(MEMBERS, {"folder": tarfile.DIRTYPE})))
    assert found == {f"x!{name}": data for name, data in MEMBERS.items()}
    assert (archive.bad, archive.refused) == ([], None)


@pytest.mark.parametrize("data", [b"", TEXT, gzip.compress(TEXT), b"PK", b"ustar"])
def test_what_is_no_archive_passes(data: bytes) -> None:
    (file,) = unpack(Fetched("x", data), LIMIT)
    assert file == Fetched("x", data)


def test_an_empty_archive() -> None:
    assert read(zipped({}))[0] == {}


def test_archives_in_archives() -> None:
    inner = zipped({"c.tgz": gzip.compress(tarred({"d.log": TEXT}))})
    found = list(unpack(Fetched("x", tarred({"b.zip": inner, "a.log": TEXT})), LIMIT))
    assert [(file.key, isinstance(file, Archive)) for file in found] == [
        ("x!b.zip!c.tgz!d.log", False),
        ("x!b.zip!c.tgz", True),
        ("x!b.zip", True),
        ("x!a.log", False),
        ("x", True),
    ]


def test_nested_without_end() -> None:
    data = TEXT
    for _ in range(9):
        data = zipped({"x.zip": data})
    refused = [file for file in unpack(Fetched("x", data), LIMIT) if isinstance(file, Archive) and file.refused]
    assert [(file.key.count("!"), file.refused) for file in refused] == [
        (5, "archives within archives, more than 5 deep")
    ]


def test_links_and_devices_are_told() -> None:
    others = {"l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "p": tarfile.FIFOTYPE, "c": tarfile.CHRTYPE}
    *members, archive = unpack(Fetched("x", tarred({"a": b"1"}, others)), LIMIT)
    told = {member.key: member.error for member in members if member.error}
    assert told == {f"x!{name}": "no file: a link or device in an archive" for name in others}
    assert isinstance(archive, Archive) and archive.bad == []


def test_names_lead_nowhere() -> None:
    names = ["/etc/passwd", "../../up", "a/../b", "C:\\x", "\udcff\udcfe"]
    found, _ = read(tarred(dict.fromkeys(names, b"1")))
    assert list(found) == ["x!/etc/passwd", "x!../../up", "x!a/../b", "x!C:\\x", "x!\\xff\\xfe"]


def test_an_encrypted_member_is_kept_as_it_is() -> None:
    data = bytearray(zipped({"secret.log": TEXT, "b.log": TEXT}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    found, archive = read(bytes(data))
    assert list(found) == ["x!b.log"]
    (piece,) = archive.bad
    assert (piece.position, piece.reason) == (0, "secret.log: encrypted")
    assert zlib.decompress(piece.data, -15) == TEXT


def test_a_method_nobody_knows() -> None:
    found, archive = read(zipped({"a.log": TEXT}, zipfile.ZIP_LZMA))
    assert found == {}
    assert [piece.reason for piece in archive.bad] == ["a.log: compressed by method 14, which is not supported"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_of_a_zip_is_read_as_far_as_it_goes(method: int) -> None:
    data = bytearray(zipped({"a.log": TEXT, "b.log": TEXT[:50]}, method))
    data[len(data) // 2] ^= 0x10
    found, archive = read(bytes(data))
    assert archive.bad == []
    assert found["x!b.log"] == TEXT[:50]
    plain = decompress(found["x!a.log"], LIMIT)
    assert plain.damage is not None
    assert "may be altered" in plain.damage.reason
    assert TEXT[:1000] == plain.data[:1000]


@pytest.mark.parametrize("cut", [1, 30, 10_000])
def test_a_truncated_zip_is_refused(cut: int) -> None:
    found, archive = read(zipped(MEMBERS)[:-cut])
    assert found == {}
    assert archive.refused is not None
    assert archive.refused.startswith("a damaged zip archive: ")


def test_a_truncated_tar() -> None:
    data = tarred({"a.log": TEXT, "b.log": TEXT})
    second = data.index(b"b.log")
    found, archive = read(data[: second + 2000])
    assert found == {"x!a.log": TEXT}
    assert [(p.position, p.reason) for p in archive.bad] == [(second, "b.log: cut, the archive ends within it")]
    assert archive.bad[0].data == TEXT[: 2000 - 512]
    found, archive = read(data[:second])
    assert found == {"x!a.log": TEXT}
    assert [p.reason for p in archive.bad] == ["the archive is truncated after a whole member"]


def test_a_truncated_tar_gz() -> None:
    data = gzip.compress(tarred({"a.log": TEXT, "b.log": TEXT[:40_000]}))
    found, archive = read(data[: len(data) * 3 // 4])
    assert found == {"x!a.log": TEXT}
    assert "truncated" in archive.bad[0].reason
    assert archive.bad[0].data == data[: len(data) * 3 // 4]


def test_a_damaged_header_of_a_tar() -> None:
    data = bytearray(tarred({"a.log": TEXT, "b.log": TEXT, "c.log": TEXT}))
    second = data.index(b"b.log")
    data[second] ^= 1
    found, archive = read(bytes(data))
    assert found == {"x!a.log": TEXT}
    ((piece),) = archive.bad
    assert (piece.position, piece.data) == (second, bytes(data[second:]))
    assert "damaged" in piece.reason


@pytest.mark.parametrize(
    "pack", [lambda m: zipped(m), lambda m: gzip.compress(tarred(m)), lambda m: zipped({"i": zipped(m)})]
)
def test_bombs(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    data = pack({"a": bytes(10**6), "b": bytes(10**6)})
    assert len(data) < 10**5
    refused = [f for f in unpack(Fetched("x", data), 10**6) if isinstance(f, Archive) and f.refused]
    assert len(refused) == 1
    assert re.match("the archive unpacks to more than 1000000 bytes", refused[0].refused or "")
    assert not [f for f in unpack(Fetched("x", data), 3 * 10**6) if isinstance(f, Archive) and f.refused]


def test_a_zip_that_lies_about_its_size() -> None:
    data = bytearray(zipped({"a": bytes(10**6)}))
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = (1000).to_bytes(4, "little")
    found, archive = read(bytes(data), 10**5)
    assert found == {}
    assert [p.reason for p in archive.bad] == ["a: holds more than the 1000 bytes that the archive says"]


@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    """Never raises, and a member is either what it was, or told."""
    make = data.draw(st.sampled_from([zipped, tarred, lambda m: gzip.compress(tarred(m))]))
    stored = bytearray(make({"a": TEXT[:900], "b": TEXT[900:1500]}))
    for _ in range(data.draw(st.integers(0, 3))):
        stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.integers(0, 255))
    list(unpack(Fetched("x", bytes(stored[: data.draw(st.integers(0, len(stored)))])), LIMIT))
