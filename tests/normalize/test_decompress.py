"""gzip as it arrives: whole, in members, cut, flipped, followed by something, or a bomb."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailkeep.core.errors import InputError
from trailkeep.normalize.decompress import decompress

TEXT = b"".join(b"line %d of a log\n" % n for n in range(5000))
LIMIT = 10**7


def test_plain_bytes_pass_through() -> None:
    assert decompress(TEXT, 10).data is TEXT


def test_members_are_joined_and_zero_padding_is_tolerated() -> None:
    stored = gzip.compress(TEXT) + gzip.compress(b"") + gzip.compress(b"end\n") + bytes(512)
    plain = decompress(stored, LIMIT)
    assert (plain.data, plain.damage, plain.whole) == (TEXT + b"end\n", None, True)


def test_larger_than_one_step() -> None:
    noise = zlib.compress(TEXT, 0) * 40  # does not get smaller: more than one input step
    assert decompress(gzip.compress(noise, 1) * 2, 10**8).data == noise * 2


def test_truncated() -> None:
    stored = gzip.compress(TEXT)
    plain = decompress(stored[:-100], LIMIT)
    assert TEXT.startswith(plain.data) and len(plain.data) > len(TEXT) // 2
    assert not plain.whole
    assert plain.damage is not None
    assert plain.damage.data == stored[:-100]
    assert "truncated" in plain.damage.reason
    assert f"stored byte {len(stored) - 100}" in plain.damage.reason


def test_truncated_in_the_second_member_keeps_the_first() -> None:
    first, second = gzip.compress(TEXT), gzip.compress(b"more\n")
    plain = decompress(first + second[:-9], LIMIT)
    assert plain.data.startswith(TEXT)
    assert plain.damage is not None
    assert (plain.damage.position, plain.damage.data) == (len(first), second[:-9])


def test_flipped_bit_gives_what_stands_before_it() -> None:
    stored = bytearray(gzip.compress(TEXT))
    stored[len(stored) // 2] ^= 0x10
    plain = decompress(bytes(stored), LIMIT)
    assert plain.damage is not None
    assert "damaged" in plain.damage.reason
    assert plain.damage.data == bytes(stored)
    common = next(
        (i for i, (a, b) in enumerate(zip(TEXT, plain.data, strict=False)) if a != b), len(plain.data)
    )
    assert common > len(TEXT) // 10


def test_wrong_checksum_gives_all_and_says_so() -> None:
    stored = bytearray(gzip.compress(TEXT))
    stored[-6] ^= 1
    plain = decompress(bytes(stored), LIMIT)
    assert plain.data == TEXT
    assert plain.damage is not None
    assert "may be altered" in plain.damage.reason


def test_bytes_after_the_end_are_kept() -> None:
    stored = gzip.compress(TEXT)
    plain = decompress(stored + b"\0\0appended", LIMIT)
    assert plain.data == TEXT and plain.whole
    assert plain.damage is not None
    assert plain.damage.data == b"\0\0appended"
    assert (
        plain.damage.reason
        == f"10 bytes after the end of the gzip data (stored byte {len(stored)} of {len(stored) + 10})"
    )


@pytest.mark.parametrize("members", [1, 3])
def test_bomb(members: int) -> None:
    stored = gzip.compress(bytes(10**6)) * members
    assert len(decompress(stored, members * 10**6).data) == members * 10**6
    with pytest.raises(InputError, match=f"more than {members * 10**6 - 1} bytes"):
        decompress(stored, members * 10**6 - 1)


@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    """Never raises, and is silent only where nothing is lost."""
    stored = bytearray(gzip.compress(TEXT[:2000]) + gzip.compress(b"x" * 50))
    for _ in range(data.draw(st.integers(0, 3))):
        stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(stored[: data.draw(st.integers(0, len(stored)))])
    plain = decompress(damaged, LIMIT)
    if plain.damage is None and damaged.startswith(b"\x1f\x8b\x08"):
        assert plain.data == gzip.decompress(damaged)
