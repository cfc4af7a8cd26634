"""The U-net inside the warping network's dense motion."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from lp_ray.engine.liveportrait.config import NetworkSize
from lp_ray.engine.liveportrait.layers import ConvBlock, DownBlock, UpBlock


class Encoder(nn.Module):
    """Down blocks: B x C x D x H x W -> itself and every block's output, finest first, H and W halving."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        widths = (size.hourglass_channels, *size.hourglass_widths)
        self.down_blocks = nn.ModuleList(
            DownBlock(nn.Conv3d(before, after, 3, padding=1)) for before, after in pairwise(widths)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = [x]
        for block in self.down_blocks:
            levels.append(block(levels[-1]))
        return levels


class Decoder(ConvBlock):
    """Up blocks, each joined by the encoder's level of its resolution; then one convolution block."""

    def __init__(self, size: NetworkSize) -> None:
        coarse_to_fine = size.hourglass_widths[-2::-1]
        skips = (*coarse_to_fine, size.hourglass_channels)
        outs = (*coarse_to_fine, size.hourglass_last_width)
        joined = [out + skip for out, skip in zip(outs, skips, strict=True)]
        super().__init__(nn.Conv3d(joined[-1], joined[-1], 3, padding=1))
        ins = (size.hourglass_widths[-1], *joined[:-1])
        self.up_blocks = nn.ModuleList(
            UpBlock(nn.Conv3d(before, after, 3, padding=1)) for before, after in zip(ins, outs, strict=True)
        )

    def forward(self, levels: list[Tensor]) -> Tensor:  # type: ignore[override]
        x = levels[-1]
        for block, skip in zip(self.up_blocks, levels[-2::-1], strict=True):
            x = torch.cat([block(x), skip], 1)
        return super().forward(x)


class Hourglass(nn.Module):
    """B x 110 x D x H x W -> B x 142 x D x H x W (channels at full size)."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.encoder = Encoder(size)
        self.decoder = Decoder(size)
        self.out_channels = self.decoder.conv.out_channels

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.decoder(self.encoder(x))
        return y
