"""Weights and inputs of the engine's benchmark: seeded, the same for both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lp_ray.engine.liveportrait.config import N_KEYPOINTS

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Inputs:
    """Crops n x 256 x 256 x 3, keypoints of the source 1 x 21 x 3 and of n frames n x 21 x 3."""

    crops: NDArray[np.uint8]
    x_s: F32
    x_d: F32


def make_inputs(n: int) -> Inputs:
    """Return n frames of noise with structure at all scales, and keypoints that move as far as a head does."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, 16, 16, 3)).repeat(16, 1).repeat(16, 2)
    crops = np.clip(coarse + rng.integers(-16, 17, (n, 256, 256, 3)), 0, 255).astype(np.uint8)
    x_s = (0.3 * rng.standard_normal((1, N_KEYPOINTS, 3))).astype(np.float32)
    x_d = (x_s + 0.08 * rng.standard_normal((n, N_KEYPOINTS, 3))).astype(np.float32)
    return Inputs(crops, x_s, x_d)
