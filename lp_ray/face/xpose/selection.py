"""Query selection: which cells become queries, and the boxes from which they start (DINO, Zhang et al. 2023)."""

from __future__ import annotations

import torch
from torch import Tensor

from lp_ray.face.xpose.deformable import Shapes
from lp_ray.face.xpose.encoder import cell_centres

_FINEST_SIDE = 0.05
_MARGIN = 0.01


def base_boxes(shapes: Shapes, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the box that each cell proposes before the network moves it, and which cells are valid.

    The boxes are logits of (cx, cy, w, h), S x 4; the mask is S. A box is centred on its cell; its sides are 0.05 of
    the picture, doubled from level to level. A cell is valid if all four values are strictly within (0.01, 0.99). The
    logits of the others are infinite, so their box is (1, 1, 1, 1), whatever the network adds.
    """
    centres = cell_centres(shapes, device)
    cells = torch.tensor([h * w for h, w in shapes], device=device)
    sides = torch.tensor([_FINEST_SIDE * 2**level for level in range(len(shapes))], device=device)
    boxes = torch.cat((centres, sides.repeat_interleave(cells)[:, None].expand(-1, 2)), -1)
    valid = ((boxes > _MARGIN) & (boxes < 1 - _MARGIN)).all(-1)
    logits = torch.where(valid[:, None], torch.log(boxes / (1 - boxes)), torch.inf)
    return logits, valid


def rank(scores: Tensor, count: int) -> Tensor:
    """Return the indices of the `count` largest scores of each row in descending order: B x N -> B x count."""
    return scores.topk(count, dim=1).indices


def take(rows: Tensor, places: Tensor) -> Tensor:
    """Pick rows by index: B x N x c, B x k -> B x k x c."""
    return rows.gather(1, places[..., None].expand(-1, -1, rows.shape[-1]))
