"""F, the appearance extractor: encodes what a face looks like as a feature volume (LivePortrait, section 3.1)."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from lp_ray.engine.liveportrait.config import NetworkSize
from lp_ray.engine.liveportrait.layers import ConvBlock, DownBlock, fold_norm


class ResidualBlock3d(nn.Module):
    """Pre-activation residual block on a volume: x + conv(relu(norm(conv(relu(norm(x))))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm3d(channels)
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm2: nn.Module = nn.BatchNorm3d(channels)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv1(functional.relu(self.norm1(x)))
        delta: Tensor = self.conv2(functional.relu(self.norm2(hidden)))
        return x + delta

    def fold(self) -> None:
        """Fold the second norm into the first convolution. The first norm has no convolution before it, so it stays."""
        self.conv1, self.norm2 = fold_norm(self.conv1, self.norm2), nn.Identity()


class AppearanceExtractor(nn.Module):
    """B x 3 x 256 x 256 in [0, 1] -> volume B x C x D x 64 x 64 (C = 32, D = 16 at full size)."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.volume_shape = (size.volume_channels, size.volume_depth)
        widths = [size.appearance_width * 2**i for i in range(3)]
        self.first = ConvBlock(nn.Conv2d(3, widths[0], 3, padding=1))
        self.down_blocks = nn.ModuleList(
            DownBlock(nn.Conv2d(narrow, wide, 3, padding=1)) for narrow, wide in pairwise(widths)
        )
        self.second = nn.Conv2d(widths[-1], size.folded_volume_channels, 1)
        self.resblocks_3d = nn.Sequential()
        for i in range(size.appearance_blocks):
            self.resblocks_3d.add_module(f"3dr{i}", ResidualBlock3d(size.volume_channels))

    def forward(self, image: Tensor) -> Tensor:
        x = self.first(image)
        for block in self.down_blocks:
            x = block(x)
        volume: Tensor = self.second(x).unflatten(1, self.volume_shape)  # B x C x D x 64 x 64
        return cast(Tensor, self.resblocks_3d(volume))
