"""W with fewer operations. `lp_ray.engine.liveportrait.warping` documents what it computes.

Volumes are B x D x H x W x C. Widths are padded with zeros to multiples of ALIGNMENT, which costs about a percent and
keeps matrix products aligned.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lp_ray.engine.liveportrait.fast.enlarged import Enlarged
from lp_ray.engine.liveportrait.fast.heads import Occlusion, mask_head
from lp_ray.engine.liveportrait.fast.motions import proposals
from lp_ray.engine.liveportrait.fast.pixels import PixelConv, bias_of, unfold_depth
from lp_ray.engine.liveportrait.layers import ConvBlock
from lp_ray.engine.liveportrait.warping import DenseMotion, Motion, Warped, WarpingNetwork, identity_grid, sample

ALIGNMENT = 16
"""Widths of volumes are multiples of this."""

DEPTH_TAPS = 3


def aligned(width: int) -> int:
    """Return the width rounded up to a multiple of ALIGNMENT."""
    return -(-width // ALIGNMENT) * ALIGNMENT


class EnlargedConv(nn.Module):
    """Nearest enlargement of H and W by 2, a 3 x 3 x 3 convolution and a ReLU, computed before the enlargement."""

    def __init__(self, block: ConvBlock) -> None:
        super().__init__()
        weight = block.conv.weight.transpose(1, 2).flatten(1, 2)  # K x (kd C) x 3 x 3
        self.conv = Enlarged(weight, bias_of(block.conv), middle=False)

    def forward(self, pixels: Tensor) -> Tensor:
        distinct = self.conv(unfold_depth(pixels, DEPTH_TAPS).flatten(0, 1))
        return torch.unflatten(distinct, 0, pixels.shape[:2])


class FastHourglass(nn.Module):
    """The U-net over B x D x H x W x C volumes, on a folded one's weights."""

    def __init__(self, net: DenseMotion, channels: int, side: int) -> None:
        super().__init__()
        hourglass = net.hourglass
        downs, ups = blocks(hourglass.encoder.down_blocks), blocks(hourglass.decoder.up_blocks)
        self.downs = nn.ModuleList(
            PixelConv(_filled(block.conv.weight, None if i else channels), bias_of(block.conv), side >> i, relu=True)
            for i, block in enumerate(downs)
        )
        self.ups = nn.ModuleList(EnlargedConv(block) for block in ups)
        last = hourglass.decoder.conv
        self.out_channels = aligned(last.out_channels)
        before = ups[-1].conv.out_channels + channels
        weight = _filled(last.weight, before, self.out_channels)
        bias = functional.pad(bias_of(last), (0, self.out_channels - last.out_channels))
        self.last = PixelConv(weight, bias, side, relu=True)

    def forward(self, x: Tensor) -> Tensor:
        levels = [x]
        for down in self.downs:
            levels.append(halved(down(levels[-1])))
        x = levels[-1]
        for up, skip in zip(self.ups, levels[-2::-1], strict=True):
            x = torch.cat([up(x), skip], -1)
        y: Tensor = self.last(x)
        return y


def blocks(modules: nn.ModuleList) -> list[ConvBlock]:
    """Return a list's convolution blocks."""
    return [cast(ConvBlock, module) for module in modules]


def _filled(weight: Tensor, inputs: int | None, outputs: int | None = None) -> Tensor:
    """Return K x C x 3 x 3 x 3 padded with zeros to `inputs` and `outputs`."""
    more_in = 0 if inputs is None else inputs - weight.shape[1]
    more_out = 0 if outputs is None else outputs - weight.shape[0]
    return functional.pad(weight, (0, 0, 0, 0, 0, 0, 0, more_in, 0, more_out))


def halved(pixels: Tensor) -> Tensor:
    """Return B x D x H x W x C averaged over 2 x 2 pixels."""
    pooled = functional.avg_pool2d(pixels.flatten(0, 1).permute(0, 3, 1, 2), 2)
    return torch.unflatten(pooled.permute(0, 2, 3, 1), 0, pixels.shape[:2])


class FastDenseMotion(nn.Module):
    """Compressed volume B x C x D x H x W and keypoints B x 21 x 3 of driving and source -> Motion."""

    def __init__(self, net: DenseMotion, side: int, depth: int) -> None:
        super().__init__()
        self.channels = aligned(blocks(net.hourglass.encoder.down_blocks)[0].conv.in_channels)
        self.hourglass = FastHourglass(net, self.channels, side)
        width = self.hourglass.out_channels
        self.mask = mask_head(_filled(net.mask.weight, width), bias_of(net.mask), side)
        self.occlusion = Occlusion(net.occlusion.weight, bias_of(net.occlusion), depth, width)

    def forward(self, compressed: Tensor, x_d: Tensor, x_s: Tensor) -> Motion:
        hidden = self.hourglass(proposals(compressed, x_d, x_s, self.channels))
        mask = self.mask(hidden).float().softmax(-1)  # B x D x H x W x 22
        grid = identity_grid(compressed.shape[2], compressed.shape[3], compressed.shape[4], compressed.device)
        # Each motion moves the whole grid, and the mask sums to 1: the grid moves by the mean of their shifts.
        shifts = functional.pad(x_s - x_d, (0, 0, 1, 0))
        deformation = grid + torch.matmul(mask, shifts[:, None, None])
        return Motion(deformation, self.occlusion(hidden)[:, None].sigmoid())


class FastWarping(nn.Module):
    """Volume, its compressed form and keypoints -> Warped with a feature map B x H x W x F. From a folded, placed W."""

    def __init__(self, net: WarpingNetwork, side: int, depth: int) -> None:
        super().__init__()
        self.dense_motion_network = FastDenseMotion(net.dense_motion_network, side, depth)
        self.third = PixelConv(net.third.conv.weight, bias_of(net.third.conv), side)
        self.fourth = nn.Buffer(net.fourth.weight.flatten(1))  # K x C
        self.fourth_bias = nn.Buffer(bias_of(net.fourth))

    def forward(self, volume: Tensor, compressed: Tensor, x_d: Tensor, x_s: Tensor) -> Warped:
        motion: Motion = self.dense_motion_network(compressed, x_d, x_s)
        moved = sample(volume, motion.deformation).flatten(1, 2).permute(0, 2, 3, 1)[:, None].contiguous()
        third = functional.leaky_relu(self.third(moved), 0.01)[:, 0]
        feature = functional.linear(third, self.fourth, self.fourth_bias)
        return Warped(feature * motion.occlusion[:, 0, :, :, None].to(feature.dtype), motion)
