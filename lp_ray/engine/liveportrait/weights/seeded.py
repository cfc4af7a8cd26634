"""Random weights that anyone can make again, for tests and benchmarks without the published ones.

Every tensor comes from its own generator, seeded by the CRC-32 of "salt:model:key", and is scaled so that signals keep
their size through the networks. (Recipe: the reference numbers' README.)
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from numpy.typing import NDArray

from lp_ray.contract.variants import Variant
from lp_ray.engine.liveportrait.config import NetworkSize
from lp_ray.engine.liveportrait.networks import MODELS, Model, Shapes, StateDict, Weights, expected_shapes

SALTS: dict[Variant, str] = {"human": "human0", "animal": "animal0"}

RECIPE_VERSION = 1

STD = {
    "fc_kp": 0.30,
    "fc_exp": 0.05,
    "fc_scale": 0.10,
    "fc_t": 0.10,
    "fc_pitch": 2.5,
    "fc_yaw": 2.5,
    "fc_roll": 2.5,
    "mask": 2.0,
    "occlusion": 1.5,
    "fourth": 0.7,
    "conv_img.0": 1.0,
}
"""Standard deviation of a layer's output for unit input, by the layer's name; for other layers, by model."""

GAIN: dict[Model, float] = {
    "F": 1.0,
    "M": 1.0,
    "W": 2**0.5,
    "G": 1.0,
    "S_shoulder": 1.0,
    "S_mouth": 1.0,
    "S_eye": 1.0,
}

MEAN_SCALE = 1.2
"""Typical scale of keypoints, the bias of M's scale head."""


def seeded_weights(size: NetworkSize, salt: str) -> Weights:
    """Return weights of all models at a size. Full size takes seconds and 520 MB."""
    shapes = expected_shapes(size)
    return {model: seeded_state(salt, model, shapes[model]) for model in MODELS}


def seeded_state(salt: str, model: Model, shapes: Shapes) -> StateDict:
    """Return one model's state dict with the given keys and shapes."""
    state = {
        key: _tensor(salt, model, key, shape)
        for key, shape in shapes.items()
        if not key.endswith(("weight_u", "weight_v"))
    }
    for key in shapes:
        if key.endswith("weight_u"):
            stem = key.removesuffix("u")
            state[key], state[f"{stem}v"] = _singular_vectors(_rng(salt, model, key), state[f"{stem}orig"])
    return {key: torch.from_numpy(array) for key, array in state.items()}


def _rng(*parts: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(zlib.crc32(":".join(parts).encode())))


def _tensor(salt: str, model: Model, key: str, shape: tuple[int, ...]) -> NDArray[np.generic]:
    leaf = key.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return np.array(0, np.int64)
    z = _rng(salt, model, key).standard_normal(shape)
    if leaf == "running_var":
        x = np.exp(0.2 * z)
    elif leaf in ("running_mean", "bias", "gamma", "beta"):
        x = 0.1 * z + (MEAN_SCALE if key.endswith("fc_scale.bias") else 0)
    elif len(shape) == 1:  # the weight of a norm layer
        x = 1 + 0.1 * z
    else:
        layer = "conv_img.0" if key == "conv_img.0.weight" else key.split(".")[-2]
        x = z * (STD.get(layer, GAIN[model]) / np.sqrt(np.prod(shape[1:])))
    return x.astype(np.float32)


def _singular_vectors(
    rng: np.random.Generator, weight: NDArray[np.generic]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return u, v after one power iteration, on purpose not yet at the true largest singular value.

    An implementation that iterates again at inference then gives visibly other results.
    """
    matrix = weight.astype(np.float64).reshape(len(weight), -1)
    u = rng.standard_normal(len(matrix))
    u /= np.linalg.norm(u)
    v = matrix.T @ u
    v /= np.linalg.norm(v)
    u = matrix @ v
    u /= np.linalg.norm(u)
    return u.astype(np.float32), v.astype(np.float32)
