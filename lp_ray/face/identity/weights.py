"""The carried weights, `face_identity.safetensors`: 8-bit tensors and how to read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from lp_ray.base.errors import WeightsError

FILE = Path(__file__).with_name("face_identity.safetensors")
FILE_SHA256 = "eb9e8671f4c7f5e5c7b538f8731c80392929b6ea1a6f1031f6cc1f2ac255c146"

BLOCKS = (
    *("32_1", "32_2", "32_3"),
    *("64_down", "64_1", "64_2", "64_3"),
    *("128_down", "128_1", "128_2"),
    *("256_down", "256_1", "256_2", "256_down_out"),
)
"""Residual blocks in their order; those with "down" in their name halve the picture."""

_REMEDY = "install lp_ray again, its wheel carries the file"

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """A convolution with the scale that follows it folded in: `filters` k x k x in x out, `bias` out."""

    filters: F32
    bias: F32


@dataclass(frozen=True)
class Block:
    """A residual block of two convolutions; `down`: the first has stride 2."""

    down: bool
    first: Layer
    second: Layer


@dataclass(frozen=True)
class Weights:
    """The whole network: first convolution, blocks in order, and the last product, 256 x 128."""

    stem: Layer
    blocks: tuple[Block, ...]
    projection: F32


@cache
def read_weights(file: Path = FILE) -> Weights:
    """Read the carried file once its hash is as pinned. Raises WeightsError when it is missing or altered."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise WeightsError(f"{file}: {error.strerror}; {_REMEDY}") from error
    found = hashlib.sha256(raw).hexdigest()
    if found != FILE_SHA256:
        raise WeightsError(f"{file}: sha256 {found} where {FILE_SHA256} belongs; {_REMEDY}")
    try:
        tensors = load(raw)
    except SafetensorError as error:  # pragma: no cover - a file of this hash can be read
        raise WeightsError(f"{file}: {error}; {_REMEDY}") from error
    blocks = tuple(
        Block("down" in name, _layer(tensors, f"conv{name}.conv1"), _layer(tensors, f"conv{name}.conv2"))
        for name in BLOCKS
    )
    return Weights(_layer(tensors, "conv32_down"), blocks, _dense(tensors, "fc"))


def _layer(tensors: Mapping[str, NDArray[np.generic]], name: str) -> Layer:
    filters, bias, scale, shift = (
        _dense(tensors, f"{name}.{part}") for part in ("conv.filters", "conv.bias", "scale.weights", "scale.biases")
    )
    return Layer(filters * scale, bias * scale + shift)


def _dense(tensors: Mapping[str, NDArray[np.generic]], name: str) -> F32:
    """Return a tensor as float32: least + step * q, or as it is where the file holds floats."""
    tensor = tensors[name]
    if tensor.dtype != np.uint8:
        return tensor.astype(np.float32)
    least, step = (tensors[f"{name}.{part}"].astype(np.float32) for part in ("least", "step"))
    return least + step * tensor.astype(np.float32)
