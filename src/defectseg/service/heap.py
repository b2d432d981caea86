"""Nothing in, memory that was freed goes back to the system: glibc would keep most of it."""

import ctypes


def trim_heap() -> None:
    """Give freed pages back; nothing where the C library has no such call (glibc only).

    Opening a model leaves holes of some 50 MB, and so does each one that is dropped.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return
    trim(0)
