"""The two heads of dense motion, which have large kernels and few outputs.

Matrix products are slow if the result is narrow. So taps along one axis become outputs (along W for the mask, all taps
for the occlusion), and are shifted and summed afterwards.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lp_ray.engine.liveportrait.fast.fourier import FourierConv3d, suits_fourier

ALIGNMENT = 8
"""Widths should be multiples of this for matrix units."""


class WideMask(nn.Module):
    """A k x k x k convolution as one of k x k over D and H with k times the outputs, on volumes of pixels."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """`weight` is K x C x k x k x k."""
        super().__init__()
        self.taps, self.count = weight.shape[-1], len(weight)
        wide = weight.permute(4, 0, 1, 2, 3).flatten(0, 1)  # (kw K) x C x kd x kh
        wide = functional.pad(wide, (0, 0, 0, 0, 0, 0, 0, -len(wide) % ALIGNMENT))
        self.weight = nn.Buffer(wide.contiguous(memory_format=torch.channels_last))
        self.bias = nn.Buffer(bias)

    def forward(self, pixels: Tensor) -> Tensor:
        batch, _, _, width, _ = pixels.shape
        edge = self.taps // 2
        slices = pixels.permute(0, 3, 4, 1, 2).flatten(0, 1)  # (B W) x C x D x H
        wide = functional.conv2d(slices.contiguous(memory_format=torch.channels_last), self.weight, padding=edge)
        wide = wide.permute(0, 2, 3, 1).unflatten(0, (batch, width))  # B x W x D x H x (kw K)
        wide = wide[..., : self.taps * self.count].unflatten(-1, (self.taps, self.count))
        padded = functional.pad(wide, (0, 0, 0, 0, 0, 0, 0, 0, edge, edge))
        total = padded[:, :width, :, :, 0].float()
        for tap in range(1, self.taps):
            total = total + padded[:, tap : tap + width, :, :, tap]
        return total.permute(0, 2, 3, 1, 4) + self.bias


class Occlusion(nn.Module):
    """A k x k convolution of D x C channels to one: B x D x H x W x C -> B x H x W, float32."""

    def __init__(self, weight: Tensor, bias: Tensor, depth: int, channels: int) -> None:
        """`weight` is 1 x (C' D) x k x k, depth running fastest; zeros make its C' channels `channels`."""
        super().__init__()
        self.taps = weight.shape[-1]
        taps = weight[0].unflatten(0, (-1, depth)).permute(1, 0, 2, 3).flip(-1, -2).flatten(2)  # D x C' x k^2
        self.weight = nn.Buffer(functional.pad(taps, (0, 0, 0, channels - taps.shape[1])).contiguous())
        self.bias = nn.Buffer(bias)

    def forward(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[2:4]
        products = torch.matmul(pixels.flatten(2, 3), self.weight).float().sum(1)  # B x HW x k^2
        summed = functional.fold(products.transpose(1, 2), (height, width), self.taps, padding=self.taps // 2)
        return summed[:, 0] + self.bias.float()


def mask_head(weight: Tensor, bias: Tensor, side: int) -> nn.Module:
    """Return the faster form of the mask's convolution for its device."""
    return FourierConv3d(weight, bias) if suits_fourier(weight, side) else WideMask(weight, bias)
