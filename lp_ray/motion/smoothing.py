"""Smooth motion tracks over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation

from lp_ray.motion.keypoints import F32
from lp_ray.motion.records import DrivingMotion

PROCESS_VARIANCE = 1e-5
INITIAL_VARIANCE = 1.0


def smooth(track: F32, observation_variance: float) -> F32:
    """Return the Kalman-smoothed track, n x ..., of a random walk seen through noise.

    The state starts at the first value with variance 1, walks with variance 1e-5 a frame and is observed with
    `observation_variance` (> 0). The Rauch-Tung-Striebel smoother (1965) gives the mean of the states given
    all observations; for a linear Gaussian chain that is the minimum of

        (x_0 - z_0)^2 / 1 + sum (x_i - x_{i-1})^2 / 1e-5 + sum (x_i - z_i)^2 / observation_variance,

    one tridiagonal system shared by all dimensions, because every covariance is a multiple of the identity.
    """
    n = len(track)
    if n == 1:  # the start equals the only observation; LAPACK refuses a system without off-diagonal
        return track.copy()
    walk, seen = 1 / PROCESS_VARIANCE, 1 / observation_variance
    bands = np.zeros((2, n))  # upper form of scipy: row 0 above the diagonal, row 1 the diagonal
    bands[0, 1:] = -walk
    bands[1] = seen
    bands[1, 1:] += walk
    bands[1, :-1] += walk
    bands[1, 0] += 1 / INITIAL_VARIANCE

    right = seen * track.reshape(n, -1).astype(np.float64)
    right[0] += track[0].ravel() / INITIAL_VARIANCE
    smoothed: NDArray[np.float64] = solveh_banded(bands, right, overwrite_b=True, check_finite=False)
    return smoothed.reshape(track.shape).astype(np.float32)


def smooth_driving(driving: DrivingMotion, observation_variance: float) -> DrivingMotion:
    """Return a whole driving with motion and ratios smoothed over time, for source pictures.

    Rotations stay rotations. A still is returned unchanged. The driving must be whole, because smoothing uses all
    frames.
    """
    if driving.is_still or len(driving) == 1:
        return driving

    def track(rows: F32) -> F32:
        return smooth(rows, observation_variance)

    nearest = Rotation.from_matrix(track(driving.R).astype(np.float64)).as_matrix()
    return DrivingMotion(
        track(driving.scale),
        nearest.astype(np.float32),
        track(driving.exp),
        track(driving.t),
        None if driving.eye_ratio is None else track(driving.eye_ratio),
        None if driving.lip_ratio is None else track(driving.lip_ratio),
        driving.is_still,
    )
