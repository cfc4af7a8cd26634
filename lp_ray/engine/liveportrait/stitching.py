"""S: three small networks that move keypoints (LivePortrait, section 3.3).

stitching  [x_s, x_d] (126)                          -> delta of x_d (63), shift of all along x, y (2)
lip        [x_s, source's and wanted lip ratio] (65) -> delta of x_s (63)
eye        [x_s, source's left, right and wanted eye ratio] (66) -> delta of x_s (63)
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from lp_ray.engine.liveportrait.config import N_KEYPOINTS

STITCHING_WIDTHS = (126, 128, 128, 64, 65)
LIP_WIDTHS = (65, 128, 128, 64, 63)
EYE_WIDTHS = (66, 256, 256, 128, 128, 64, 63)


class KeypointMlp(nn.Module):
    """Linear layers with ReLU between: B x widths[0] -> B x widths[-1]."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, (narrow, wide) in enumerate(pairwise(widths)):
            layers += [nn.ReLU()] * (i > 0) + [nn.Linear(narrow, wide)]
        self.mlp = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.mlp(x)
        return y


def stitch(stitching: nn.Module, x_s: Tensor, x_d: Tensor) -> Tensor:
    """Return driving keypoints moved so that the shoulders stay where they are in the source.

    `x_s`, `x_d` and the result are B x 21 x 3.
    """
    moved: Tensor = stitching(torch.cat([x_s.flatten(1), x_d.flatten(1)], 1))  # B x 65
    delta, shift = torch.split(moved, [3 * N_KEYPOINTS, 2], 1)
    return x_d + delta.view(-1, N_KEYPOINTS, 3) + nn.functional.pad(shift, (0, 1))[:, None]


def retarget(head: nn.Module, x_s: Tensor, ratios: Tensor) -> Tensor:
    """Return the delta, B x 21 x 3, that the lip or eye network gives for x_s (B x 21 x 3) and B x r ratios."""
    delta: Tensor = head(torch.cat([x_s.flatten(1), ratios], 1))
    return delta.view(-1, N_KEYPOINTS, 3)
