"""What the landmark models' indices mean: eyes, mouth, extent, opening ratios.

Indices of 203, 106, 101, 68, 9 and 5 points: ../shared/spec/liveportrait.md, "Cropping"; of MediaPipe's 478:
../shared/spec/preview.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lp_ray.face.protocol import Points

EPSILON = 1e-6

T = TypeVar("T")


@dataclass(frozen=True)
class PointMap:
    """Indices whose means are the eye centres and the mouth."""

    left_eye: tuple[int, ...]
    right_eye: tuple[int, ...]
    mouth: tuple[int, ...]


POINT_MAPS = {
    478: PointMap((33, 133, 159, 145), (263, 362, 386, 374), (61, 291)),
    203: PointMap((0, 6, 12, 18), (24, 30, 36, 42), (48, 66)),
    106: PointMap((33, 35, 40, 39), (87, 89, 94, 93), (52, 61)),
    101: PointMap((39, 42, 45, 48), (51, 54, 57, 60), (75, 81)),
    68: PointMap((36, 39), (42, 45), (48, 54)),
    9: PointMap((2, 3), (0, 1), (5, 6)),
    5: PointMap((0,), (1,), (3, 4)),
}

_OVAL_478 = (
    *(389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176),
    *(149, 150, 136, 172, 58, 132, 93, 234, 127, 162),
)
_BROWS_478 = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_INNER_LIPS_478 = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
_FEATURES_478 = (61, 291, 0, 17, 1, 33, 133, 362, 263)
EXTENT_478 = (*_OVAL_478, *_BROWS_478, *_INNER_LIPS_478, *_FEATURES_478)
"""MediaPipe's oval without the forehead, with the brows: with it, crops are looser than the reference's."""

_EYE_PAIRS = {203: ((6, 18, 0, 12), (30, 42, 24, 36)), 478: ((159, 145, 33, 133), (386, 374, 263, 362))}
_LIP_PAIRS = {203: (90, 102, 48, 66), 478: (13, 14, 61, 291)}


def point_map(n_points: int) -> PointMap:
    """Return the indices for a point count; any other count above 101 is read by its first 101."""
    if n_points in POINT_MAPS:
        return POINT_MAPS[n_points]
    if n_points > 101:
        return POINT_MAPS[101]
    raise ValueError(f"no landmark model has {n_points} points")


def two_points(points: Points, use_lips: bool = True) -> NDArray[np.float64]:
    """Return 2 x 2: the middle of the eyes and of the mouth.

    Without lips: the left eye, and the left eye plus the eye line turned by 90 degrees.
    """
    indices = point_map(len(points))
    left = points[list(indices.left_eye), :2].mean(0)
    right = points[list(indices.right_eye), :2].mean(0)
    if use_lips:
        return np.stack([(left + right) / 2, points[list(indices.mouth), :2].mean(0)])
    along = right - left
    return np.stack([left, left + np.array([-along[1], along[0]])])


def extent_points(points: Points) -> NDArray[np.float64]:
    """Return the points (m x 2) whose bounds a crop is sized by."""
    return points[list(EXTENT_478), :2] if len(points) == 478 else points[:, :2]


def eye_ratios(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return n x 2: opening of the left and right eye over its width, for n x (203|478) x (2|3) points."""
    pairs = _pairs(_EYE_PAIRS, points)
    return np.stack([_ratio(points, *indices) for indices in pairs], -1).astype(np.float32)


def lip_ratio(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return n x 1: opening of the lips over the mouth's width, for n x (203|478) x (2|3) points."""
    return _ratio(points, *_pairs(_LIP_PAIRS, points))[:, None].astype(np.float32)


def _pairs(table: dict[int, T], points: NDArray[np.float64]) -> T:
    if points.shape[1] not in table:
        raise ValueError(f"eye and lip ratios need 203 or 478 points, not {points.shape[1]}")
    return table[points.shape[1]]


def _ratio(points: NDArray[np.float64], a: int, b: int, c: int, d: int) -> NDArray[np.float64]:
    def distance(i: int, j: int) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(points[:, i, :2] - points[:, j, :2], axis=-1))

    return distance(a, b) / (distance(c, d) + EPSILON)
