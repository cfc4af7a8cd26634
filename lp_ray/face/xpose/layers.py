"""The small functions that every part of X-Pose shares."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

_LOGIT_FLOOR = 1e-3
_MAP_TEMPERATURE = 20.0
_QUERY_TEMPERATURE = 10_000.0


class MLP(nn.Module):
    """`depth` linear layers with ReLU between: ... x inputs -> ... x outputs."""

    def __init__(self, inputs: int, hidden: int, outputs: int, depth: int) -> None:
        super().__init__()
        widths = [inputs, *[hidden] * (depth - 1), outputs]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
        out: Tensor = self.layers[-1](x)
        return out


def bounded_logit(p: Tensor) -> Tensor:
    """Return the inverse sigmoid of fractions, with p and 1 - p each at least 1e-3, so within about 6.907 of 0.

    `torch.logit(p, eps)` differs: it limits p first and takes 1 - p from the limited value.
    """
    p = p.clamp(0, 1)
    return torch.log(p.clamp(min=_LOGIT_FLOOR) / (1 - p).clamp(min=_LOGIT_FLOOR))


def wave(position: Tensor, width: int, temperature: float) -> Tensor:
    """Sine and cosine of a position at `width` / 2 frequencies, interleaved: ... -> ... x width.

    Source: Vaswani et al. 2017, section 3.5, with the temperature as a parameter.
    """
    exponent = torch.arange(0, width, 2, dtype=torch.float32, device=position.device) / width
    angle = position[..., None] / temperature**exponent
    return torch.stack((angle.sin(), angle.cos()), -1).flatten(-2)


def map_position(height: int, width: int, channels: int, device: torch.device) -> Tensor:
    """Position encoding of a feature map's cells, row by row: HW x channels, y before x.

    Cells count from 1 and are divided by size + 1e-6, so the last one is at almost 2 pi (DETR, appendix A.4;
    DAB-DETR for the temperature of 20).
    """
    rows, columns = (
        2 * math.pi * torch.arange(1, n + 1, dtype=torch.float32, device=device) / (n + 1e-6) for n in (height, width)
    )
    y = wave(rows, channels // 2, _MAP_TEMPERATURE)[:, None].expand(-1, width, -1)
    x = wave(columns, channels // 2, _MAP_TEMPERATURE)[None].expand(height, -1, -1)
    return torch.cat((y, x), -1).flatten(0, 1)


def query_position(boxes: Tensor, channels: int) -> Tensor:
    """Position encoding of reference boxes (cx, cy, w, h in fractions): ... x 4 -> ... x 2 channels.

    The parts come in the order y, x, w, h (DAB-DETR, section 4.2).
    """
    reordered = boxes[..., [1, 0, 2, 3]]
    return wave(2 * math.pi * reordered, channels // 2, _QUERY_TEMPERATURE).flatten(-2)


def attend_to_one(attention: nn.MultiheadAttention, token: Tensor) -> Tensor:
    """Return what `attention` gives any query that attends to `token` only: ... x d -> ... x d.

    Exact: a softmax over one key is 1, so queries and keys have no effect and only the value path remains.
    """
    d = attention.embed_dim
    value = functional.linear(token, attention.in_proj_weight[2 * d :], attention.in_proj_bias[2 * d :])
    out: Tensor = attention.out_proj(value)
    return out
