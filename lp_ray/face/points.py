"""Measure faces by their landmarks, for every supported landmark set: places of eyes and mouth, and how open they are.

The index tables are for the landmark sets that LivePortrait's cropper knows (5, 9, 68, 101, 106 and 203 points) and for
MediaPipe's 478.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EPS = 1e-6

# Points per set: (left eye, right eye, mouth), left of the picture first; each place is their mean.
_PLACES: dict[int, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    5: ((0,), (1,), (3, 4)),
    9: ((2, 3), (0, 1), (5, 6)),
    68: ((36, 39), (42, 45), (48, 54)),
    101: ((39, 42, 45, 48), (51, 54, 57, 60), (75, 81)),
    106: ((33, 35, 40, 39), (87, 89, 94, 93), (52, 61)),
    203: ((0, 6, 12, 18), (24, 30, 36, 42), (48, 66)),
    478: ((33, 133, 159, 145), (263, 362, 386, 374), (61, 291)),
}

# Openings per set: (top, bottom, one corner, other corner) of the left eye, the right eye and the lips.
_OPENINGS: dict[int, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    203: ((6, 18, 0, 12), (30, 42, 24, 36), (90, 102, 48, 66)),
    478: ((159, 145, 33, 133), (386, 374, 263, 362), (13, 14, 61, 291)),
}

# MediaPipe's oval without the forehead, then brows, inner lips and the corners of eyes and mouth: the other sets
# end at the brows, and a crop by all 478 points would be looser than the reference's.
EXTENT_478 = (
    *(389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176),
    *(149, 150, 136, 172, 58, 132, 93, 234, 127, 162),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
    *(61, 291, 0, 17, 1, 33, 133, 362, 263),
)
"""Those of the 478 points whose extent gives the size of a crop."""


def two_points(points: NDArray[np.floating], use_lips: bool = True) -> NDArray[np.float64]:
    """Return the two points that place a face: ... x 2 x 2, the middle of the eyes and the middle of the mouth.

    `points` is ... x K x (2|3). K is 5, 9, 68, 106, 203 or 478, or 101 or any other number above (then the first 101
    are used). Without lips: the left eye, and the point as far below it as the right eye is beside it. Raises
    ValueError for other numbers of points.
    """
    n_points = points.shape[-2]
    key = n_points if n_points in _PLACES or n_points < 101 else 101
    if key not in _PLACES:
        raise ValueError(f"{n_points} landmarks: known are {', '.join(map(str, _PLACES))} and more than 101")
    flat = points[..., :2].astype(np.float64)
    left, right, mouth = (flat[..., list(indices), :].mean(-2) for indices in _PLACES[key])
    if use_lips:
        return np.stack([(left + right) / 2, mouth], -2)
    across = right - left
    down = np.stack([-across[..., 1], across[..., 0]], -1)
    return np.stack([left, left + down], -2)


def extent_points(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return x and y of those of ... x K x (2|3) points whose extent gives the size of a crop: ... x L x 2."""
    flat = points[..., EXTENT_478, :2] if points.shape[-2] == 478 else points[..., :2]
    return flat.astype(np.float64)


def eye_ratios(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return how open the eyes are, n x 2 (left of the picture first): height over width.

    `points` is n x K x (2|3) with K of 203 or 478. Raises ValueError for other numbers of points.
    """
    left, right, _ = _openings(points)
    return np.stack([_opening(points, left), _opening(points, right)], -1).astype(np.float32)


def lip_ratio(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return how open the lips are, n x 1: inner height over outer width. Otherwise as `eye_ratios`."""
    return _opening(points, _openings(points)[2])[..., None].astype(np.float32)


def _openings(points: NDArray[np.floating]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    if points.shape[-2] not in _OPENINGS:
        known = " or ".join(map(str, _OPENINGS))
        raise ValueError(f"eye and lip ratios need {known} landmarks, not {points.shape[-2]}")
    return _OPENINGS[points.shape[-2]]


def _opening(points: NDArray[np.floating], indices: tuple[int, ...]) -> NDArray[np.float64]:
    top, bottom, one, other = (points[..., i, :2].astype(np.float64) for i in indices)
    height = np.linalg.norm(top - bottom, axis=-1)
    width: NDArray[np.float64] = np.linalg.norm(one - other, axis=-1)
    return np.asarray(height / (width + _EPS), np.float64)
