"""The smoother against the reference's Kalman smoother."""

from __future__ import annotations

import numpy as np

from lp_ray.motion.smoothing import smooth
from tests.goldens import Goldens

TOLERANCE = 1e-6


def test_every_track_at_every_observation_variance(goldens: Goldens) -> None:
    """`<case>/input` (n x 1 x a x b) smooths to `<case>/smooth_<observation variance>` (n x a x b)."""
    with np.load(goldens / "kalman.npz") as file:
        arrays = dict(file)
    names = [name for name in arrays if "/smooth_" in name]
    assert names, "kalman.npz holds no smoothed track"
    errors = {}
    for name in names:
        case, variance = name.split("/smooth_")
        ours = smooth(arrays[f"{case}/input"][:, 0], float(variance))
        assert ours.shape == arrays[name].shape and ours.dtype == np.float32
        errors[name] = float(np.abs(ours - arrays[name]).max())
    assert not {name: error for name, error in errors.items() if error > TOLERANCE}
