"""What a frame was asked to show, in the axes in which the finished video is measured.

An engine says how it turns the source's head in its crop (`rotation`: a matrix for column vectors, applied after the
source's own pose; x right, y up, z towards the camera). A crop may be turned in the picture, and the source's own pose
is measured there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lp_ray.face.pose import Array, angles_of

_PICTURE_ORDER = [1, 0, 2]


def turns_in_picture(rotation: NDArray[np.floating], crop_to_picture: NDArray[np.floating]) -> Array:
    """Return n turns of a head in a crop (n x 3 x 3) as turns in the picture. `crop_to_picture` is n x 2 x 3."""
    about = np.arctan2(crop_to_picture[:, 1, 0], crop_to_picture[:, 0, 0])  # clockwise on the screen
    placed = np.zeros((len(about), 3, 3))
    placed[:, 0, 0] = placed[:, 1, 1] = np.cos(about)
    placed[:, 0, 1], placed[:, 1, 0] = np.sin(about), -np.sin(about)  # y is up here
    placed[:, 2, 2] = 1
    turned: Array = placed @ rotation.astype(np.float64) @ placed.transpose(0, 2, 1)
    return turned


def angles(rotation: NDArray[np.floating]) -> Array:
    """Return yaw, pitch, roll in degrees (n x 3) of rotations (n x 3 x 3), as `head_pose.HeadPoses.angles`."""
    degrees: Array = angles_of(rotation.astype(np.float64))[..., _PICTURE_ORDER]
    return degrees


def asked_angles(turns: Array, source: NDArray[np.floating]) -> Array:
    """Return yaw, pitch, roll in degrees (n x 3) of a source whose head is turned.

    `turns` n x 3 x 3 as from `turns_in_picture`; `source` is the pose of the source (n or 1 x 3 x 3).
    """
    return angles(turns @ source.astype(np.float64))
