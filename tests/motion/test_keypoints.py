"""Keypoints and their geometry."""

from __future__ import annotations

import numpy as np
import pytest

from lp_ray.base.errors import EngineOutputError
from lp_ray.motion.keypoints import hull_multiplier, keypoints, rotation
from tests.goldens import Goldens


def test_rotation_is_orthonormal_and_turns_row_vectors_the_documented_way() -> None:
    """R = (Rz Ry Rx)^T: a row vector times R is first turned about x, then y, then z."""
    angles = np.random.default_rng(0).uniform(-90, 90, (3, 20, 1)).astype(np.float32)
    R = rotation(*angles)
    assert R.shape == (20, 3, 3) and R.dtype == np.float32
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.tile(np.eye(3), (20, 1, 1)), atol=1e-6)
    quarter, zero = np.array([90], np.float32), np.zeros(1, np.float32)
    np.testing.assert_allclose([0, 1, 0] @ rotation(quarter, zero, zero)[0], [0, 0, 1], atol=1e-7)
    np.testing.assert_allclose([0, 0, 1] @ rotation(zero, quarter, zero)[0], [1, 0, 0], atol=1e-7)
    np.testing.assert_allclose([1, 0, 0] @ rotation(zero, zero, quarter)[0], [0, 1, 0], atol=1e-7)
    both = rotation(quarter, zero, quarter)[0]
    np.testing.assert_allclose(both, rotation(quarter, zero, zero)[0] @ rotation(zero, zero, quarter)[0], atol=1e-7)


def test_rotation_and_keypoints_of_the_reference(goldens: Goldens) -> None:
    """module_pose.npz: degrees -> R, keypoint info -> x_s, within 1e-5."""
    with np.load(goldens / "module_pose.npz") as file:
        pose = dict(file)
    angles = pose["angles_deg"]
    np.testing.assert_allclose(rotation(*angles.T), pose["R"], atol=1e-5)
    R = rotation(pose["tk/pitch"], pose["tk/yaw"], pose["tk/roll"])
    x_s = keypoints(pose["tk/kp"], pose["tk/scale"], R, pose["tk/exp"], pose["tk/t"])
    np.testing.assert_allclose(x_s, pose["tk/x_s"], atol=1e-5)


def test_translation_along_depth_is_dropped() -> None:
    kp = np.zeros((1, 21, 3), np.float32)
    one, t = np.ones((1, 1), np.float32), np.array([[1, 2, 3]], np.float32)
    x = keypoints(kp, one, np.eye(3, dtype=np.float32)[None], kp, t)
    np.testing.assert_array_equal(x[0, 0], [1, 2, 0])


def test_hull_multiplier_of_a_scaled_set_is_the_scale_to_three_halves() -> None:
    x = np.random.default_rng(2).normal(size=(21, 3)).astype(np.float32)
    assert hull_multiplier(4 * x, x) == pytest.approx(8, rel=1e-5)
    assert hull_multiplier(x, x) == 1


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_keypoints_without_volume_are_an_error_that_says_so(fill: float) -> None:
    x = np.random.default_rng(2).normal(size=(21, 3)).astype(np.float32)
    flat = x.copy()
    flat[:, 2] = fill
    with pytest.raises(EngineOutputError, match="no volume"):
        hull_multiplier(x, flat)
