"""zstd and bzip2 as they arrive: whole, in frames, cut, flipped, followed by something, or a bomb."""

import bz2
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from trailkeep.core.errors import InputError
from trailkeep.normalize.decompress import decompress, head

TEXT = b"".join(b"line %d of a log, %d\n" % (n, n * n % 7919) for n in range(60_000))
LIMIT = 10**7


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


Pack = Callable[[bytes], bytes]
both = pytest.mark.parametrize(("pack", "name"), [(zstd, "zstd"), (bz2.compress, "bzip2")])


@both
def test_frames_are_joined_and_zero_padding_is_tolerated(pack: Pack, name: str) -> None:
    plain = decompress(pack(TEXT) + pack(b"") + pack(b"end\n") + bytes(512), LIMIT)
    assert (plain.data, plain.damage, plain.whole) == (TEXT + b"end\n", None, True)
    assert head(pack(TEXT), 300) == TEXT[:300]
    assert head(pack(b"few"), 300) == b"few"


@pytest.mark.parametrize("options", [{"write_content_size": False}, {"write_checksum": False}, {"level": 19}])
def test_kinds_of_zstd_frames(options: dict[str, int]) -> None:
    skipped = b"\x53\x2a\x4d\x18\x05\0\0\0notes"
    stored = skipped + zstandard.ZstdCompressor(**options).compress(TEXT) + skipped  # type: ignore[arg-type]
    assert decompress(stored, LIMIT).data == TEXT
    assert decompress(stored, LIMIT).damage is None
    cut = decompress(stored[:-1], LIMIT)
    assert cut.data == TEXT
    assert cut.damage is not None


def test_zstd_written_as_a_stream() -> None:
    stream = zstandard.ZstdCompressor().compressobj()
    stored = b"".join(stream.compress(TEXT[i : i + 9000]) + stream.flush(1) for i in range(0, len(TEXT), 9000))
    assert decompress(stored + stream.flush(), LIMIT).data == TEXT


@both
def test_truncated(pack: Pack, name: str) -> None:
    stored = pack(TEXT)
    plain = decompress(stored[:-10], LIMIT)
    assert TEXT.startswith(plain.data) and len(plain.data) > len(TEXT) // 3
    assert not plain.whole
    assert plain.damage is not None
    assert plain.damage.data == stored[:-10]
    assert "truncated" in plain.damage.reason
    assert f"(stored byte {len(stored) - 10} of {len(stored) - 10})" in plain.damage.reason


@both
def test_truncated_in_the_second_frame_keeps_the_first(pack: Pack, name: str) -> None:
    first, second = pack(TEXT), pack(b"more\n")
    plain = decompress(first + second[:-5], LIMIT)
    assert plain.data.startswith(TEXT)
    assert plain.damage is not None
    assert (plain.damage.position, plain.damage.data) == (len(first), second[:-5])


@both
def test_flipped_bit_gives_what_stands_before_it(pack: Pack, name: str) -> None:
    stored = bytearray(pack(TEXT))
    stored[len(stored) * 7 // 8] ^= 0x10
    plain = decompress(bytes(stored), LIMIT)
    assert plain.damage is not None
    assert f"the {name} data is damaged" in plain.damage.reason
    assert plain.damage.data == bytes(stored)
    common = next((i for i, (a, b) in enumerate(zip(TEXT, plain.data, strict=False)) if a != b), len(plain.data))
    assert common > len(TEXT) // 3


def test_wrong_checksum_gives_all_and_says_so() -> None:
    stored = bytearray(zstd(TEXT))
    stored[-1] ^= 1
    plain = decompress(bytes(stored), LIMIT)
    assert plain.damage is not None
    assert "may be altered" in plain.damage.reason
    assert plain.data == TEXT


def test_a_block_of_bzip2_with_a_wrong_checksum_is_read_all_the_same() -> None:
    stored = bytearray(bz2.compress(TEXT))
    stored[10] ^= 1  # of the first block
    plain = decompress(bytes(stored), LIMIT)
    assert plain.damage is not None
    assert "may be altered" in plain.damage.reason
    assert TEXT.startswith(plain.data)
    assert len(plain.data) > 800_000


@both
def test_bytes_after_the_end_are_kept(pack: Pack, name: str) -> None:
    stored = pack(TEXT)
    plain = decompress(stored + b"\0\0appended", LIMIT)
    assert plain.data == TEXT and plain.whole
    assert plain.damage is not None
    assert plain.damage.data == b"\0\0appended"
    where = f"(stored byte {len(stored)} of {len(stored) + 10})"
    assert plain.damage.reason == f"10 bytes after the end of the {name} data {where}"


@both
@pytest.mark.parametrize("frames", [1, 3])
def test_bomb(pack: Pack, name: str, frames: int) -> None:
    stored = pack(bytes(10**6)) * frames
    assert len(decompress(stored, frames * 10**6).data) == frames * 10**6
    with pytest.raises(InputError, match=f"more than {frames * 10**6 - 1} bytes"):
        decompress(stored, frames * 10**6 - 1)


@both
@given(data=st.data())
def test_any_damage(pack: Pack, name: str, data: st.DataObject) -> None:
    """Never raises but for the limit, and is silent only where nothing is lost."""
    whole = pack(TEXT[:2000]) + pack(b"x" * 50)
    stored = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 3))):
        stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(stored[: data.draw(st.integers(0, len(stored)))])
    plain = decompress(damaged, LIMIT)
    if plain.damage is None and damaged == whole:
        assert plain.data == TEXT[:2000] + b"x" * 50
    if damaged != whole and damaged[:12] == whole[:12]:
        assert plain.damage is not None or plain.data == TEXT[:2000] + b"x" * 50 or TEXT[:2000] == plain.data
