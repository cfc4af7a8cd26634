"""Rigid head pose from landmarks, and calculations with angles.

Canonical space is that of MediaPipe's face mesh: x to the right of the picture, y up, z towards the camera, one unit is
about a centimetre. A pose maps canonical points to the picture: q = scale * R c + translation, where q are the
landmarks as (x, -y, -z) in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PICTURE_AXES = np.array([1.0, -1.0, -1.0])
"""Landmarks are x right, y down, z away from the camera; canonical space has y and z reversed."""


@dataclass(frozen=True)
class Poses:
    """Similarity transforms of n frames: `scale` n (pixels per canonical unit), `rotation` n x 3 x 3 and
    `translation` n x 3 (pixels, y up, z towards the camera)."""

    scale: Array
    rotation: Array
    translation: Array


def fit_poses(points: Array, reference: Array, weights: Array) -> Poses:
    """Fit `reference` (k x 3, canonical) to `points` (n x k x 3, landmark axes) by weighted Procrustes analysis.

    Closed form by SVD (Umeyama, "Least-squares estimation of transformation parameters", 1991, eq. 40-42).
    """
    share = (weights / weights.sum())[:, None]
    picture = points * PICTURE_AXES
    picture_mean = (share * picture).sum(1, keepdims=True)
    reference_mean = (share * reference).sum(0)
    centred = picture - picture_mean
    model = reference - reference_mean
    left, singular, right = np.linalg.svd(np.matmul((centred * share).transpose(0, 2, 1), model))
    signs = np.ones((len(points), 3))
    signs[:, 2] = np.sign(np.linalg.det(np.matmul(left, right)))
    rotation = np.matmul(left * signs[:, None, :], right)
    scale = (singular * signs).sum(1) / (share * model**2).sum()
    translation = picture_mean[:, 0] - scale[:, None] * (rotation * reference_mean).sum(2)
    return Poses(scale, rotation, translation)


def to_canonical(points: Array, poses: Poses) -> Array:
    """Map landmarks (n x k x 3) to canonical space: R^T (q - t) / s."""
    centred = points * PICTURE_AXES - poses.translation[:, None]
    canonical: Array = np.matmul(centred, poses.rotation) / poses.scale[:, None, None]
    return canonical


def project(canonical: Array, scale: float, rotation: Array, translation: Array) -> Array:
    """Map canonical points (k x 3) of one frame to landmark axes (x right, y down, z away), in pixels."""
    points: Array = (scale * (canonical @ rotation.T) + translation) * PICTURE_AXES
    return points


def rotation_from_angles(pitch: float, yaw: float, roll: float) -> Array:
    """Return Rz(roll) Ry(yaw) Rx(pitch); angles in degrees.

    Positive pitch looks down, positive yaw turns to the right of the picture, positive roll leans to the picture's left
    (counter-clockwise).
    """
    (cp, cy, cr), (sp, sy, sr) = (
        np.cos(np.radians([pitch, yaw, roll])),
        np.sin(np.radians([pitch, yaw, roll])),
    )
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    rotation: Array = about_z @ about_y @ about_x
    return rotation


def angles_of(rotation: Array) -> Array:
    """Return pitch, yaw, roll in degrees (... x 3) of rotations (... x 3 x 3); inverts `rotation_from_angles`."""
    pitch = np.arctan2(rotation[..., 2, 1], rotation[..., 2, 2])
    yaw = np.arcsin(np.clip(-rotation[..., 2, 0], -1, 1))
    roll = np.arctan2(rotation[..., 1, 0], rotation[..., 0, 0])
    degrees: Array = np.degrees(np.stack([pitch, yaw, roll], -1))
    return degrees


def nearest_rotation(matrix: Array) -> Array:
    """Return the rotation nearest to a 3 x 3 matrix, in the Frobenius norm."""
    left, _, right = np.linalg.svd(matrix)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation: Array = (left * signs) @ right
    return rotation
