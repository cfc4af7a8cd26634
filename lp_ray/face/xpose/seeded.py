"""Seeded X-Pose weights and prompts, each tensor made from its key, for runs and tests without the official files.

The recipe is that of the project's reference numbers: text joined by ':' -> CRC-32 -> PCG64 -> normal values. With such
weights the network computes correctly, but finds nothing meaningful.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor

from lp_ray.face.xpose.config import OFFICIAL, TEXT_WIDTH, XPoseConfig
from lp_ray.face.xpose.prompts import TextPrompts
from lp_ray.face.xpose.swin import window_offsets
from lp_ray.face.xpose.weights import alias_keys, checkpoint_shapes

_LAST_LAYER_STD = {"bbox_embed": 0.3, "enc_out_bbox_embed": 0.3, "pose_embed": 0.5, "pose_hw_embed": 0.3}
_KEY_STD = {"projection.layers.2.weight": 0.05, "projection_kpt.layers.2.weight": 2.0}
_OFFSETS = "sampling_offsets"
_TEXT_STD = 0.4


def seeded_checkpoint(salt: str = "xpose0", config: XPoseConfig = OFFICIAL) -> dict[str, Tensor]:
    """Return every key of a checkpoint, float32 (index tables int64); aliases share their tensor."""
    aliases = alias_keys(config)
    shapes = checkpoint_shapes(config)
    own = {key: _tensor(salt, key, shape) for key, shape in shapes.items() if key not in aliases}
    return own | {copy: own[key] for copy, key in aliases.items()}


def seeded_prompts(n_points: int = 9, case: str = "s9", base: int = 0) -> TextPrompts:
    """Return text features of one instance prompt and `n_points` keypoint prompts."""
    return TextPrompts(instance=_text("x-ins", base, case, rows=1), keypoints=_text("x-kpt", base, case, rows=n_points))


def _rng(*parts: str | int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(zlib.crc32(":".join(map(str, parts)).encode())))


def _text(*parts: str | int, rows: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return (_rng(*parts).standard_normal((rows, TEXT_WIDTH)) * _TEXT_STD).astype(np.float32)


def _tensor(salt: str, key: str, shape: tuple[int, ...]) -> Tensor:
    if key.endswith("relative_position_index"):
        return window_offsets()
    z = _rng(salt, "X", key).standard_normal(shape)
    if key.endswith("bias"):
        z *= 1.0 if _OFFSETS in key else 0.1
    elif len(shape) == 1:
        z = 1 + 0.1 * z
    else:
        z *= _std(key) / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(z.astype(np.float32))


def _std(key: str) -> float:
    """Return the gain of a matrix before the fan-in scaling. The last layer of each head is kept small."""
    parts = key.split(".")
    if key.endswith("layers.2.weight"):
        for part in parts:
            if part in _LAST_LAYER_STD:
                return _LAST_LAYER_STD[part]
    return _KEY_STD.get(key, 0.5 if parts[-2] == _OFFSETS else 1.0)
