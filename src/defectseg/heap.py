"""Nothing in; freed memory goes back to the system, or stays: glibc's own choice suits neither."""

import ctypes
import os

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # M_… of malloc.h
NEVER = -1


def trim_heap() -> None:
    """Give freed pages back; nothing where the C library has no such call (glibc only).

    Opening a model leaves holes of some 50 MB, and so does each one that is dropped.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return
    trim(0)


def keep_heap() -> None:
    """Keep freed pages for what comes next; nothing where `MALLOC_…` says what the user wants.

    Each step of a training allocates the same large tensors anew. glibc would fetch their pages
    from the system, which clears them, and give them back, every time: benchmarks/heap.py.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return
    try:
        option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    option(MMAP_MAX, 0)
    option(TRIM_THRESHOLD, NEVER)
