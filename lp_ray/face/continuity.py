"""Which of the faces of one frame are those of another, and whether two frames show one scene at all."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from lp_ray.base.arrays import Image
from lp_ray.face.protocol import Face

REACH = 1.5
"""How far a face may have gone between two frames to be looked for there, in sides of its bounds."""

CUT = 0.6
"""Correlation of two frames under which they show two scenes.

Measured: neighbours in the reference's example clips 0.88 and more, pictures of different scenes 0.53 and less.
"""

_SCENE_SIDE = 24
_FLAT = 2.0
"""Grey levels of deviation under which a frame shows nothing that could be compared."""


def match(known: Sequence[Face], faces: Sequence[Face]) -> dict[int, int]:
    """Return which of `known` is which of `faces`, by index: pairs with the least distance in all, within REACH."""
    if not known or not faces:
        return {}
    costs = np.array([[_distance(one, other) for other in faces] for one in known])
    pairs = zip(*linear_sum_assignment(np.minimum(costs, 2 * REACH)), strict=True)
    return {int(i): int(j) for i, j in pairs if costs[i, j] <= REACH}


def near(one: Face, other: Face) -> bool:
    """Whether two faces are so near that one can be taken for the other."""
    return _distance(one, other) <= 2 * REACH


def clearly(face: Face, own: Face, others: Sequence[Face]) -> bool:
    """Whether a face is half as far from `own` as from any of `others`, or nearer."""
    return all(2 * _distance(face, own) <= _distance(face, other) for other in others)


def scene(image: Image) -> NDArray[np.float32] | None:
    """Return what a frame shows, coarsely, as a unit vector; None for a frame that shows nothing (black, white)."""
    small = cv2.resize(image, (_SCENE_SIDE, _SCENE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean((0, 1))
    deviation = float(small.std())
    return None if deviation < _FLAT else (small / (deviation * np.sqrt(small.size))).ravel()


def is_cut(before: NDArray[np.float32] | None, after: NDArray[np.float32] | None) -> bool:
    """Whether two scenes differ wholly; never where one of them shows nothing."""
    return before is not None and after is not None and float(before @ after) < CUT


def _distance(one: Face, other: Face) -> float:
    """Distance of the middles of two faces over their mean side."""
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = one.box, other.box
    side = (max(ax1 - ax0, ay1 - ay0) + max(bx1 - bx0, by1 - by0)) / 2
    return float(np.hypot(ax0 + ax1 - bx0 - bx1, ay0 + ay1 - by0 - by1) / 2 / max(side, 1e-6))
