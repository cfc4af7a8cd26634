"""Arrays in memory pages of their own."""

from __future__ import annotations

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
