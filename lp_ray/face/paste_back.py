"""Putting an animated crop back into the whole source picture."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.face.crop import Matrix
from lp_ray.face.protocol import Image

CROP_SIZE = 512
"""Side of the crops that are pasted back, pixels."""

FADE = 16
"""Width of the rim over which a crop fades out, pixels."""


@cache
def soft_mask() -> NDArray[np.uint8]:
    """Return the weight of a crop's pixels, CROP_SIZE x CROP_SIZE, 0 to 255 (read-only).

    It falls linearly with the distance from the inner square, round at the corners, like the reference's.
    """
    x = np.arange(CROP_SIZE)
    outside = FADE - np.minimum(np.minimum(x, CROP_SIZE - x), FADE)
    distance = np.hypot(outside[None], outside[:, None])
    mask: NDArray[np.uint8] = np.floor(255 * np.clip(1 - distance / FADE, 0, 1)).astype(np.uint8)
    mask.setflags(write=False)
    return mask


class PasteBack:
    """Blends crops of one source into its picture. Not thread safe: buffers are reused.

    Only the rectangle that the crop can reach is touched, and only the rim where it fades is blended: inside,
    the warped crop is copied as it is. Weights are warped once.
    """

    def __init__(self, original: Image, crop_to_original: Matrix) -> None:
        """`original` is H x W x 3, `crop_to_original` the 2 x 3 matrix from crop pixels to its pixels."""
        self._original = original
        x0, y0, x1, y1 = _reach(crop_to_original, original.shape[:2])
        self._empty = x0 >= x1 or y0 >= y1
        if self._empty:
            return
        self._window = slice(y0, y1), slice(x0, x1)
        self._matrix = crop_to_original.astype(np.float64)
        self._matrix[:, 2] -= (x0, y0)
        self._size = x1 - x0, y1 - y0
        self._warped = np.zeros((y1 - y0, x1 - x0, 3), np.uint8)
        self._mask = _as_bytes(cv2.warpAffine(soft_mask(), self._matrix, self._size, flags=cv2.INTER_LINEAR))
        weights = self._mask.reshape(-1, 1)
        self._rim = np.flatnonzero((weights > 0) & (weights < 255))
        self._weights = weights[self._rim] / np.float32(255)
        self._behind = original[self._window].reshape(-1, 3)[self._rim] * (1 - self._weights)
        self._blend = np.empty_like(self._behind)

    def apply(self, frame: Image) -> Image:
        """Return the whole picture with `frame` (CROP_SIZE x CROP_SIZE x 3) in its place, as a new array.

        Raises ValueError for a frame of another shape.
        """
        if frame.shape != (CROP_SIZE, CROP_SIZE, 3):
            raise ValueError(f"frame of shape {frame.shape}; paste-back takes {CROP_SIZE} x {CROP_SIZE} x 3")
        result = self._original.copy()
        if not self._empty:
            cv2.warpAffine(frame, self._matrix, self._size, dst=self._warped, flags=cv2.INTER_LINEAR)
            flat = self._warped.reshape(-1, 3)
            np.multiply(flat[self._rim], self._weights, out=self._blend)
            self._blend += self._behind
            flat[self._rim] = self._blend  # truncates, as the reference does
            cv2.copyTo(self._warped, self._mask, result[self._window])
        return result


def _as_bytes(array: NDArray[np.generic]) -> NDArray[np.uint8]:
    return array.astype(np.uint8, copy=False)


def _reach(matrix: Matrix, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the whole pixels (x0, y0, x1, y1) of a picture that a crop can touch."""
    ends = np.array([(-1, -1), (CROP_SIZE, -1), (CROP_SIZE, CROP_SIZE), (-1, CROP_SIZE)], np.float64)
    corners = ends @ matrix[:, :2].T + matrix[:, 2]
    low = np.clip(np.floor(corners.min(0)), 0, shape[1::-1]).astype(int)
    high = np.clip(np.ceil(corners.max(0)) + 1, 0, shape[1::-1]).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
