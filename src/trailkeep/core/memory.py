"""A process in, one that manages memory as batches of large buffers want it out."""

import ctypes
import gc

import pyarrow as pa

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT = 256 << 20
_FROM_HEAP = 32 << 20  # the most that glibc allows


def keep_freed_memory() -> None:
    """Let large buffers come from the heap, where the next batch finds them again; search seldom for garbage.

    By default each is fetched from the system and given back, page by page: a fifth of the CPU of an ingest. With
    another C library than glibc nothing changes.
    """
    gc.set_threshold(100_000)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, _FROM_HEAP)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT)
        pa.set_memory_pool(pa.system_memory_pool())
