"""Convolutions of 3 x 3 [x 3] over pixels, channels last."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lp_ray.engine.liveportrait.fast.tiles import TILE
from lp_ray.engine.liveportrait.fast.winograd import Winograd

MIN_CHANNELS, MIN_SIDE = 32, 4
"""Narrower layers and smaller maps are faster when computed directly."""


class PixelConv(nn.Module):
    """A convolution padded to the same size, over B x D x H x W x C -> B x D x H x W x K; D = 1 for pictures.

    The kernel is 3 x 3 with 1 or 3 taps of depth. An optional ReLU follows.
    """

    def __init__(self, weight: Tensor, bias: Tensor, side: int, relu: bool = False) -> None:
        """`weight` is K x C x [kd] x 3 x 3 on its device, in its type; `side` the height and width of the maps."""
        super().__init__()
        weight = weight[:, :, None] if weight.dim() == 4 else weight
        self.relu, self.taps = relu, weight.shape[2]
        self.winograd = Winograd(weight, bias) if suits_winograd(weight, side) else None
        if self.winograd is None:
            self.bias = nn.Buffer(bias)
            flat = weight.transpose(1, 2).flatten(1, 2)  # K x (kd C) x 3 x 3
            self.weight = nn.Buffer(flat.contiguous(memory_format=torch.channels_last))

    def forward(self, pixels: Tensor, residual: Tensor | None = None) -> Tensor:
        """Return the convolution, plus `residual` (before the ReLU)."""
        if self.winograd is not None:
            finish = rectified if self.relu else biased
            return cast(Tensor, self.winograd(pixels, finish, *(() if residual is None else (residual,))))
        flat = unfold_depth(pixels, self.taps).flatten(0, 1)
        out = functional.conv2d(flat.permute(0, 3, 1, 2), self.weight, self.bias, padding=1)
        out = torch.unflatten(out.permute(0, 2, 3, 1), 0, pixels.shape[:2])
        out = out if residual is None else out + residual
        return out.relu() if self.relu else out


def biased(pixels: Tensor, bias: Tensor, *residual: Tensor) -> Tensor:
    """Return a convolution with its bias, and with a residual if there is one."""
    return sum(residual, pixels + bias)


def rectified(pixels: Tensor, bias: Tensor, *residual: Tensor) -> Tensor:
    """As `biased`, then ReLU."""
    return biased(pixels, bias, *residual).relu()


def suits_winograd(weight: Tensor, side: int) -> bool:
    """Return whether tiles are faster than the library's convolution: on a CPU in float32, above some size."""
    exact = weight.device.type == "cpu" and weight.dtype == torch.float32
    return exact and min(weight.shape[:2]) >= MIN_CHANNELS and side >= MIN_SIDE and side % TILE == 0


def unfold_depth(pixels: Tensor, taps: int) -> Tensor:
    """Return each voxel with its neighbours in depth, B x D x H x W x (taps C), zeros outside."""
    if taps == 1:
        return pixels
    depth = pixels.shape[1]
    padded = functional.pad(pixels, (0, 0, 0, 0, 0, 0, taps // 2, taps // 2))
    return torch.cat([padded[:, tap : tap + depth] for tap in range(taps)], -1)


def bias_of(conv: nn.Conv2d | nn.Conv3d) -> Tensor:
    """Return the bias of a convolution that has one."""
    return cast(Tensor, conv.bias)
