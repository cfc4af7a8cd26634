"""Poses are recovered exactly, and limits are smooth."""

from __future__ import annotations

import numpy as np
import pytest

from lp_ray.face.mediapipe.mesh import canonical_mesh
from lp_ray.face.pose import (
    PICTURE_AXES,
    angles_of,
    fit_poses,
    nearest_rotation,
    project,
    rotation_from_angles,
    to_canonical,
)
from lp_ray.motion.limits import soft_limit


@pytest.mark.parametrize("angles", [(0, 0, 0), (12, -20, 5), (-30, 41, -17)])
def test_a_known_pose_is_recovered(angles: tuple[float, float, float]) -> None:
    mesh = canonical_mesh()
    rotation, shift = rotation_from_angles(*angles), np.array([250.0, -240.0, 31.0])
    points = project(mesh.vertices, 13.7, rotation, shift)[None]
    rigid = mesh.rigid_indices
    poses = fit_poses(points[:, rigid], mesh.vertices[rigid], mesh.rigid_weights)
    assert poses.scale[0] == pytest.approx(13.7)
    np.testing.assert_allclose(poses.rotation[0], rotation, atol=1e-9)
    np.testing.assert_allclose(poses.translation[0], shift, atol=1e-8)
    np.testing.assert_allclose(angles_of(poses.rotation[0]), angles, atol=1e-7)
    np.testing.assert_allclose(to_canonical(points, poses)[0], mesh.vertices, atol=1e-8)


def test_a_fit_is_never_a_mirror_image() -> None:
    mesh = canonical_mesh()
    rigid = mesh.rigid_indices
    mirrored = (mesh.vertices[rigid] * [-1, 1, 1] * PICTURE_AXES)[None]
    poses = fit_poses(mirrored, mesh.vertices[rigid], mesh.rigid_weights)
    assert np.linalg.det(poses.rotation[0]) == pytest.approx(1)


def test_positive_angles_look_down_turn_right_and_lean_left() -> None:
    towards_camera, up = np.array([0, 0, 1.0]), np.array([0, 1.0, 0])
    assert (rotation_from_angles(10, 0, 0) @ towards_camera)[1] < 0
    assert (rotation_from_angles(0, 10, 0) @ towards_camera)[0] > 0
    assert (rotation_from_angles(0, 0, 10) @ up)[0] < 0


def test_the_limit_is_exact_below_the_knee_never_passed_and_rising() -> None:
    values = np.linspace(-200, 200, 4001)
    limited = soft_limit(values, 25.0)
    small = np.abs(values) <= 15
    np.testing.assert_array_equal(limited[small], values[small])
    assert np.abs(limited).max() <= 25
    steps = np.diff(limited)
    assert (steps >= 0).all()
    assert np.abs(np.diff(steps)).max() < 2e-3, "the slope has a kink"


def test_nearest_rotation_is_a_rotation() -> None:
    rotation = rotation_from_angles(5, 10, 15)
    np.testing.assert_allclose(nearest_rotation(rotation * 0.9 + 0.01), rotation, atol=0.03)
    np.testing.assert_allclose(nearest_rotation(rotation), rotation, atol=1e-12)
