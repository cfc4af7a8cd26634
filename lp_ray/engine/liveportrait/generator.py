"""G, the generator: renders the warped feature map (LivePortrait, section 3.1).

SPADE (Park et al. 2019, arXiv 1903.07291): the feature map that starts the decoder also modulates every
normalisation in it.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import remove_spectral_norm, spectral_norm

from lp_ray.engine.liveportrait.config import NetworkSize

SLOPE = 0.2
"""Slope of the leaky ReLUs."""

PIXEL_SHUFFLE = 2


class Spade(nn.Module):
    """Modulation of a normalised map (B x C x H x W) by the seg map (B x S x H x W): x (1 + gamma) + beta."""

    def __init__(self, channels: int, seg_channels: int, hidden: int) -> None:
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Conv2d(seg_channels, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)
        self.gamma_beta: nn.Conv2d | None = None

    def forward(self, normalised: Tensor, seg: Tensor) -> Tensor:
        gamma, beta = self._modulation(self.mlp_shared(seg))
        return torch.addcmul(normalised + beta, normalised, gamma)

    def _modulation(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        if self.gamma_beta is None:
            return self.mlp_gamma(hidden), self.mlp_beta(hidden)
        gamma, beta = self.gamma_beta(hidden).chunk(2, 1)
        return gamma, beta

    def fold(self) -> None:
        """Compute gamma and beta with one convolution, because they have the same input."""
        parts = (self.mlp_gamma, self.mlp_beta)
        joint = nn.Conv2d(parts[0].in_channels, 2 * parts[0].out_channels, 3, padding=1)
        joint.weight.copy_(torch.cat([part.weight for part in parts]))
        assert joint.bias is not None
        joint.bias.copy_(torch.cat([cast(Tensor, part.bias) for part in parts]))
        self.gamma_beta = joint
        del self.mlp_gamma, self.mlp_beta


class SpadeBlock(nn.Module):
    """Residual block B x in x H x W -> B x out x H x W with SPADE before every convolution.

    The shortcut has a SPADE and a 1 x 1 convolution of its own where the widths differ. Convolutions carry
    spectral norm, with the singular vectors u and v of the checkpoint, never iterated.
    """

    def __init__(self, in_channels: int, out_channels: int, seg_channels: int, hidden: int) -> None:
        super().__init__()
        middle = min(in_channels, out_channels)
        self.conv_0 = spectral_norm(nn.Conv2d(in_channels, middle, 3, padding=1))
        self.conv_1 = spectral_norm(nn.Conv2d(middle, out_channels, 3, padding=1))
        self.norm_0 = Spade(in_channels, seg_channels, hidden)
        self.norm_1 = Spade(middle, seg_channels, hidden)
        self.widens = in_channels != out_channels
        if self.widens:
            self.conv_s = spectral_norm(nn.Conv2d(in_channels, out_channels, 1, bias=False))
            self.norm_s = Spade(in_channels, seg_channels, hidden)

    def forward(self, x: Tensor, seg: Tensor) -> Tensor:
        normalised = functional.instance_norm(x)
        shortcut = self.conv_s(self.norm_s(normalised, seg)) if self.widens else x
        hidden = self.conv_0(functional.leaky_relu(self.norm_0(normalised, seg), SLOPE))
        hidden = functional.leaky_relu(self.norm_1(functional.instance_norm(hidden), seg), SLOPE)
        return cast(Tensor, shortcut + self.conv_1(hidden))

    def fold(self) -> None:
        """Divide the convolutions by their spectral norms once and for all."""
        for conv in (self.conv_0, self.conv_1, *((self.conv_s,) if self.widens else ())):
            remove_spectral_norm(conv)


class Generator(nn.Module):
    """Feature map B x F x 64 x 64 -> picture B x 3 x 512 x 512 in [0, 1]."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        seg, width, hidden = size.feature_channels, size.generator_width, size.spade_width
        wide, narrow = size.generator_up_widths
        self.fc = nn.Conv2d(seg, width, 3, padding=1)
        self.n_middle = size.generator_blocks
        for i in range(self.n_middle):
            self.add_module(f"G_middle_{i}", SpadeBlock(width, width, seg, hidden))
        self.up_0 = SpadeBlock(width, wide, seg, hidden)
        self.up_1 = SpadeBlock(wide, narrow, seg, hidden)
        picture = nn.Conv2d(narrow, 3 * PIXEL_SHUFFLE**2, 3, padding=1)
        self.conv_img = nn.Sequential(picture, nn.PixelShuffle(PIXEL_SHUFFLE))

    def forward(self, feature: Tensor) -> Tensor:
        x = self.fc(feature)
        for i in range(self.n_middle):
            x = self.get_submodule(f"G_middle_{i}")(x, feature)
        seg = feature
        for block in (self.up_0, self.up_1):
            x, seg = _double(x), _double(seg)
            x = block(x, seg)
        return cast(Tensor, self.conv_img(functional.leaky_relu(x, SLOPE)).float().sigmoid())


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2)
