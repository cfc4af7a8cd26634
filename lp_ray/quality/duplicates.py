"""Find inputs that show the same: pictures and clips by perceptual hashes, people by embeddings of their faces.

The hash is the sign of the 64 lowest frequencies of a picture's luma (discrete cosine transform of 32 x 32), relative
to their median: re-encoding, scaling and small changes of colour turn few bits (Zauner, "Implementation and
benchmarking of perceptual image hash functions", 2010).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.quality.temporal import luma

SIDE, KEPT = 32, 8
SAME_PICTURE = 6
"""Of 64 bits, how many may differ: other pictures differ in some 32."""
_AT_ONCE = 64

Hashes = NDArray[np.uint64]


def picture_hash(image: Image) -> np.uint64:
    """Return the perceptual hash of a picture, H x W x 3."""
    small = cv2.resize(luma(image), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    low = np.asarray(cv2.dct(small.astype(np.float32)))[:KEPT, :KEPT].ravel()
    bits = low > np.median(low[1:])  # the first is the mean, which says nothing of the picture
    return np.uint64(int("".join("1" if bit else "0" for bit in bits), 2))


def same_pictures(hashes: Hashes, most: int = SAME_PICTURE) -> Iterator[tuple[int, int]]:
    """Yield pairs (i < j) of inputs that look the same: hashes n x F, of F frames each; the median frame decides."""
    for start in range(0, len(hashes), _AT_ONCE):
        block = hashes[start : start + _AT_ONCE]
        bits = np.bitwise_count(block[:, None] ^ hashes[None, start:])  # rows x others x F
        yield from _pairs(np.median(bits, axis=2) <= most, start)


def same_people(embeddings: NDArray[np.floating], most: float) -> Iterator[tuple[int, int]]:
    """Yield pairs (i < j) of inputs whose faces, embeddings n x 128, are no farther apart than `most` (L2). A row of
    NaN (no face) is like nobody."""
    each = embeddings.astype(np.float64)
    squares = np.square(each).sum(1)
    for start in range(0, len(each), _AT_ONCE):
        block = slice(start, start + _AT_ONCE)
        apart = squares[block, None] + squares[None, start:] - 2 * each[block] @ each[start:].T
        with np.errstate(invalid="ignore"):
            yield from _pairs(apart <= most**2, start)


def _pairs(same: NDArray[np.bool_], start: int) -> Iterator[tuple[int, int]]:
    for row, column in zip(*np.nonzero(np.triu(same, 1)), strict=True):
        yield start + int(row), start + int(column)


def groups(n: int, pairs: Iterator[tuple[int, int]] | Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Return for each of n inputs the first input of its group; inputs are in one group if pairs link them."""
    first = np.arange(n)

    def root(i: int) -> int:
        while first[i] != i:
            first[i] = first[first[i]]
            i = int(first[i])
        return i

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        first[high] = low
    return np.array([root(i) for i in range(n)], np.int64)
