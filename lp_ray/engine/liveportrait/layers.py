"""Layers that the networks share: a normalised convolution block, and folding of what is constant at inference.

A module that can be simplified after its weights are loaded has a method `fold`. Folding changes state-dict keys, but
results only by rounding.
"""

from __future__ import annotations

from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

Conv = nn.Conv2d | nn.Conv3d
C = TypeVar("C", bound=Conv)


class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU (or `activation`): B x in x [D x] H x W -> B x out x [D x] H x W."""

    def __init__(self, conv: Conv, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = conv
        norm = nn.BatchNorm3d if isinstance(conv, nn.Conv3d) else nn.BatchNorm2d
        self.norm: nn.Module = norm(conv.out_channels)
        self.activation = activation or nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.activation(self.norm(self.conv(x))))

    def fold(self) -> None:
        """Fold the batch norm into the convolution."""
        self.conv, self.norm = fold_norm(self.conv, self.norm), nn.Identity()


class DownBlock(ConvBlock):
    """Convolution block, then average pooling that halves H and W (and leaves depth)."""

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        pooled = functional.avg_pool2d(x.flatten(1, -3), 2)  # any depth counts as channels
        return pooled.view(*x.shape[:-2], *pooled.shape[-2:])


class UpBlock(ConvBlock):
    """Nearest-neighbour enlargement of H and W by 2, then the convolution block, for volumes."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.interpolate(x, scale_factor=(1, 2, 2)))


def fold_norm(conv: C, norm: nn.Module) -> C:
    """Return one convolution equal to `conv` followed by the batch norm `norm` with its running statistics."""
    assert isinstance(norm, nn.BatchNorm2d | nn.BatchNorm3d)
    return fuse_conv_bn_eval(conv, norm)


def fold_all(network: nn.Module) -> None:
    """Fold, in place, every module of a loaded network that can be folded."""
    with torch.no_grad():
        for module in list(network.modules()):
            fold = getattr(module, "fold", None)
            if callable(fold):
                fold()
