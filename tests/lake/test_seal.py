"""The Merkle tree of RFC 6962, on trees small enough to draw."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from trailkeep.lake.seal import merkle_root

A, B, C, D, E = (bytes([byte]) * 32 for byte in range(5))


def leaf(digest: bytes) -> bytes:
    return sha256(b"\x00" + digest).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def test_empty_tree() -> None:
    assert merkle_root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_one_leaf_that_is_empty() -> None:
    # The first leaf of the vectors that implementations of RFC 6962 share.
    assert merkle_root([b""]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_small_trees() -> None:
    a, b, c, d, e = map(leaf, (A, B, C, D, E))
    assert merkle_root([A]) == a
    assert merkle_root([A, B]) == node(a, b)
    assert merkle_root([A, B, C]) == node(node(a, b), c)
    assert merkle_root([A, B, C, D]) == node(node(a, b), node(c, d))
    assert merkle_root([A, B, C, D, E]) == node(node(node(a, b), node(c, d)), e)


def rfc_6962(digests: list[bytes]) -> bytes:
    """Section 2.1, word for word: split at the largest power of two below n."""
    if len(digests) == 1:
        return leaf(digests[0])
    split = 1
    while split * 2 < len(digests):
        split *= 2
    return node(rfc_6962(digests[:split]), rfc_6962(digests[split:]))


@given(st.lists(st.binary(max_size=32), min_size=1, max_size=70))
def test_equals_the_recursive_definition(digests: list[bytes]) -> None:
    assert merkle_root(digests) == rfc_6962(digests)
