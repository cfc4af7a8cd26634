"""The 22 candidate motions as translations, which act on each axis separately.

Moving a volume by trilinear sampling is a product with three narrow matrices, one per axis. A gaussian around a
keypoint is the product of three curves. So there is no 5-D sampling, and no distances of voxels are computed.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lp_ray.engine.liveportrait.warping import KEYPOINT_VARIANCE


def line(n: int, device: torch.device) -> Tensor:
    """Return the coordinates of one axis' n voxels, -1 to 1 inclusive."""
    return torch.linspace(-1, 1, n, device=device)


def translation(shifts: Tensor, n: int) -> Tensor:
    """Return the matrices that sample n voxels at places moved by B x K shifts: B x K x n x n, float32.

    Linear, zero outside; -1 and 1 are the outer faces, as in `lp_ray.engine.liveportrait.warping.sample`.
    """
    at = ((line(n, shifts.device) + shifts[..., None] + 1) * n - 1) / 2  # B x K x n, in voxels
    distance = (at[..., None] - torch.arange(n, device=shifts.device)).abs()
    return (1 - distance).clamp(min=0)


def moved_volumes(volume: Tensor, shifts: Tensor) -> Tensor:
    """Return B x C x D x H x W moved by B x K x 3 shifts along x, y, z: B x K x C x D x H x W, float32."""
    channels, depth, height, width = volume.shape[1:]
    count = shifts.shape[1]
    x, y, z = (translation(shifts[..., i], n) for i, n in enumerate((width, height, depth)))
    rows = volume.float().reshape(-1, 1, channels * depth * height, width)
    moved = torch.unflatten(torch.matmul(rows, x.transpose(-1, -2)), 2, (channels * depth, height))
    moved = torch.matmul(y[:, :, None], moved)  # B x K x CD x H x W
    moved = moved.view(-1, count, channels, depth, height * width)
    return torch.unflatten(torch.matmul(z[:, :, None], moved), -1, (height, width))


def heat_maps(keypoints: Tensor, depth: int, height: int, width: int) -> Tensor:
    """Return a gaussian around each of B x 21 x 3 keypoints: B x 21 x D x H x W, float32."""
    x, y, z = (
        torch.exp(-0.5 / KEYPOINT_VARIANCE * (line(n, keypoints.device) - keypoints[..., i, None]).square())
        for i, n in enumerate((width, height, depth))
    )
    return z[..., :, None, None] * (y[..., :, None] * x[..., None, :])[:, :, None]


def proposals(volume: Tensor, x_d: Tensor, x_s: Tensor, channels: int) -> Tensor:
    """Return what the hourglass reads, B x D x H x W x channels, in the type of the volume (B x C x D x H x W).

    For each motion its heat map (zero for the identity) and the volume moved by it; zeros fill up the channels.
    """
    shifts = functional.pad(x_s - x_d, (0, 0, 1, 0))
    size = volume.shape[2:]
    heat = functional.pad(heat_maps(x_d, *size) - heat_maps(x_s, *size), (0, 0, 0, 0, 0, 0, 1, 0))
    stacked = torch.cat([heat[:, :, None], moved_volumes(volume, shifts)], 2).flatten(1, 2).to(volume.dtype)
    pixels = stacked.permute(0, 2, 3, 4, 1)
    return functional.pad(pixels, (0, channels - pixels.shape[-1])).contiguous()
