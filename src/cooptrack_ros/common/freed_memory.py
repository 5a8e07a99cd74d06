"""Memory that was freed and that the C library keeps."""

from __future__ import annotations

import ctypes
from functools import cache


def return_freed_memory() -> None:
    """
    Give memory that was freed back to the operating system, where the C library can (glibc); milliseconds.

    glibc keeps what lies between blocks still in use. Large blocks that are made again and again between small ones
    that stay, as for graphs of PyTorch, add up to gigabytes that way.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim():
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
