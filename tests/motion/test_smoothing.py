"""The smoother against the textbook recursion it stands for, and its limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray.motion.records import DrivingMotion
from lp_ray.motion.smoothing import INITIAL_VARIANCE, PROCESS_VARIANCE, smooth, smooth_driving
from tests.motion.test_transfer import _frames


def _recursion(track: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    """Kalman filter forward, Rauch-Tung-Striebel backward, one scalar gain for all dimensions."""
    mean, variance = track[0], INITIAL_VARIANCE
    means, variances, predicted = [], [], []
    for i, seen in enumerate(track):
        variance += PROCESS_VARIANCE if i else 0
        predicted.append(variance)
        gain = variance / (variance + noise)
        mean, variance = mean + gain * (seen - mean), (1 - gain) * variance
        means.append(mean)
        variances.append(variance)
    for i in range(len(track) - 2, -1, -1):
        means[i] = means[i] + variances[i] / predicted[i + 1] * (means[i + 1] - means[i])
    return np.array(means)


@pytest.mark.parametrize("noise", [1e-7, 3e-7, 1e-3, 10.0])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_equals_the_recursion(n: int, noise: float) -> None:
    track = np.random.default_rng(n).normal(size=(n, 21, 3)).astype(np.float32)
    expected = _recursion(track.reshape(n, -1).astype(np.float64), noise).reshape(track.shape)
    smoothed = smooth(track, noise)
    assert smoothed.dtype == np.float32
    np.testing.assert_allclose(smoothed, expected, atol=2e-7)


def test_does_not_touch_its_input() -> None:
    track = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    before = track.copy()
    smooth(track, 3e-7)
    np.testing.assert_array_equal(track, before)


def test_one_frame_and_a_still_track_stay_as_they_are() -> None:
    track = np.full((30, 3, 3), 0.25, np.float32)
    np.testing.assert_allclose(smooth(track, 1e-5), track, atol=1e-7)
    np.testing.assert_array_equal(smooth(track[:1], 1e-5), track[:1])


def test_more_noise_makes_a_smoother_track() -> None:
    track = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32)
    steps = [np.abs(np.diff(smooth(track, noise), axis=0)).mean() for noise in (1e-7, 1e-5, 1e-3)]
    assert steps[0] > steps[1] > steps[2]


def test_a_smoothed_driving_shakes_less_and_stays_a_motion() -> None:
    """Every track is smoother, rotations are rotations, lacking ratios stay lacking; a still stays as it is."""
    driving = DrivingMotion.from_frames(_frames(4, 40), False)
    smoothed = smooth_driving(replace(driving, lip_ratio=None), 1e-3)

    def shaking(track: NDArray[np.float32]) -> float:
        return float(np.abs(np.diff(track, 2, axis=0)).mean())

    for name in ("scale", "R", "exp", "t", "eye_ratio"):
        assert shaking(getattr(smoothed, name)) < 0.2 * shaking(getattr(driving, name)), name
    identity = np.broadcast_to(np.eye(3), (40, 3, 3))
    np.testing.assert_allclose(smoothed.R @ smoothed.R.transpose(0, 2, 1), identity, atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(smoothed.R), 1, atol=1e-5)
    assert smoothed.lip_ratio is None
    still = replace(driving.take(slice(0, 1)), is_still=True)
    assert smooth_driving(still, 1e-3) is still
