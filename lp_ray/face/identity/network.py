"""dlib's face recognition network: chips to embeddings, in numpy or on a torch device.

The network is a ResNet of 29 convolutions (Davis E. King, dlib_face_recognition_resnet_model_v1). On a CPU numpy runs
it about as fast as torch does, and a job without torch stays without it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lp_ray.face.identity.chips import CHIP_SIZE
from lp_ray.face.identity.weights import FILE_SHA256, Block, Layer, Weights, read_weights

EMBEDDING_SIZE = 128

CODE_VERSION = 1
"""Raise this with every change that moves an embedding."""

DIGEST = f"dlib:{FILE_SHA256[:16]}:{CODE_VERSION}"

MEAN = np.array([122.782, 117.001, 104.298], np.float32)
"""Mean colour of the network's training pictures, RGB."""

F32 = NDArray[np.float32]


class Forward(Protocol):
    """Runs the network on n x 150 x 150 x 3 RGB chips: n x 128."""

    def __call__(self, chips: NDArray[np.uint8]) -> F32: ...


class IdentityNetwork:
    """Chips -> embeddings, n x 128, whose L2 distances and cosines tell people apart.

    The embedding of a face does not depend on the other faces of the call.
    """

    digest = DIGEST

    def __init__(self, device: str = "cpu") -> None:
        """`device` is "cpu" (numpy) or a torch device such as "cuda" or "cuda:1".

        Raises WeightsError if the file in the package is missing or altered, RefusedError for a missing device.
        """
        weights = read_weights()
        self._forward: Forward
        if device == "cpu":
            self._forward = NumpyNetwork(weights)
        else:
            # torch takes seconds and hundreds of MB to import: only jobs that have a GPU pay for it.
            from lp_ray.face.identity.on_device import TorchNetwork

            self._forward = TorchNetwork(weights, device)

    def __call__(self, chips: NDArray[np.uint8]) -> F32:
        """Return the embeddings, n x 128, of n x CHIP_SIZE x CHIP_SIZE x 3 RGB chips (`chips.align`).

        Raises ValueError for other shapes.
        """
        if chips.ndim != 4 or chips.shape[1:] != (CHIP_SIZE, CHIP_SIZE, 3) or chips.dtype != np.uint8:
            shape = " x ".join(map(str, chips.shape))
            raise ValueError(f"chips are uint8, n x {CHIP_SIZE} x {CHIP_SIZE} x 3, not {chips.dtype}, {shape}")
        return self._forward(chips) if len(chips) else np.empty((0, EMBEDDING_SIZE), np.float32)


class NumpyNetwork:
    """The network in numpy, a face at a time: faces together would not be faster. About 10 ms each on one core."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def __call__(self, chips: NDArray[np.uint8]) -> F32:
        return np.stack([self._embed(chip) for chip in chips])

    def _embed(self, chip: NDArray[np.uint8]) -> F32:
        x = (chip.astype(np.float32) - MEAN) / np.float32(256)
        x = _pool(_relu(_convolve(x, self._weights.stem, 2)))  # 35 x 35 x 32
        for block in self._weights.blocks:
            x = _down(x, block) if block.down else _plain(x, block)
        embedding: F32 = x.mean((0, 1)) @ self._weights.projection
        return embedding


def _plain(x: F32, block: Block) -> F32:
    return _relu(_convolve(_padded(_relu(_convolve(_padded(x), block.first))), block.second) + x)


def _down(x: F32, block: Block) -> F32:
    """Halve the picture; what is smaller of the two ways, in pixels or in channels, counts as zero beyond its end."""
    y = _convolve(_padded(_relu(_convolve(x, block.first, 2))), block.second)
    half = x.shape[0] // 2
    short = x[: 2 * half, : 2 * half].reshape(half, 2, half, 2, -1).mean((1, 3))
    side = max(half, len(y))
    total = np.zeros((side, side, y.shape[2]), np.float32)
    total[: len(y), : len(y)] = y
    total[:half, :half, : short.shape[2]] += short
    return _relu(total)


def _convolve(x: F32, layer: Layer, stride: int = 1) -> F32:
    """H x W x in -> H' x W' x out, without padding: windows as rows, then one product."""
    size, _, _, n_out = layer.filters.shape
    windows = sliding_window_view(x, (size, size, x.shape[2]))[::stride, ::stride, 0]  # H' x W' x k x k x in
    height, width = windows.shape[:2]
    product = windows.reshape(height * width, -1) @ layer.filters.reshape(-1, n_out)
    product += layer.bias
    return product.reshape(height, width, n_out)


def _pool(x: F32) -> F32:
    """Largest of 3 x 3, stride 2."""
    pooled: F32 = sliding_window_view(x, (3, 3), axis=(0, 1))[::2, ::2].max((-2, -1))
    return pooled


def _padded(x: F32) -> F32:
    return np.pad(x, ((1, 1), (1, 1), (0, 0)))


def _relu(x: F32) -> F32:
    return np.maximum(x, 0, out=x)
