"""The encoder: fuses picture cells with the instance's text token and refines them, layer by layer.

There is exactly one text token, the prompt of the instance ("face"). This gives two exact simplifications, used
throughout: attention to the token needs no scores, and the token pools cells without projecting every cell.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lp_ray.face.xpose.config import XPoseConfig
from lp_ray.face.xpose.deformable import MSDeformAttn, Shapes
from lp_ray.face.xpose.layers import attend_to_one


def cell_centres(shapes: Shapes, device: torch.device) -> Tensor:
    """Centres of all cells (x, y) in fractions of their level, row by row, fine to coarse: S x 2.

    Computed as (index + 0.5) / size in float32: the query selection compares some of them with a bound that
    they meet exactly.
    """
    levels = []
    for height, width in shapes:
        y = (torch.arange(height, dtype=torch.float32, device=device) + 0.5) / height
        x = (torch.arange(width, dtype=torch.float32, device=device) + 0.5) / width
        levels.append(torch.stack((x.expand(height, -1), y[:, None].expand(-1, width)), -1).flatten(0, 1))
    return torch.cat(levels)


class FusionAttention(nn.Module):
    """Attention both ways between cells and text with one score matrix (GLIP, Li et al. 2022, eq. 4-5)."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * width
        self.v_proj, self.l_proj = nn.Linear(width, inner), nn.Linear(width, inner)
        self.values_v_proj, self.values_l_proj = nn.Linear(width, inner), nn.Linear(width, inner)
        self.out_v_proj, self.out_l_proj = nn.Linear(inner, width), nn.Linear(inner, width)

    def forward(self, cells: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        """Return what each side reads from the other: cells B x S x d, token B x 1 x d -> two B x 1 x d.

        With one token, every cell reads the same. The token's scores are linear in the cells, so the key projection
        becomes one vector per head (its bias shifts the scores of all cells equally and cancels in the softmax). The
        value projection is applied after pooling, because the weights of the pooling sum to 1.
        """
        to_cells = self.out_v_proj(self.values_l_proj(token))
        key = self.v_proj.weight.view(self.heads, -1, cells.shape[-1])  # heads x c x d
        query = self.l_proj(token).squeeze(1).unflatten(-1, (self.heads, -1))  # B x heads x c
        folded = torch.einsum("bhc,hcd->bhd", query * query.shape[-1] ** -0.5, key)
        pooled = (folded @ cells.transpose(1, 2)).softmax(-1) @ cells  # B x heads x d
        value = self.values_v_proj.weight.view(self.heads, -1, cells.shape[-1])
        mixed = torch.einsum("bhd,hcd->bhc", pooled, value).flatten(1) + self.values_v_proj.bias
        return to_cells, self.out_l_proj(mixed)[:, None]


class FusionLayer(nn.Module):
    """Cells and text attend to each other; the residual is added to the normed inputs."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer_norm_v, self.layer_norm_l = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = FusionAttention(width)
        self.gamma_v, self.gamma_l = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))

    def forward(self, cells: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        """B x S x d cells, B x 1 x d token -> the same shapes."""
        cells, token = self.layer_norm_v(cells), self.layer_norm_l(token)
        to_cells, to_token = self.attn(cells, token)
        return cells + self.gamma_v * to_cells, token + self.gamma_l * to_token


class TextLayer(nn.Module):
    """A post-norm transformer layer over text tokens that see only themselves: ... x d -> ... x d."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, 4, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, token: Tensor) -> Tensor:
        token = self.norm1(token + attend_to_one(self.self_attn, token))
        out: Tensor = self.norm2(token + self.linear2(functional.relu(self.linear1(token))))
        return out


class DeformableLayer(nn.Module):
    """A post-norm transformer layer over cells, with deformable self-attention: B x S x d -> the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attn = MSDeformAttn(width)
        self.linear1, self.linear2 = nn.Linear(width, 8 * width), nn.Linear(8 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, cells: Tensor, position: Tensor, centres: Tensor, shapes: Shapes) -> Tensor:
        cells = self.norm1(cells + self.self_attn(cells + position, centres, cells, shapes))
        out: Tensor = self.norm2(cells + self.linear2(functional.relu(self.linear1(cells))))
        return out


class Encoder(nn.Module):
    """Fusion, text and deformable layers in turn."""

    def __init__(self, config: XPoseConfig) -> None:
        super().__init__()
        count, width = config.encoder_layers, config.width
        self.fusion_layers = nn.ModuleList(FusionLayer(width) for _ in range(count))
        self.text_layers = nn.ModuleList(TextLayer(width) for _ in range(count))
        self.layers = nn.ModuleList(DeformableLayer(width) for _ in range(count))

    def forward(self, cells: Tensor, position: Tensor, token: Tensor, shapes: Shapes) -> tuple[Tensor, Tensor]:
        """B x S x d cells, S x d positions, B x 1 x d token -> refined cells and token."""
        centres = cell_centres(shapes, cells.device)[None]
        for fuse, read, refine in zip(self.fusion_layers, self.text_layers, self.layers, strict=True):
            cells, token = fuse(cells, token)
            token = read(token)
            cells = refine(cells, position, centres, shapes)
        return cells, token
