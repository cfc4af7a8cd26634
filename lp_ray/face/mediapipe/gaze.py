"""Estimate where the eyes look, from the irises among the 478 landmarks.

The face is mapped to canonical space (centimetres, no head pose). There, the offset of an iris from its resting place
gives its angle on the eyeball: sin(angle) = offset / radius. This is an estimate: the landmarks are biased towards
where irises usually are, and behind shut lids they are guesses (use the eye ratios to tell).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lp_ray.face.mediapipe.mesh import canonical_mesh
from lp_ray.face.mediapipe.networks import N_POINTS
from lp_ray.face.pose import Array, fit_poses, to_canonical

RADIUS = 1.2
"""Distance in centimetres from the middle of an eyeball to its iris, for human eyes."""

REST_HEIGHT = 0.13
"""How far above the line between an eye's corners an iris rests, canonical centimetres: the mean over the faces of
the goldens (blendshapes.npz), whose median gaze is level."""

EYES = ((33, 133, 468), (362, 263, 473))
"""For each eye, left of the picture first: its corners from left to right, and the middle of its iris."""


def gaze(points: NDArray[np.floating]) -> Array:
    """Return yaw and pitch of both eyes relative to the head, in degrees: n x 2 eyes x 2, left of the picture first.

    Positive yaw looks to the right of the picture, positive pitch looks down, as for heads. `points` is n x 478 x 3 in
    pixels. Raises ValueError for another shape.
    """
    if points.ndim != 3 or points.shape[1:] != (N_POINTS, 3):
        raise ValueError(f"gaze needs n x {N_POINTS} x 3 landmarks, not {' x '.join(map(str, points.shape))}")
    mesh = canonical_mesh()
    rigid = mesh.rigid_indices
    whole = points.astype(np.float64)
    poses = fit_poses(whole[:, rigid], mesh.vertices[rigid], mesh.rigid_weights)
    corners_and_irises = to_canonical(whole[:, np.ravel(EYES)], poses).reshape(-1, 2, 3, 3)
    left, right, iris = (corners_and_irises[:, :, i] for i in range(3))
    offset = iris - (left + right) / 2
    yaw = np.arcsin(np.clip(offset[..., 0] / RADIUS, -1, 1))
    pitch = -np.arcsin(np.clip((offset[..., 1] - REST_HEIGHT) / RADIUS, -1, 1))
    degrees: Array = np.degrees(np.stack([yaw, pitch], -1))
    return degrees
