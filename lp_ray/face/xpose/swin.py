"""The backbone: Swin Transformer (Liu et al. 2021) for pictures of any size, with three output maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lp_ray.face.xpose.config import XPoseConfig

WINDOW = 7
SHIFT = WINDOW // 2
MLP_RATIO = 4
_OTHER_REGION = -100.0


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Pad B x H x W x C with zeros at the bottom and right until both sides are multiples."""
    height, width = x.shape[1:3]
    return functional.pad(x, (0, 0, 0, -width % multiple, 0, -height % multiple))


def window_offsets() -> Tensor:
    """Row of the bias table for each pair of cells of a window, query cell first: 49 x 49, int64."""
    axis = torch.arange(WINDOW)
    cells = torch.cartesian_prod(axis, axis)  # 49 x 2, row by row
    dy, dx = (cells[:, None] - cells[None] + WINDOW - 1).unbind(-1)
    return dy * (2 * WINDOW - 1) + dx


def windows(x: Tensor) -> Tensor:
    """Cut B x H x W x C (sides multiples of 7) into windows: B x n x 49 x C."""
    b, h, w, c = x.shape
    cut = x.view(b, h // WINDOW, WINDOW, w // WINDOW, WINDOW, c).transpose(2, 3)
    return cut.reshape(b, -1, WINDOW * WINDOW, c)


def unwindow(cut: Tensor, height: int, width: int) -> Tensor:
    """Undo `windows`: B x n x 49 x C -> B x H x W x C."""
    b, _, _, c = cut.shape
    x = cut.view(b, height // WINDOW, width // WINDOW, WINDOW, WINDOW, c).transpose(2, 3)
    return x.reshape(b, height, width, c)


def shift_mask(height: int, width: int, device: torch.device) -> Tensor:
    """Score offsets that keep apart cells which only the cyclic shift made neighbours: n x 1 x 49 x 49.

    The rolled map has three bands along each axis; a pair of cells from different bands gets -100, not
    -infinity (Swin, section 3.2, "Efficient batch computation for shifted configuration").
    """
    rows, columns = (_band(n, device) for n in (height, width))
    region = (3 * rows[:, None] + columns[None])[None, :, :, None]
    region = windows(region)[0, :, :, 0]  # n x 49
    apart = region[:, :, None] != region[:, None, :]
    return torch.where(apart, _OTHER_REGION, 0.0)[:, None]


def _band(size: int, device: torch.device) -> Tensor:
    place = torch.arange(size, device=device)
    return (place >= size - WINDOW).long() + (place >= size - SHIFT).long()


class WindowAttention(nn.Module):
    """Multi-head attention inside each window, with a learned bias per relative position."""

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * WINDOW - 1) ** 2, heads))
        self.register_buffer("relative_position_index", window_offsets())

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """B x n x 49 x C windows, and the n x 1 x 49 x 49 mask of a shifted block -> B x n x 49 x C."""
        b, n, cells, c = x.shape
        q, k, v = self.qkv(x).view(b, n, cells, 3, self.heads, -1).permute(3, 0, 1, 4, 2, 5)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + bias  # B x n x heads x 49 x 49
        if mask is not None:
            scores = scores + mask
        mixed = (scores.softmax(-1) @ v).transpose(2, 3).reshape(b, n, cells, c)
        out: Tensor = self.proj(mixed)
        return out


class FeedForward(nn.Module):
    """Two linear layers around an exact GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, MLP_RATIO * width)
        self.fc2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


class SwinBlock(nn.Module):
    """Windowed attention and feed-forward, pre-norm: B x H x W x C -> the same."""

    def __init__(self, width: int, heads: int, shift: int) -> None:
        super().__init__()
        self.shift = shift
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._attend(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out

    def _attend(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        # After the norm, so that padding is zero and takes part as keys and values made of biases alone.
        x = pad_to_multiple(x, WINDOW)
        rolled_height, rolled_width = x.shape[1:3]
        mask = None
        if self.shift:
            x = x.roll((-self.shift, -self.shift), (1, 2))
            mask = shift_mask(rolled_height, rolled_width, x.device)
        x = unwindow(self.attn(windows(x), mask), rolled_height, rolled_width)
        if self.shift:
            x = x.roll((self.shift, self.shift), (1, 2))
        return x[:, :height, :width]


class PatchMerging(nn.Module):
    """Halve both sides, double the channels: B x H x W x C -> B x ceil(H/2) x ceil(W/2) x 2C."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = pad_to_multiple(x, 2)
        quarters = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        out: Tensor = self.reduction(self.norm(torch.cat(quarters, -1)))
        return out


class SwinStage(nn.Module):
    """Blocks at one resolution, every second one shifted; all stages but the last end in a merging."""

    def __init__(self, width: int, depth: int, heads: int, merge: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(SwinBlock(width, heads, SHIFT if j % 2 else 0) for j in range(depth))
        self.downsample = PatchMerging(width) if merge else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the stage's map, and what the next stage starts from (the map itself after the last)."""
        for block in self.blocks:
            x = block(x)
        return x, x if self.downsample is None else self.downsample(x)


class PatchEmbed(nn.Module):
    """Patches of 4 x 4 pixels to vectors: B x 3 x H x W -> B x ceil(H/4) x ceil(W/4) x C."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, 4, 4)
        self.norm = nn.LayerNorm(width)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[2:]
        x = self.proj(functional.pad(image, (0, -width % 4, 0, -height % 4)))
        out: Tensor = self.norm(x.permute(0, 2, 3, 1))
        return out


class Swin(nn.Module):
    """B x 3 x H x W -> the normed maps of stages 1, 2 and 3, B x C x h x w, at strides 8, 16 and 32."""

    def __init__(self, config: XPoseConfig) -> None:
        super().__init__()
        widths = config.swin_widths
        self.patch_embed = PatchEmbed(widths[0])
        self.layers = nn.ModuleList(
            SwinStage(width, depth, heads, merge=width != widths[-1])
            for width, depth, heads in zip(widths, config.swin_depths, config.swin_heads, strict=True)
        )
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for width in widths[1:])

    def forward(self, image: Tensor) -> list[Tensor]:
        x = self.patch_embed(image)
        _, x = self.layers[0](x)
        maps = []
        for stage, norm in zip(self.layers[1:], (self.norm1, self.norm2, self.norm3), strict=True):
            out, x = stage(x)
            maps.append(norm(out).permute(0, 3, 1, 2))
        return maps
