"""Implicit keypoints: place canonical keypoints in the volume by a motion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.transform import Rotation

from lp_ray.base.errors import EngineOutputError

F32 = NDArray[np.float32]

N_KEYPOINTS = 21


def rotation(pitch: F32, yaw: F32, roll: F32) -> F32:
    """Return the rotations, n x 3 x 3, of head poses in degrees (n or n x 1 each).

    R = (Rz(roll) Ry(yaw) Rx(pitch)) transposed, because keypoints are row vectors (LivePortrait, eq. 2).
    """
    angles = np.stack([np.ravel(pitch), np.ravel(yaw), np.ravel(roll)], axis=1)
    matrices: NDArray[np.float64] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return matrices.transpose(0, 2, 1).astype(np.float32)


def keypoints(kp: F32, scale: F32, R: F32, exp: F32, t: F32) -> F32:
    """Return x = scale * (kp R + exp) + t, n x 21 x 3 (LivePortrait, eq. 2), with t along x and y only.

    `kp` and `exp` are n x 21 x 3, `scale` n x 1, `R` n x 3 x 3, `t` n x 3. An array with one row instead of n applies
    to all frames.
    """
    flat_t = t * np.array([1, 1, 0], np.float32)
    return scale[:, None] * (kp @ R + exp) + flat_t[:, None]


def hull_multiplier(x_s: F32, x_reference: F32) -> np.float32:
    """Return sqrt(volume of x_s's convex hull / volume of x_reference's): how much larger the source moves.

    Both are 21 x 3. Raises EngineOutputError if either set of keypoints is flat or not finite.
    """
    try:
        volumes = [ConvexHull(x.astype(np.float64)).volume for x in (x_s, x_reference)]
    except (QhullError, ValueError) as error:
        raise EngineOutputError(
            "keypoints of the source or of the driving's reference frame span no volume: "
            "choose another reference frame, or another picture of the source"
        ) from error
    return np.float32(np.sqrt(volumes[0] / volumes[1]))
