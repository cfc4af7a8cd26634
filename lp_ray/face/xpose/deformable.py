"""Multi-scale deformable attention (Deformable DETR, Zhu et al. 2021, equation 3) on `grid_sample`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Shapes = Sequence[tuple[int, int]]
"""Height and width of each feature level, fine to coarse."""


class MSDeformAttn(nn.Module):
    """Each query reads `points` bilinear samples around its reference from every level of the memory."""

    def __init__(self, width: int, heads: int = 8, levels: int = 4, points: int = 4) -> None:
        super().__init__()
        self.heads, self.levels, self.points = heads, levels, points
        self.sampling_offsets = nn.Linear(width, heads * levels * points * 2)
        self.attention_weights = nn.Linear(width, heads * levels * points)
        self.value_proj = nn.Linear(width, width)
        self.output_proj = nn.Linear(width, width)

    def forward(self, query: Tensor, reference: Tensor, memory: Tensor, shapes: Shapes) -> Tensor:
        """Attend from B x Q x d queries to B x S x d memory cells; returns B x Q x d.

        `reference` holds fractions of the picture: points (x, y) or boxes (cx, cy, w, h), B x Q x (2|4).
        Offsets count cells of the sampled level around a point, and eighths of the box around a box.
        """
        b, q, _ = query.shape
        offsets = self.sampling_offsets(query).view(b, q, self.heads, self.levels, self.points, 2)
        weights = self.attention_weights(query).view(b, q, self.heads, -1).softmax(-1)
        weights = weights.view(b, q, self.heads, self.levels, self.points)
        values = self.value_proj(memory).split([h * w for h, w in shapes], 1)
        read = query.new_zeros(())
        # Level by level: a stack over all levels costs four times the memory of the largest intermediate.
        for level, (height, width) in enumerate(shapes):
            places = self._places(reference, offsets[:, :, :, level], height, width)
            read = read + self._sample(values[level], places, weights[:, :, :, level], height, width)
        out: Tensor = self.output_proj(read.view(b, -1, q).transpose(1, 2))
        return out

    def _places(self, reference: Tensor, offsets: Tensor, height: int, width: int) -> Tensor:
        """Sampling places in fractions of the picture: B x Q x heads x points x 2, (x, y)."""
        around = reference[:, :, None, None]
        if reference.shape[-1] == 2:
            return around + offsets / offsets.new_tensor((width, height))
        return around[..., :2] + offsets / self.points * around[..., 2:] * 0.5

    def _sample(self, value: Tensor, places: Tensor, weights: Tensor, height: int, width: int) -> Tensor:
        """Weighted sum of one level's samples: (B heads) x channels x Q."""
        maps = value.transpose(1, 2).reshape(value.shape[0] * self.heads, -1, height, width)
        grid = (2 * places - 1).transpose(1, 2).flatten(0, 1)  # (B heads) x Q x points x 2
        samples = functional.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        shares = weights.transpose(1, 2).flatten(0, 1)[:, None]  # (B heads) x 1 x Q x points
        return torch.sum(samples * shares, -1)
