"""Arrays in pages of their own."""

from __future__ import annotations

import math
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

import numpy as np
from numpy.typing import NDArray


def empty_pages(*shape: int) -> NDArray[np.uint8]:
    """Return an array of zeros whose memory the system has back as soon as it is freed.

    For arrays of many megabytes that come and go beside small ones: glibc, once it has seen one of them freed, takes
    the next from its heap (mallopt(3), M_MMAP_THRESHOLD), where what is allocated between them keeps them in memory.
    """
    pages = mmap(-1, max(1, math.prod(shape)), flags=MAP_PRIVATE | MAP_ANONYMOUS)
    return np.frombuffer(pages, np.uint8, math.prod(shape)).reshape(shape)
