"""Hold a driving inside what looks good: soft limits of how far it turns a head from the source's own pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from lp_ray.motion.keypoints import F32

Array = NDArray[np.float64]

OFF = 180.0
"""A limit of so many degrees is none."""


def soft_limit(value: Array, limit: Array | float, knee: float = 0.6) -> Array:
    """Limit smoothly to +-limit: unchanged below knee * limit, continuous slope, never beyond."""
    start = knee * np.asarray(limit, np.float64)
    room = limit - start
    size = np.abs(value)
    bent = start + room * np.tanh(np.maximum(size - start, 0) / room)
    limited: Array = np.sign(value) * np.where(size <= start, size, bent)
    return limited


@dataclass(frozen=True)
class TurnLimits:
    """The most degrees of pitch, yaw and roll, either way, that a driving adds to a source's own pose."""

    pitch: float = OFF
    yaw: float = OFF
    roll: float = OFF

    def __bool__(self) -> bool:
        return (self.pitch, self.yaw, self.roll) != (OFF, OFF, OFF)

    def hold(self, angles: Array) -> Array:
        """Return pitch, yaw and roll in degrees (... x 3), each within its limit."""
        each = np.array([self.pitch, self.yaw, self.roll])
        return np.where(each == OFF, angles, soft_limit(angles, each))

    def times(self, factor: float) -> TurnLimits:
        """Return the limits of a motion that is going to be multiplied: with a factor of 2 they are half as wide."""
        if not self or factor <= 0:
            return self
        return TurnLimits(*(each if each == OFF else each / factor for each in (self.pitch, self.yaw, self.roll)))

    def apply(self, own: F32, moved: F32) -> F32:
        """Return the rotations `moved` (n x 3 x 3, for row vectors) held near `own` (n or 1 x 3 x 3).

        Frames that keep the limits stay as they are, bit by bit.
        """
        if not self:
            return moved
        turn = (moved.transpose(0, 2, 1) @ own).astype(np.float64)  # for column vectors, after the own pose
        angles = Rotation.from_matrix(turn).as_euler("xyz", degrees=True)
        held = self.hold(angles)
        kept = Rotation.from_euler("xyz", held, degrees=True).as_matrix().astype(np.float32)
        limited = own @ kept.transpose(0, 2, 1)
        changes = (held != angles).any(-1)
        return np.where(changes[:, None, None], limited, moved).astype(np.float32)


NONE = TurnLimits()
