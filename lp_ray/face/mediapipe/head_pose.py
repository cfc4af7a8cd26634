"""The pose of a head in front of a camera, by a fit to the canonical mesh.

The camera and the method are those of MediaPipe's face geometry (Apache-2.0; its documentation of the face transform
and `procrustes_solver`): a pinhole camera with a vertical angle of 63 degrees. Landmarks give x and y on its picture
plane, and a depth of unknown unit. The size of the canonical face in centimetres gives the unit, in two steps, because
a point's distance from the axis depends on its distance from the camera.

Axes are those of the canonical mesh: x to the right of the picture, y up, z towards the camera, centimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lp_ray.face.mediapipe.mesh import N_VERTICES, canonical_mesh
from lp_ray.face.mediapipe.networks import N_POINTS
from lp_ray.face.pose import Array, Poses, angles_of, fit_poses

FIELD_OF_VIEW = 63.0
"""Vertical angle in degrees of the camera that took the picture (MediaPipe's assumption for every picture)."""

_NEAR = 1.0
_PLANE_AXES = np.array([1.0, 1.0, -1.0])
"""Unprojected points already have y up, and their depth grows away from the camera."""


@dataclass(frozen=True)
class HeadPoses:
    """Poses of n heads: x_camera = rotation @ x_canonical + translation.

    `rotation` n x 3 x 3. `translation` n x 3 in centimetres: the canonical face's origin (in the middle of the head) as
    seen from the camera, so z is negative.
    """

    rotation: Array
    translation: Array

    @property
    def angles(self) -> Array:
        """Return yaw, pitch, roll in degrees, n x 3.

        rotation = Rz(roll) Ry(yaw) Rx(pitch). Positive yaw turns to the right of the picture, positive pitch looks
        down, positive roll leans to the picture's left.
        """
        return angles_of(self.rotation)[..., [1, 0, 2]]


def head_poses(points: NDArray[np.floating], width: int, height: int) -> HeadPoses:
    """Return the poses of n faces in pictures of `width` x `height` pixels.

    `points` is n x 478 x 3, in pixels. Pictures must not be cropped, because the camera is assumed to look at their
    middle. Raises ValueError for another shape of points or a picture without size.
    """
    if points.ndim != 3 or points.shape[1:] != (N_POINTS, 3):
        raise ValueError(f"head poses need n x {N_POINTS} x 3 landmarks, not {' x '.join(map(str, points.shape))}")
    if width < 1 or height < 1:
        raise ValueError(f"a picture of {width} x {height} pixels has no head poses")
    unit = 2 * _NEAR * np.tan(np.radians(FIELD_OF_VIEW) / 2) / height
    plane = points[:, :N_VERTICES].astype(np.float64)
    # A pixel's centre lies on a whole number, the picture's edge half a pixel before it.
    plane[..., 0] = (plane[..., 0] + 0.5 - width / 2) * unit
    plane[..., 1] = (height / 2 - plane[..., 1] - 0.5) * unit
    plane[..., 2] *= unit
    rough = _fit(plane * _PLANE_AXES).scale
    fine = rough * _fit(_unproject(plane, rough)).scale
    poses = _fit(_unproject(plane, fine))
    return HeadPoses(poses.rotation, poses.translation)


def _unproject(plane: Array, scale: Array) -> Array:
    """Map points on the picture plane to camera space. Their mean depth becomes that of the plane divided by `scale`
    (n)."""
    depth = plane[..., 2] - plane[..., 2].mean(1, keepdims=True) + _NEAR
    depth = depth / scale[:, None]
    along = plane[..., :2] * depth[..., None] / _NEAR
    return np.concatenate([along, -depth[..., None]], -1)


def _fit(camera: Array) -> Poses:
    """Fit the canonical mesh to n x 468 x 3 points with the same axes."""
    mesh = canonical_mesh()
    rigid = mesh.rigid_indices
    return fit_poses(camera[:, rigid] * [1, -1, -1], mesh.vertices[rigid], mesh.rigid_weights)
