"""G with shared work done once. `lp_ray.engine.liveportrait.generator` documents what it computes.

All SPADE layers of one resolution read the same seg map, so their first convolutions are combined into one. On enlarged
maps, these are computed at the seg map's own resolution (`enlarged`); on a CPU, gamma and beta after the 4x map are
computed from its 3 x 3 distinct pixels per cell. Normalisation and modulation follow the convolution piece by piece.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lp_ray.engine.liveportrait.fast.enlarged import Enlarged, cells_of_four
from lp_ray.engine.liveportrait.fast.fused import Fusible
from lp_ray.engine.liveportrait.fast.pixels import PixelConv, bias_of, suits_winograd
from lp_ray.engine.liveportrait.fast.products import Product
from lp_ray.engine.liveportrait.fast.winograd import Winograd
from lp_ray.engine.liveportrait.generator import PIXEL_SHUFFLE, SLOPE, Generator, Spade, SpadeBlock

EPSILON = 1e-5
"""Epsilon of the instance norm."""

Norm = tuple[Tensor, Tensor]
"""Factor and offset that normalise a map, B x 1 x 1 x 1 x C each, in its type."""


def instance_norm(x: Tensor) -> Norm:
    """Return the factor and offset that normalise B x 1 x H x W x C per channel and picture; statistics are float32."""
    variance, mean = torch.var_mean(x.float(), (1, 2, 3), correction=0, keepdim=True)
    factor = torch.rsqrt(variance + EPSILON)
    return factor.to(x.dtype), (-mean * factor).to(x.dtype)


class Modulation(nn.Module):
    """The second half of a SPADE layer: x normalised, times (1 + gamma) plus beta, then leaky ReLU if requested.

    With `cells`, the hidden map is given as `kinds` of a map enlarged by 4.
    """

    def __init__(self, spade: Spade, side: int, cells: bool = False, activate: bool = True) -> None:
        super().__init__()
        assert spade.gamma_beta is not None
        weight, bias = spade.gamma_beta.weight, bias_of(spade.gamma_beta).clone()
        bias[: len(bias) // 2] += 1  # modulates by 1 + gamma
        self.cells, self.activate = cells, activate
        self.winograd = Winograd(weight[:, :, None], bias, cells) if suits_winograd(weight, side) else None
        if self.winograd is None:
            self.conv = PixelConv(weight, bias, side)

    def forward(self, x: Tensor, norm: Norm, hidden: Tensor) -> Tensor:
        if self.winograd is not None:
            finish = modulated_and_activated if self.activate else modulated
            return cast(Tensor, self.winograd(hidden, finish, x, *norm))
        if self.cells:
            hidden = cells_of_four(hidden[:, 0])[:, None]
        out = modulate(self.conv(hidden), x, *norm)
        return functional.leaky_relu(out, SLOPE) if self.activate else out


def modulate(gamma_beta: Tensor, x: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    """Return x (... x C) normalised, times gamma plus beta (together ... x 2C)."""
    gamma, beta = gamma_beta.chunk(2, -1)
    return torch.addcmul(offset, x, factor) * gamma + beta


def modulated(pixels: Tensor, bias: Tensor, x: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    """Finish the convolution that gives gamma and beta."""
    return modulate(pixels + bias, x, factor, offset)


def modulated_and_activated(pixels: Tensor, bias: Tensor, x: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    """As `modulated`, then leaky ReLU."""
    return functional.leaky_relu(modulated(pixels, bias, x, factor, offset), SLOPE)


class FastSpadeBlock(Fusible):
    """A SPADE block over maps of one side, given the hidden maps of its layers: norm_0, norm_1 and perhaps norm_s."""

    def __init__(self, block: SpadeBlock, side: int, cells: bool = False) -> None:
        super().__init__()
        self.norm_0, self.norm_1 = (Modulation(norm, side, cells) for norm in (block.norm_0, block.norm_1))
        self.conv_0, self.conv_1 = (
            PixelConv(conv.weight, bias_of(conv), side) for conv in (block.conv_0, block.conv_1)
        )
        self.widens = block.widens
        if block.widens:
            self.norm_s = Modulation(block.norm_s, side, cells, activate=False)
            self.shortcut = Product(block.conv_s.weight.flatten(1).t())

    def forward(self, x: Tensor, hidden: tuple[Tensor, ...]) -> Tensor:
        normal = self.loop(instance_norm)
        norm = normal(x)
        shortcut = self.shortcut(self.norm_s(x, norm, hidden[2])) if self.widens else x
        inner = self.conv_0(self.norm_0(x, norm, hidden[0]))
        inner = self.norm_1(inner, normal(inner), hidden[1])
        return cast(Tensor, self.conv_1(inner, shortcut))


class FastGenerator(nn.Module):
    """Feature map B x 64 x 64 x F -> picture B x 512 x 512 x 3 in [0, 1], float32. Made from a folded, placed G."""

    def __init__(self, generator: Generator, side: int) -> None:
        super().__init__()
        self.fc = PixelConv(generator.fc.weight, bias_of(generator.fc), side)
        blocks = [cast(SpadeBlock, generator.get_submodule(f"G_middle_{i}")) for i in range(generator.n_middle)]
        ups = (generator.up_0, generator.up_1)
        middle = [norm for block in blocks for norm in (block.norm_0, block.norm_1)]
        weight, bias = _first_convolutions(middle)
        self.shared = PixelConv(weight, bias, side, relu=True)
        self.hidden_width = middle[0].mlp_shared[0].out_channels
        self.middle = nn.ModuleList(FastSpadeBlock(block, side) for block in blocks)
        self.up_0 = FastSpadeBlock(generator.up_0, 2 * side)
        self.up_1 = FastSpadeBlock(generator.up_1, 4 * side, cells=True)
        parts = [_first_convolutions([up.norm_0, up.norm_1, up.norm_s]) for up in ups]
        self.enlarged = nn.ModuleList(Enlarged(*part, middle=i == 1) for i, part in enumerate(parts))
        picture = cast(nn.Conv2d, generator.conv_img[0])
        self.picture = PixelConv(picture.weight, bias_of(picture), 4 * side)

    def forward(self, feature: Tensor) -> Tensor:
        seg = feature[:, None]  # B x 1 x H x W x F
        x = self.fc(seg)
        hidden = self.shared(seg).split(self.hidden_width, -1)
        for i, block in enumerate(self.middle):
            x = block(x, hidden[2 * i : 2 * i + 2])
        for i, block in enumerate((self.up_0, self.up_1)):
            hidden = self.enlarged[i](feature)[:, None].split(self.hidden_width, -1)
            x = block(doubled(x), hidden)
        pixels = self.picture(functional.leaky_relu(x, SLOPE))[:, 0].permute(0, 3, 1, 2)
        return functional.pixel_shuffle(pixels, PIXEL_SHUFFLE).permute(0, 2, 3, 1).float().sigmoid()


def doubled(x: Tensor) -> Tensor:
    """Return B x 1 x H x W x C enlarged to 2H x 2W by repeating pixels."""
    b, d, h, w, c = x.shape
    return x[:, :, :, None, :, None].expand(b, d, h, 2, w, 2, c).reshape(b, d, 2 * h, 2 * w, c)


def _first_convolutions(spades: list[Spade]) -> tuple[Tensor, Tensor]:
    convs = [cast(nn.Conv2d, spade.mlp_shared[0]) for spade in spades]
    return torch.cat([conv.weight for conv in convs]), torch.cat([bias_of(conv) for conv in convs])
