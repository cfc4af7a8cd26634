"""Metrics of the seam: is it visible where the animated crop was pasted back?"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Matrix
from lp_ray.face.paste_back import CROP_SIZE, FADE
from lp_ray.quality.running import Array, Mean

BESIDE = 4.0
"""How far from the rim its two sides are read, in crop pixels, ..."""

LEAST_BESIDE = 2.0
"""... and at least, in picture pixels."""

PART, PARTS = 16, 32
"""Places along the rim that are averaged, so that texture which moved by a pixel counts little, and how many such parts
the four sides have."""


def rim_steps(lumas: NDArray[np.uint8], crop_to_original: Matrix) -> Array:
    """Return the luma steps across the rim in which paste-back fades, inside minus outside, in grey levels: PARTS.

    `lumas` is H x W, `crop_to_original` 2 x 3. NaN for parts outside the picture.
    """
    smooth = cv2.blur(lumas, (3, 3)).astype(np.uint8, copy=False)
    inner, outer = (_read(smooth, line) for line in _lines(crop_to_original))
    return np.asarray((inner - outer).reshape(PARTS, PART).mean(1), np.float64)


def seam(lumas: NDArray[np.uint8], source: NDArray[np.uint8], crop_to_original: Matrix) -> float:
    """Return how much the steps across the rim differ from those in the picture before paste-back, in grey levels.

    NaN if no part of the rim is in the picture.
    """
    steps, before = (rim_steps(picture, crop_to_original) for picture in (lumas, source))
    seen = np.isfinite(steps)
    return float(np.abs(steps - before)[seen].mean()) if seen.any() else float("nan")


class SeamMeter:
    """seam."""

    def __init__(self) -> None:
        self._steps = Mean()

    def add(self, lumas: NDArray[np.uint8], sources: NDArray[np.uint8], crop_to_original: NDArray[np.floating]) -> None:
        """Add n frames (luma n x H x W) and the pictures that crops were pasted into: luma of n, or one for all.

        `crop_to_original` is n x 2 x 3, or 1 x 2 x 3. Raises ValueError for other numbers of either.
        """
        n = len(lumas)
        if len(sources) not in (1, n) or len(crop_to_original) not in (1, n):
            raise ValueError(f"{n} frames for {len(sources)} sources and {len(crop_to_original)} matrices")
        matrices = np.broadcast_to(crop_to_original.astype(np.float64), (n, 2, 3))
        pictures = np.broadcast_to(sources, (n, *sources.shape[1:]))
        for picture, source, matrix in zip(lumas, pictures, matrices, strict=True):
            self._steps.add(seam(picture, source, matrix))

    def merge(self, later: SeamMeter) -> None:
        """Add what another meter has measured."""
        self._steps.merge(later._steps)

    def row(self) -> dict[str, float | None]:
        """Return the value by metric."""
        return {"seam": self._steps.value}


def _lines(matrix: Matrix) -> tuple[Array, Array]:
    """Return places inside of the rim and, across from each, outside of it: PARTS * PART x 2 picture pixels."""
    beside = max(BESIDE, LEAST_BESIDE / float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))))
    count = PARTS * PART // 4
    along = np.linspace(2 * FADE, CROP_SIZE - 2 * FADE, count)
    places = []
    for depth in (FADE + beside, -beside):
        near, far = np.full(count, depth), np.full(count, CROP_SIZE - 1 - depth)
        sides = [np.column_stack(pair) for pair in ((along, near), (along, far), (near, along), (far, along))]
        places.append(np.concatenate(sides) @ matrix[:, :2].T + matrix[:, 2])
    return places[0], places[1]


def _read(picture: NDArray[np.uint8], places: Array) -> Array:
    """Return the values at places (k x 2), NaN outside of the picture and on its border."""
    height, width = picture.shape
    x, y = places.T.astype(np.float32)
    values: Array = cv2.remap(picture, x[None], y[None], cv2.INTER_LINEAR)[0].astype(np.float64)
    values[(x < 1) | (y < 1) | (x > width - 2) | (y > height - 2)] = np.nan
    return values
