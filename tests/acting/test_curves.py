"""Curves start at rest, stay in range, and are functions of time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from lp_ray.acting import ONSET_S, PERFORMANCES, curves
from lp_ray.base.errors import RefusedError

CONTROLS = ("yaw", "pitch", "roll", "jaw", "blink", "smile", "brow")


@pytest.mark.parametrize("name", PERFORMANCES)
@pytest.mark.parametrize("fps", [Fraction(24), Fraction(30000, 1001), Fraction(60)])
def test_all_is_at_rest_until_the_onset_and_in_range_after(name: str, fps: Fraction) -> None:
    asked = curves(name, 400, fps)
    assert len(asked) == 400
    before = np.arange(400) / float(fps) <= ONSET_S
    for control in CONTROLS:
        curve = getattr(asked, control)
        assert curve.shape == (400,)
        assert np.abs(curve[before]).max() == 0
        assert np.abs(curve).max() <= (20 if control in ("yaw", "pitch", "roll") else 1)


@pytest.mark.parametrize("name", PERFORMANCES)
def test_the_same_second_looks_the_same_at_any_rate_and_length(name: str) -> None:
    slow, fast = curves(name, 50, Fraction(25)), curves(name, 240, Fraction(50))
    for control in CONTROLS:
        np.testing.assert_allclose(getattr(slow, control), getattr(fast, control)[:100:2], atol=1e-9)


@pytest.mark.parametrize("name", PERFORMANCES)
def test_blinks_stay_shut_for_three_frames(name: str) -> None:
    shut = curves(name, 200, Fraction(25)).blink == 1
    edges = np.flatnonzero(np.diff(np.concatenate([[0], shut.astype(int), [0]])))
    lengths = edges[1::2] - edges[::2]
    assert len(lengths) >= 2
    assert set(lengths.tolist()) <= {3, 4}


@pytest.mark.parametrize(
    ("name", "moving"),
    [
        ("talk", {"yaw", "pitch", "roll", "jaw", "blink", "smile", "brow"}),
        ("nod_and_shake", {"yaw", "pitch", "roll", "blink"}),
        ("expressions", {"yaw", "jaw", "blink", "smile", "brow"}),
    ],
)
def test_each_performance_uses_its_controls(name: str, moving: set[str]) -> None:
    asked = curves(name, 200, Fraction(25))
    assert {control for control in CONTROLS if np.ptp(getattr(asked, control)) > 0} == moving


def test_speech_pauses_and_opens_several_times_a_second() -> None:
    jaw = curves("talk", 500, Fraction(50)).jaw
    peaks = (jaw[1:-1] > jaw[:-2]) & (jaw[1:-1] >= jaw[2:])
    assert 20 < peaks.sum() < 60
    assert (jaw == 0).mean() > 0.1


@pytest.mark.parametrize(
    ("name", "n_frames", "fps", "message"),
    [
        ("tlak", 10, Fraction(25), "did you mean 'talk'"),
        ("talk", 0, Fraction(25), "must be positive"),
        ("talk", 5, Fraction(0), "must be positive"),
    ],
)
def test_impossible_performances_are_refused(name: str, n_frames: int, fps: Fraction, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        curves(name, n_frames, fps)
