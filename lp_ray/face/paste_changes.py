"""Put into the whole source picture only what an engine has changed in its crop.

For engines that leave pixels as they are where nothing moves (`EngineIdentity.keeps_pixels`). Wherever a frame equals
the crop that it was made from, the picture keeps its own pixels, which were never resampled: an unmoved face stays as
sharp as it was, and no seam can show.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image, Matrix
from lp_ray.face.crop import invert
from lp_ray.face.paste_back import CROP_SIZE, FADE

NOISE = 2
"""Differences of up to this many levels count as none."""

CELL = 4
"""Which pixels have changed is found by cells of this many pixels a side."""

GROW = 12
"""At least so far around changed pixels the frame is taken as it is, crop pixels, so that texture which moved by less
than it shows is not left behind in islands."""

SOFT = 3
"""Width in cells of the rim around that, over which frame and picture mix; both are the same there."""

_REACH = GROW // CELL + SOFT // 2 + 2
_GROWN = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _REACH + 1,) * 2)


class PasteChanges:
    """Writes the changed part of a crop into a picture, always at the same place."""

    def __init__(self, crop: Image, to_crop: Matrix) -> None:
        """`crop` (CROP_SIZE x CROP_SIZE x 3, or x 4 with how opaque its pixels are) is what the engine was given,
        `to_crop` (2 x 3) maps the picture to it."""
        if crop.shape[:2] != (CROP_SIZE, CROP_SIZE) or crop.shape[2:] not in ((3,), (4,)) or crop.dtype != np.uint8:
            raise ValueError(
                f"crop of shape {crop.shape}, {crop.dtype}; paste-back takes {CROP_SIZE} x {CROP_SIZE} x 3"
            )
        self._crop = crop
        self._to_picture = invert(to_crop)

    def blend(self, frame: Image, picture: Image) -> None:
        """Write what `frame` (as large as the crop) changes into `picture` (H x W x 3, or x 4 as the crop), in place.

        Raises ValueError for a frame of another shape, or a picture of other channels or not writable.
        """
        if frame.shape != self._crop.shape or frame.dtype != np.uint8:
            raise ValueError(f"frame of shape {frame.shape}, {frame.dtype}; paste-back takes {self._crop.shape}")
        n = frame.shape[2]
        if picture.ndim != 3 or picture.shape[2] != n or picture.dtype != np.uint8 or not picture.flags.writeable:
            raise ValueError(
                f"picture of shape {picture.shape}, {picture.dtype}; expected a writable H x W x {n} of uint8"
            )
        weights = changed(frame, self._crop)
        x0, y0, x1, y1 = _window(self._to_picture, weights, (picture.shape[0], picture.shape[1]))
        if x0 >= x1 or y0 >= y1:
            return
        matrix, size = self._to_picture.astype(np.float64), (x1 - x0, y1 - y0)
        matrix[:, 2] -= (x0, y0)
        front = cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        share = cv2.warpAffine(weights, matrix, size, flags=cv2.INTER_LINEAR).astype(np.float32) / 255
        back = picture[y0:y1, x0:x1]
        back[:] = cv2.blendLinear(front, np.ascontiguousarray(back), share, 1 - share)


def changed(frame: Image, crop: Image) -> NDArray[np.uint8]:
    """Return how much of each pixel is to be taken from the frame, CROP_SIZE x CROP_SIZE, 0 to 255.

    255 where it differs from the crop and GROW pixels around, then falling to 0; always 0 at the crop's own border.
    """
    _, differs = cv2.threshold(cv2.absdiff(frame, crop), NOISE, 255, cv2.THRESH_BINARY)
    size = (CROP_SIZE // CELL, CROP_SIZE // CELL)
    cells = cv2.resize(differs, size, interpolation=cv2.INTER_AREA).max(2)
    if not cells.any():
        return np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
    _, cells = cv2.threshold(cells, 0, 255, cv2.THRESH_BINARY)
    cells = cv2.blur(cv2.dilate(cells, _GROWN), (SOFT, SOFT))
    whole = cv2.resize(cells, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_LINEAR)
    weights: NDArray[np.uint8] = np.minimum(whole, _inside())
    return weights


@cache
def _inside() -> NDArray[np.uint8]:
    """Weights that fall to 0 at the crop's border, so that no frame, whatever it holds, ends in a step (read-only)."""
    ramp = np.minimum(np.arange(CROP_SIZE), np.arange(CROP_SIZE)[::-1])
    near = np.minimum(ramp[:, None], ramp[None])
    weights: NDArray[np.uint8] = np.minimum(near * 255 // FADE, 255).astype(np.uint8)
    weights.setflags(write=False)
    return weights


def _window(matrix: Matrix, weights: NDArray[np.uint8], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the rectangle of picture pixels (x0, y0, x1, y1) that weights of the crop above 0 reach; maybe empty."""
    x, y, width, height = cv2.boundingRect(weights)
    if width == 0:
        return 0, 0, 0, 0
    left, top, right, bottom = x - 1, y - 1, x + width, y + height
    ends = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
    corners = ends @ matrix[:, :2].T + matrix[:, 2]
    limit = (shape[1], shape[0])
    low = np.clip(np.floor(corners.min(0)), 0, limit).astype(int)
    high = np.clip(np.ceil(corners.max(0)) + 1, 0, limit).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
