"""Follow a face by what the picture shows there: for detectors that find faces and cannot follow them.

Corners inside the face are followed by Lucas-Kanade, forth and back; a similarity (turn, size, place) explains where
most of them went.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image, Matrix, Points
from lp_ray.face.continuity import is_cut, scene

CORNERS = 200
"""At most so many corners are followed."""

ENOUGH = 8
"""With fewer corners that can be followed forth and back, the face is lost."""

AGREE = 0.5
"""At least this share of the corners must move as one, or the face is lost: it may be hidden, or gone."""

RETURN = 1.0
"""In pixels: a corner that was followed there and back must come home this near."""

MARGIN = 0.1
"""Corners are taken from the bounds of the points, larger by this share of them on each side."""


def moved(before: Image, after: Image, points: Points) -> Matrix | None:
    """Return the similarity (2 x 3) that maps a face's surroundings in one picture to where they are in the next.

    `points` is K x (2|3), the face in the first picture. None: the face is lost, or the scene changes.
    """
    if is_cut(scene(before), scene(after)):
        return None
    first, second = _grey(before), _grey(after)
    found_there = cv2.goodFeaturesToTrack(first, CORNERS, 0.01, 3, mask=_around(first.shape, points))
    if found_there is None or len(found_there) < ENOUGH:
        return None
    corners = np.asarray(found_there, np.float32)
    there, found = _followed(first, second, corners)
    home, again = _followed(second, first, there)
    kept = found & again & (np.linalg.norm((home - corners)[:, 0], axis=1) < RETURN)
    if kept.sum() < max(ENOUGH, AGREE * len(corners)):
        return None
    matrix, agreed = cv2.estimateAffinePartial2D(corners[kept], there[kept], ransacReprojThreshold=2.0)
    if matrix is None or agreed.sum() < AGREE * kept.sum():
        return None
    return np.asarray(matrix, np.float64)


def _grey(image: Image) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), np.uint8)


def _followed(
    first: NDArray[np.uint8], second: NDArray[np.uint8], corners: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return where corners, n x 1 x 2, of one grey picture are in the next, and which of them were found."""
    start = corners.copy()
    there, found, _ = cv2.calcOpticalFlowPyrLK(first, second, corners, start, winSize=(21, 21), maxLevel=4)
    return np.asarray(there, np.float32), np.asarray(found)[:, 0] > 0


def _around(shape: tuple[int, ...], points: Points) -> NDArray[np.uint8]:
    """Return the mask of a face's surroundings in a picture of height and width `shape`."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    margin = MARGIN * (high - low)
    (x0, y0), (x1, y1) = np.floor(low - margin).astype(int).clip(0), np.ceil(high + margin).astype(int).clip(0)
    mask = np.zeros(shape, np.uint8)
    mask[y0:y1, x0:x1] = 255
    return mask
