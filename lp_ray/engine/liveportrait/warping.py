"""W, the warping network: moves the source's volume as its keypoints move (LivePortrait, section 3.1).

Its dense motion is the first-order motion model (Siarohin et al. 2019, arXiv 2003.00196) in three dimensions (face
vid2vid, Wang et al. 2021, arXiv 2011.15126). Every keypoint proposes to shift the whole volume by its own motion, and a
network decides for each voxel how much each proposal counts.

Keypoints and grids range from -1 to 1 along x, y, z = width, height, depth, and are float32 at every precision.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lp_ray.engine.liveportrait.config import N_MOTIONS, NetworkSize
from lp_ray.engine.liveportrait.hourglass import Hourglass
from lp_ray.engine.liveportrait.layers import ConvBlock, fold_norm

KEYPOINT_VARIANCE = 0.01
"""Variance of the gaussian that marks a keypoint in its heat map."""


class Motion(NamedTuple):
    """Where in the source's volume every voxel comes from, B x D x 64 x 64 x 3, and how visible it is there:
    occlusion B x 1 x 64 x 64, from 0 (nothing in the source shows it) to 1."""

    deformation: Tensor
    occlusion: Tensor


class Warped(NamedTuple):
    """Feature map for the generator, B x F x 64 x 64, and the motion that made it."""

    feature: Tensor
    motion: Motion


def identity_grid(depth: int, height: int, width: int, device: torch.device) -> Tensor:
    """Return x, y, z of every voxel, D x H x W x 3, with -1 and 1 at the centres of the outermost ones."""
    z, y, x = (torch.linspace(-1, 1, n, device=device) for n in (depth, height, width))
    return torch.stack(torch.meshgrid(z, y, x, indexing="ij")[::-1], -1)


def sample(volume: Tensor, grid: Tensor) -> Tensor:
    """Return B x C x D x H x W at the points of a float32 grid B x D' x H' x W' x 3: B x C x D' x H' x W'.

    Trilinear, zero outside. Here -1 and 1 are the outer faces of the volume, half a voxel beyond where
    `identity_grid` has them: the published networks were trained with this mismatch.
    """
    return functional.grid_sample(volume.float(), grid, align_corners=False).to(volume.dtype)


def heat_maps(keypoints: Tensor, grid: Tensor) -> Tensor:
    """Return a gaussian around each of B x 21 x 3 keypoints on a D x H x W x 3 grid: B x 21 x D x H x W."""
    distances = (grid - keypoints[:, :, None, None, None]).square().sum(-1)
    return torch.exp(-0.5 / KEYPOINT_VARIANCE * distances)


def candidate_motions(x_d: Tensor, x_s: Tensor, grid: Tensor) -> Tensor:
    """Return the grid unmoved, then moved by each keypoint from x_d back to x_s: B x 22 x D x H x W x 3."""
    shifts = functional.pad(x_s - x_d, (0, 0, 1, 0))  # B x 22 x 3
    return grid + shifts[:, :, None, None, None]


class DenseMotion(nn.Module):
    """Volume and both keypoint sets -> Motion."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.compress = nn.Conv3d(size.volume_channels, size.compressed_channels, 1)
        self.norm: nn.Module = nn.BatchNorm3d(size.compressed_channels)
        self.hourglass = Hourglass(size)
        channels, kernel = self.hourglass.out_channels, size.head_kernel
        self.mask = nn.Conv3d(channels, N_MOTIONS, kernel, padding=kernel // 2)
        self.occlusion = nn.Conv2d(channels * size.volume_depth, 1, kernel, padding=kernel // 2)

    def fold(self) -> None:
        """Fold the batch norm into the compressing convolution."""
        self.compress, self.norm = fold_norm(self.compress, self.norm), nn.Identity()

    def compressed(self, volume: Tensor) -> Tensor:
        """Return the volume with few channels, B x 4 x D x 64 x 64. It depends only on the source."""
        return functional.relu(self.norm(self.compress(volume)))

    def forward(self, compressed: Tensor, x_d: Tensor, x_s: Tensor) -> Motion:
        depth, height, width = compressed.shape[2:]
        grid = identity_grid(depth, height, width, compressed.device)
        motions = candidate_motions(x_d, x_s, grid)
        hidden = self.hourglass(self._proposals(compressed, motions, x_d, x_s, grid))  # B x 142 x D x 64 x 64
        mask = self.mask(hidden).float().softmax(1)  # B x 22 x D x 64 x 64
        deformation = torch.einsum("bkdhw,bkdhwc->bdhwc", mask, motions)
        occlusion = self.occlusion(hidden.flatten(1, 2)).float().sigmoid()
        return Motion(deformation, occlusion)

    def _proposals(self, compressed: Tensor, motions: Tensor, x_d: Tensor, x_s: Tensor, grid: Tensor) -> Tensor:
        """For each motion a heat map (zero for the identity) and the volume moved by it: B x 110 x D x H x W."""
        heat = functional.pad(
            heat_maps(x_d, grid) - heat_maps(x_s, grid), (0, 0, 0, 0, 0, 0, 1, 0)
        )  # B x 22 x D x H x W
        # One sampling for all motions, their grids stacked along depth, so that the volume is not repeated.
        stacked = sample(compressed, motions.flatten(1, 2))
        moved = torch.unflatten(stacked, 2, motions.shape[1:3]).transpose(1, 2)  # B x 22 x 4 x D x H x W
        return torch.cat([heat[:, :, None].to(moved.dtype), moved], 2).flatten(1, 2)


class WarpingNetwork(nn.Module):
    """Volume B x C x D x 64 x 64 and keypoints B x 21 x 3 of driving and source -> Warped."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.dense_motion_network = DenseMotion(size)
        channels = size.feature_channels
        self.third = ConvBlock(nn.Conv2d(size.folded_volume_channels, channels, 3, padding=1), nn.LeakyReLU(0.01))
        self.fourth = nn.Conv2d(channels, channels, 1)

    def forward(self, volume: Tensor, x_d: Tensor, x_s: Tensor, compressed: Tensor | None = None) -> Warped:
        """`compressed` is the result of `compress(volume)`; pass it if the same source is warped repeatedly."""
        compressed = self.compress(volume) if compressed is None else compressed
        motion: Motion = self.dense_motion_network(compressed, x_d, x_s)
        moved = sample(volume, motion.deformation).flatten(1, 2)  # B x (C * D) x 64 x 64
        feature = self.fourth(self.third(moved))
        return Warped(feature * motion.occlusion.to(feature.dtype), motion)

    def compress_only(self) -> nn.Module:
        """Return a module that only does what `compress` does, from folded weights, without the rest of the network."""
        return nn.Sequential(self.dense_motion_network.compress, nn.ReLU())

    def compress(self, volume: Tensor) -> Tensor:
        """Return what dense motion needs of the volume, B x 4 x D x 64 x 64; compute it once per source."""
        return self.dense_motion_network.compressed(volume)
