"""How much of the driving's motion reaches the source, by region: between none of it and half as much again.

Beside `animation_region`, which takes a region wholly or not at all, as the reference does.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from lp_ray.motion.keypoints import F32, N_KEYPOINTS
from lp_ray.motion.records import Placement
from lp_ray.motion.regions import EYES, LIP

LOW, HIGH = 0.0, 1.5
"""Range of a weight: 0 holds a region as the source has it, 1 moves it as the driving does."""


@dataclass(frozen=True)
class RegionWeights:
    """Weights of the head's pose (turn, place, size), of eyes' and lips' expression, and of all other expression."""

    pose: float = 1.0
    eyes: float = 1.0
    lip: float = 1.0
    exp: float = 1.0

    def apply(self, source: Placement, moved: Placement) -> Placement:
        """Return the source (n rows, or 1) moved part of the way to `moved` (n rows, or 1).

        With all weights 1 that is `moved` itself. Turns go along the shortest way; past 1, beyond it.
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
"""All of the driving's motion: `animation_region` alone decides."""
