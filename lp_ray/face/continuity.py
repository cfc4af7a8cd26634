"""Match the faces of one frame with those of another, and tell whether two frames show the same scene."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from lp_ray.base.arrays import Image
from lp_ray.face.protocol import Face

REACH = 1.5
"""How far a face may move between two frames and still be matched, in sides of its bounds."""

CUT = 0.6
"""If the correlation of two frames is below this, they show different scenes.

Measured: neighbouring frames in the reference's example clips have 0.88 and more, pictures of different scenes 0.53 and
less.
"""

_SCENE_SIDE = 24
_FLAT = 2.0
"""A frame whose grey levels deviate less than this shows nothing that could be compared."""


def match(known: Sequence[Face], faces: Sequence[Face]) -> dict[int, int]:
    """Return which of `known` is which of `faces`, by index: the matching of least total distance, within REACH."""
    if not known or not faces:
        return {}
    costs = np.array([[apart(one, other) for other in faces] for one in known])
    pairs = zip(*linear_sum_assignment(np.minimum(costs, 2 * REACH)), strict=True)
    return {int(i): int(j) for i, j in pairs if costs[i, j] <= REACH}


def near(one: Face, other: Face) -> bool:
    """Return whether two faces are so close that one may be mistaken for the other."""
    return apart(one, other) <= 2 * REACH


def clearly(face: Face, own: Face, others: Sequence[Face]) -> bool:
    """Return whether a face is at most half as far from `own` as from any of `others`."""
    return all(2 * apart(face, own) <= apart(face, other) for other in others)


def scene(image: Image) -> NDArray[np.float32] | None:
    """Return a coarse description of a frame as a unit vector; None for a frame without structure (black, white)."""
    small = cv2.resize(image, (_SCENE_SIDE, _SCENE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean((0, 1))
    deviation = float(small.std())
    return None if deviation < _FLAT else (small / (deviation * np.sqrt(small.size))).ravel()


def is_cut(before: NDArray[np.float32] | None, after: NDArray[np.float32] | None) -> bool:
    """Return whether two scenes differ completely; False if one of them has no structure."""
    return before is not None and after is not None and float(before @ after) < CUT


def apart(one: Face, other: Face) -> float:
    """Return the distance of the centres of two faces, divided by their mean side."""
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = one.box, other.box
    side = (max(ax1 - ax0, ay1 - ay0) + max(bx1 - bx0, by1 - by0)) / 2
    return float(np.hypot(ax0 + ax1 - bx0 - bx1, ay0 + ay1 - by0 - by1) / 2 / max(side, 1e-6))
