"""Arrays in memory pages of their own."""

from __future__ import annotations

import ctypes
import math
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

import numpy as np
from numpy.typing import NDArray


def empty_pages(*shape: int) -> NDArray[np.uint8]:
    """Return an array of zeros whose memory goes back to the system as soon as the array is freed.

    Use it for arrays of many megabytes that come and go beside small ones. After glibc has freed one large array, it
    takes the next from its heap (mallopt(3), M_MMAP_THRESHOLD). There, small allocations between the arrays keep freed
    memory from going back to the system.
    """
    pages = mmap(-1, max(1, math.prod(shape)), flags=MAP_PRIVATE | MAP_ANONYMOUS)
    return np.frombuffer(pages, np.uint8, math.prod(shape)).reshape(shape)


_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # malloc.h


def keep_freed_memory() -> None:
    """Make the C library keep what is freed for the next array, in this process, for good (mallopt(3)).

    glibc gives arrays of 32 MB and more back to the system, and takes the next from it page by page, which costs as
    much as computing them. Memory then stays at its highest. It helps threads that take their memory where the main
    one does: later ones may, and all do with $MALLOC_ARENA_MAX=1 in the environment. Other C libraries are left alone.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        for option, value in ((_M_TRIM_THRESHOLD, -1), (_M_MMAP_MAX, 0), (_M_ARENA_MAX, 1)):
            library.mallopt(option, value)
