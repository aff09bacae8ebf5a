"""A process in, one that manages memory as batches of large buffers want it out."""

import ctypes
import gc

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT = 256 << 20
_LARGE = 1 << 20


def expect_large_buffers() -> None:
    """Give large buffers back to the system as soon as they are free; search seldom for garbage.

    Left alone, glibc learns to put them on its heap, where a batch leaves holes that the next does not fit in: a
    third more memory. With another C library nothing changes.
    """
    gc.set_threshold(100_000)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT)


def give_back() -> None:
    """Give what is free within glibc's heap back to the system; its holes are filled anew only where they fit.

    Costs as much as getting it again, so not after every batch.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
