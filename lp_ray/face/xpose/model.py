"""X-Pose (UniPose, Yang et al. 2024, Swin-T): one picture, one instance prompt, n keypoint prompts.

The names of the modules are the keys of the official checkpoint. Run it in float32: in half precision, the scores that
rank the 900 proposals are too coarse, and a good part of the result changes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lp_ray.base.errors import UnsupportedError
from lp_ray.face.xpose.config import OFFICIAL, TEXT_WIDTH, XPoseConfig
from lp_ray.face.xpose.decoder import Candidates, Decoder, Encoded
from lp_ray.face.xpose.encoder import Encoder
from lp_ray.face.xpose.layers import MLP, map_position
from lp_ray.face.xpose.selection import base_boxes, rank, take
from lp_ray.face.xpose.swin import Swin

_GROUPS = 32
_LEVELS = 4


def level_shapes(height: int, width: int) -> list[tuple[int, int]]:
    """Return height and width of the four feature levels of a picture, in cells, fine to coarse."""
    h, w = -(-height // 4), -(-width // 4)
    shapes = []
    for _ in range(_LEVELS):
        h, w = -(-h // 2), -(-w // 2)
        shapes.append((h, w))
    return shapes


class Transformer(nn.Module):
    """Encoder, query selection and decoder."""

    def __init__(self, config: XPoseConfig) -> None:
        super().__init__()
        d = config.width
        self.level_embed = nn.Parameter(torch.zeros(_LEVELS, d))
        self.tgt_embed = nn.Embedding(config.proposals, d)
        self.enc_output = nn.Linear(d, d)
        self.enc_output_norm = nn.LayerNorm(d)
        self.enc_out_bbox_embed = MLP(d, d, 4, 3)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def encode(self, levels: list[Tensor], text: Tensor) -> Encoded:
        """Feature levels B x d x H x W, fine to coarse, and the token B x 1 x d."""
        shapes = [(level.shape[2], level.shape[3]) for level in levels]
        cells = torch.cat([level.flatten(2).transpose(1, 2) for level in levels], 1)
        position = torch.cat(
            [
                map_position(h, w, cells.shape[-1], cells.device) + embedding
                for (h, w), embedding in zip(shapes, self.level_embed, strict=True)
            ]
        )
        memory, text = self.encoder(cells, position, text, shapes)
        return Encoded(memory, text, shapes)

    def propose(self, seen: Encoded) -> tuple[Tensor, Tensor]:
        """Score each cell and give it a box: B x S, and B x S x 4 (cx, cy, w, h in fractions)."""
        base, valid = base_boxes(seen.shapes, seen.memory.device)
        cells = self.enc_output_norm(self.enc_output(seen.memory * valid[:, None]))
        scores = (cells @ seen.text.transpose(1, 2)).squeeze(-1)
        return scores, torch.sigmoid(self.enc_out_bbox_embed(cells) + base)

    def decode(self, seen: Encoded, boxes: Tensor, keypoints: Tensor) -> Candidates:
        """Turn the ranked boxes into candidates; content query r goes with the r-th box, not with its cell."""
        content = self.tgt_embed.weight.expand(len(boxes), -1, -1)
        candidates: Candidates = self.decoder(content, boxes, keypoints, seen)
        return candidates


class XPose(nn.Module):
    """The whole network; `forward` is `encode`, `propose`, `rank` and `decode` in turn."""

    def __init__(self, config: XPoseConfig = OFFICIAL) -> None:
        super().__init__()
        self.config = config
        d = config.width
        self.backbone = nn.Sequential(Swin(config))
        projections = [
            nn.Sequential(nn.Conv2d(channels, d, 1), nn.GroupNorm(_GROUPS, d)) for channels in config.swin_widths[1:]
        ]
        coarsest = nn.Conv2d(config.swin_widths[-1], d, 3, stride=2, padding=1)
        self.input_proj = nn.ModuleList([*projections, nn.Sequential(coarsest, nn.GroupNorm(_GROUPS, d))])
        self.projection = MLP(TEXT_WIDTH, d, d, 3)
        self.projection_kpt = MLP(TEXT_WIDTH, d, d, 3)
        self.transformer = Transformer(config)

    def forward(self, image: Tensor, instance: Tensor, keypoints: Tensor) -> Candidates:
        """Find instances and their keypoints.

        `image` is B x 3 x H x W, normalised, unpadded; `instance` 1 x 512 and `keypoints` n x 512 are text
        features (`prompts.TextPrompts`). Raises UnsupportedError for a picture of fewer cells than proposals.
        """
        seen = self.encode(image, instance)
        scores, boxes = self.transformer.propose(seen)
        return self.decode(seen, take(boxes, rank(scores, self.config.proposals)), keypoints)

    def encode(self, image: Tensor, instance: Tensor) -> Encoded:
        """Run backbone, four levels at strides 8, 16, 32 and 64, and encoder. Raises as `forward` does."""
        height, width = image.shape[2:]
        cells = sum(h * w for h, w in level_shapes(height, width))
        if cells < self.config.proposals:
            raise UnsupportedError(
                f"a picture of {width} x {height} pixels has {cells} cells, "
                f"X-Pose needs {self.config.proposals}: give a larger or less elongated one"
            )
        maps = self.backbone(image)
        levels = [project(x) for project, x in zip(self.input_proj, [*maps, maps[-1]], strict=True)]
        return self.transformer.encode(levels, self.projection(instance).expand(len(image), 1, -1))

    def decode(self, seen: Encoded, boxes: Tensor, keypoints: Tensor) -> Candidates:
        """Decode the ranked boxes (B x proposals x 4) with n x 512 keypoint text features."""
        return self.transformer.decode(seen, boxes, self.projection_kpt(keypoints))
