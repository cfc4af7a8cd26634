"""The stitching and retargeting heads in numpy, on the seeded weights of the goldens' recipe."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


class NumpyMlp:
    """Linear layers with ReLU between, weights `model` under `salt` (goldens README, "Recipe")."""

    def __init__(self, goldens: Path, salt: str, model: str) -> None:
        tensors = json.loads((goldens / "state_dicts.json").read_text())["human"][model]["tensors"]
        self.layers = [
            (
                _seeded(salt, model, name, shape),
                _seeded(salt, model, name.replace("weight", "bias"), shape[:1]),
            )
            for name, (shape, _) in tensors.items()
            if name.endswith("weight")
        ]

    def __call__(self, x: F32) -> F32:
        *hidden, (weight, bias) = self.layers
        for hidden_weight, hidden_bias in hidden:
            x = np.maximum(x @ hidden_weight.T + hidden_bias, 0)
        return x @ weight.T + bias


class NumpyHeads:
    """Heads of lp_ray.motion.retarget for the goldens' human (`human0`) or animal (`animal0`) weights."""

    def __init__(self, goldens: Path, salt: str) -> None:
        self._stitch, self._lip, self._eye = (
            NumpyMlp(goldens, salt, model) for model in ("S_shoulder", "S_mouth", "S_eye")
        )

    def stitch(self, x_s: F32, x_d: F32) -> F32:
        n = len(x_d)
        delta = self._stitch(np.concatenate([x_s.reshape(n, -1), x_d.reshape(n, -1)], axis=1))
        shift = np.pad(delta[:, 63:], ((0, 0), (0, 1)))
        return x_d + delta[:, :63].reshape(n, 21, 3) + shift[:, None]

    def eye_delta(self, x_s: F32, ratios: F32) -> F32:
        return self._eye(np.concatenate([x_s.reshape(len(x_s), -1), ratios], axis=1)).reshape(-1, 21, 3)

    def lip_delta(self, x_s: F32, ratios: F32) -> F32:
        return self._lip(np.concatenate([x_s.reshape(len(x_s), -1), ratios], axis=1)).reshape(-1, 21, 3)


def _seeded(salt: str, model: str, name: str, shape: list[int]) -> F32:
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(f"{salt}:{model}:{name}".encode())))
    spread = 0.1 if name.endswith("bias") else 1 / np.sqrt(shape[1])
    return (generator.standard_normal(shape) * spread).astype(np.float32)
