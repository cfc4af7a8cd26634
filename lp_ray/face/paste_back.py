"""Putting an animated crop back into the picture it was cut from."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.face.crop import Matrix
from lp_ray.face.protocol import Image

CROP_SIDE = 512
EDGE = 16
"""Width of the soft edge, crop pixels."""


@cache
def soft_mask() -> NDArray[np.uint8]:
    """Return CROP_SIDE x CROP_SIDE, 255 inside, falling off to 0 towards the edges with rounded corners."""
    x = np.arange(CROP_SIDE)
    inside = EDGE - np.minimum(np.minimum(x, CROP_SIDE - x), EDGE)
    fall = np.hypot(inside[None], inside[:, None]) / EDGE
    mask: NDArray[np.uint8] = np.floor(255 * np.clip(1 - fall, 0, 1)).astype(np.uint8)
    return mask


class PasteBack:
    """Pastes crops into one picture; everything that does not change from frame to frame is computed once."""

    def __init__(self, picture: Image, to_original: Matrix) -> None:
        """`to_original` maps crop pixels to pixels of `picture` (H x W x 3)."""
        self._picture = picture
        x0, y0, x1, y1 = _bounds(to_original, picture.shape[1], picture.shape[0])
        self._region = (slice(y0, y1), slice(x0, x1))
        self._size = (x1 - x0, y1 - y0)
        self._matrix = np.array(to_original, np.float64)
        self._matrix[:, 2] -= (x0, y0)
        if min(self._size) > 0:
            mask = cv2.warpAffine(soft_mask(), self._matrix, self._size, flags=cv2.INTER_LINEAR)
            self._mask = (mask.astype(np.float32) / 255)[..., None]
            self._behind = picture[self._region].astype(np.float32) * (1 - self._mask)
            self._blend = np.empty_like(self._behind)

    def apply(self, frame: Image) -> Image:
        """Return the whole picture with the CROP_SIDE x CROP_SIDE `frame` in it."""
        result = self._picture.copy()
        if min(self._size) > 0:
            warped = cv2.warpAffine(frame, self._matrix, self._size, flags=cv2.INTER_LINEAR)
            np.multiply(warped, self._mask, out=self._blend)
            np.add(self._blend, self._behind, out=self._blend)
            result[self._region] = self._blend  # truncates, as the reference does
        return result


def _bounds(to_original: Matrix, width: int, height: int) -> tuple[int, int, int, int]:
    side = CROP_SIDE
    corners = np.array([[0, 0], [side, 0], [0, side], [side, side]]) @ to_original[:, :2].T + to_original[:, 2]
    x0, y0 = np.floor(corners.min(0)).astype(int) - 1
    x1, y1 = np.ceil(corners.max(0)).astype(int) + 2
    return (
        int(np.clip(x0, 0, width)),
        int(np.clip(y0, 0, height)),
        int(np.clip(x1, 0, width)),
        int(np.clip(y1, 0, height)),
    )
