"""Record digests in, the root of their Merkle tree out.

The tree is that of RFC 6962, section 2.1, over digests instead of data: a leaf is SHA-256(0x00 || digest), a
node SHA-256(0x01 || left || right), and a level's odd last node moves up unchanged.
"""

from collections.abc import Iterable
from hashlib import sha256


def merkle_root(digests: Iterable[bytes]) -> bytes:
    """The 32-byte root over `digests` in their order; SHA-256 of nothing for an empty tree."""
    level = [sha256(b"\0" + digest).digest() for digest in digests]
    if not level:
        return sha256().digest()
    while len(level) > 1:
        pairs = [sha256(b"\1" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]
