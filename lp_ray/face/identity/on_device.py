"""The identity network on a torch device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lp_ray.base.errors import RefusedError
from lp_ray.face.identity.network import MEAN
from lp_ray.face.identity.weights import Block, Layer, Weights

BATCH = 32
"""Faces a pass. Fixed, the last pass padded: a face's embedding must not depend on its company."""

TorchLayer = tuple[Tensor, Tensor]


class TorchNetwork:
    """Chips -> embeddings on a device, in float32."""

    def __init__(self, weights: Weights, device: str) -> None:
        """Raises RefusedError for a device that torch does not have."""
        try:
            self._device = torch.device(device)
            self._mean = torch.from_numpy(MEAN).to(self._device)
        except (RuntimeError, AssertionError) as error:
            raise RefusedError(f"identity on device={device!r}: {error}; use cpu, or a GPU that is there") from error
        self._stem = self._layer(weights.stem)
        self._blocks = [(block.down, *self._pair(block)) for block in weights.blocks]
        self._projection = torch.from_numpy(weights.projection).to(self._device)

    @torch.inference_mode()
    def __call__(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the embeddings, n x 128, of n x 150 x 150 x 3 RGB chips."""
        parts = [self._pass(chips[start : start + BATCH]) for start in range(0, len(chips), BATCH)]
        return np.concatenate(parts)

    def _pass(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        padded = np.zeros((BATCH, *chips.shape[1:]), np.uint8)
        padded[: len(chips)] = chips
        pictures = (torch.from_numpy(padded).to(self._device).float() - self._mean) / 256
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            embeddings = self._forward(pictures.permute(0, 3, 1, 2))
        found: NDArray[np.float32] = embeddings.cpu().numpy()
        return found[: len(chips)]

    def _forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.conv2d(x, *self._stem, stride=2).relu(), 3, 2)  # B x 32 x 35 x 35
        for down, first, second in self._blocks:
            if down:
                y = functional.conv2d(functional.conv2d(x, *first, stride=2).relu(), *second, padding=1)
                x = _added(y, functional.avg_pool2d(x, 2)).relu()
            else:
                y = functional.conv2d(functional.conv2d(x, *first, padding=1).relu(), *second, padding=1)
                x = (y + x).relu()
        return x.mean((2, 3)) @ self._projection

    def _pair(self, block: Block) -> tuple[TorchLayer, TorchLayer]:
        return self._layer(block.first), self._layer(block.second)

    def _layer(self, layer: Layer) -> TorchLayer:
        filters = np.ascontiguousarray(layer.filters.transpose(3, 2, 0, 1))  # k x k x in x out -> out x in x k x k
        return torch.from_numpy(filters).to(self._device), torch.from_numpy(layer.bias).to(self._device)


def _added(y: Tensor, short: Tensor) -> Tensor:
    """Sum of two B x C x H x W tensors, the smaller one padded with zeros at the end of every axis."""
    shape = [max(sizes) for sizes in zip(y.shape[1:], short.shape[1:], strict=True)]

    def padded(x: Tensor) -> Tensor:
        lacking = [size - has for size, has in zip(shape, x.shape[1:], strict=True)]
        return functional.pad(x, (0, lacking[2], 0, lacking[1], 0, lacking[0]))

    return padded(y) + padded(short)
