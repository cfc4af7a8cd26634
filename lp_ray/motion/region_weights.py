"""Weights per region for the driving's motion: from none of it to one and a half times as much.

They complement `animation_region`, which drives a region fully or not at all, as the reference does.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from lp_ray.motion.keypoints import F32, N_KEYPOINTS
from lp_ray.motion.records import Placement
from lp_ray.motion.regions import EYES, LIP


@dataclass(frozen=True)
class RegionWeights:
    """Weights for the head's pose (turn, place, size), for the expression of eyes and lips, and for all other
    expression."""

    pose: float = 1.0
    eyes: float = 1.0
    lip: float = 1.0
    exp: float = 1.0

    def apply(self, source: Placement, moved: Placement) -> Placement:
        """Return the source (n rows, or 1) moved part of the way to `moved` (n rows, or 1).

        With all weights 1 this is `moved` itself. Rotations go along the shortest way, and beyond `moved` for weights
        above 1.
        """
        if astuple(self) == (1, 1, 1, 1):
            return moved
        each = np.full((N_KEYPOINTS, 3), self.exp, np.float32)
        each[EYES], each[LIP] = self.eyes, self.lip
        exp = np.where(each == 1, moved.exp, source.exp + each * (moved.exp - source.exp))
        if self.pose == 1:
            return Placement(moved.scale, moved.R, exp, moved.t)
        weight = np.float32(self.pose)
        scale = source.scale + weight * (moved.scale - source.scale)
        t = source.t + weight * (moved.t - source.t)
        return Placement(scale, self._turned(source.R, moved.R), exp, t)

    def _turned(self, own: F32, moved: F32) -> F32:
        turn = (moved @ own.transpose(0, 2, 1)).astype(np.float64)  # smoothed rotations are only nearly rotations
        part = Rotation.from_rotvec(self.pose * Rotation.from_matrix(turn).as_rotvec()).as_matrix()
        turned: F32 = part.astype(np.float32) @ own
        return turned


EVEN = RegionWeights()
"""All of the driving's motion; only `animation_region` decides."""
