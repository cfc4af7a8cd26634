"""M, the motion extractor: canonical keypoints, pose and expression of a face (LivePortrait, section 3.2).

The backbone is ConvNeXt V2 (Woo et al. 2023, arXiv 2301.00808).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lp_ray.engine.liveportrait.config import N_ANGLE_BINS, N_KEYPOINTS, NetworkSize

NORM_EPS = 1e-6

DEGREES_PER_BIN = 3.0
FIRST_BIN_DEGREES = -97.5


class MotionHeads(NamedTuple):
    """M's output for B pictures: kp, exp B x 63; scale B x 1; t B x 3; angles as logits, B x 66 each."""

    kp: Tensor
    scale: Tensor
    pitch: Tensor
    yaw: Tensor
    roll: Tensor
    t: Tensor
    exp: Tensor


def degrees(logits: Tensor) -> Tensor:
    """Return the expected angle, B x 1 in degrees, of soft classifications B x 66 over bins 3 degrees wide."""
    bins = torch.arange(logits.shape[-1], dtype=torch.float32, device=logits.device)
    expected = (logits.float().softmax(-1) * bins).sum(-1, keepdim=True)
    return expected * DEGREES_PER_BIN + FIRST_BIN_DEGREES


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of B x C x H x W."""

    def forward(self, x: Tensor) -> Tensor:
        normalised: Tensor = super().forward(x.permute(0, 2, 3, 1))
        return normalised.permute(0, 3, 1, 2)


class GlobalResponseNorm(nn.Module):
    """Competition between channels of B x H x W x C (ConvNeXt V2, section 3.3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        norms = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True, dtype=torch.float32)
        response = norms / (norms.mean(-1, keepdim=True) + NORM_EPS)
        scaled: Tensor = self.gamma * (x * response.to(x.dtype))
        return scaled + self.beta + x


class ConvNextBlock(nn.Module):
    """Depthwise 7 x 7, then an MLP over channels, with a residual: B x C x H x W -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=NORM_EPS)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.grn = GlobalResponseNorm(4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.norm(self.dwconv(x).permute(0, 2, 3, 1))  # B x H x W x C
        hidden = self.pwconv2(self.grn(functional.gelu(self.pwconv1(hidden))))
        return x + hidden.permute(0, 3, 1, 2)


class ConvNextV2(nn.Module):
    """Backbone of four stages and M's linear heads: B x 3 x 256 x 256 in [0, 1] -> MotionHeads."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        widths = size.motion_widths
        stem = nn.Sequential(nn.Conv2d(3, widths[0], 4, stride=4), ChannelNorm(widths[0], eps=NORM_EPS))
        self.downsample_layers = nn.ModuleList([stem])
        for narrow, wide in pairwise(widths):
            halve = nn.Sequential(ChannelNorm(narrow, eps=NORM_EPS), nn.Conv2d(narrow, wide, 2, stride=2))
            self.downsample_layers.append(halve)
        self.stages = nn.ModuleList(
            nn.Sequential(*(ConvNextBlock(width) for _ in range(depth)))
            for width, depth in zip(widths, size.motion_depths, strict=True)
        )
        self.norm = nn.LayerNorm(widths[-1], eps=NORM_EPS)
        self.fc_kp = nn.Linear(widths[-1], 3 * N_KEYPOINTS)
        self.fc_scale = nn.Linear(widths[-1], 1)
        self.fc_pitch = nn.Linear(widths[-1], N_ANGLE_BINS)
        self.fc_yaw = nn.Linear(widths[-1], N_ANGLE_BINS)
        self.fc_roll = nn.Linear(widths[-1], N_ANGLE_BINS)
        self.fc_t = nn.Linear(widths[-1], 3)
        self.fc_exp = nn.Linear(widths[-1], 3 * N_KEYPOINTS)

    def float32_parts(self) -> Iterator[nn.Module]:
        """Yield the modules that stay float32 at every precision: the heads, which give keypoints and angles."""
        yield self.norm
        for name in MotionHeads._fields:
            yield self.get_submodule(f"fc_{name}")

    def forward(self, image: Tensor) -> MotionHeads:
        x = image
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(downsample(x))
        pooled = self.norm(x.float().mean((2, 3)))  # B x C
        return MotionHeads(*(self.get_submodule(f"fc_{name}")(pooled) for name in MotionHeads._fields))


class MotionExtractor(nn.Module):
    """M: B x 3 x 256 x 256 in [0, 1] -> MotionHeads, float32."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.detector = ConvNextV2(size)

    def forward(self, image: Tensor) -> MotionHeads:
        heads: MotionHeads = self.detector(image)
        return heads
