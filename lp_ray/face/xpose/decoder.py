"""The decoder: from proposals to instances, from instances to keypoints (X-Pose / UniPose, Yang et al. 2024, section
3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lp_ray.face.xpose.config import MAX_KEYPOINTS, XPoseConfig
from lp_ray.face.xpose.deformable import MSDeformAttn, Shapes
from lp_ray.face.xpose.layers import MLP, attend_to_one, bounded_logit, query_position
from lp_ray.face.xpose.selection import rank, take

_HUMAN_KEYPOINTS = 17
"""Rows of `hw`; `hw_append` holds the other keypoints' sizes (the model grew from COCO's 17)."""


@dataclass(frozen=True)
class Encoded:
    """The encoder's output for a picture: cells B x S x d, text token B x 1 x d, sizes of the levels."""

    memory: Tensor
    text: Tensor
    shapes: Shapes


@dataclass(frozen=True)
class Candidates:
    """The instances of one forward pass, in the order in which they were kept (not sorted by score).

    `logit` B x G; `box` B x G x 4 (cx, cy, w, h) and `points` B x G x n x 2 (x, y), in fractions of the picture.
    """

    logit: Tensor
    box: Tensor
    points: Tensor


class DecoderLayer(nn.Module):
    """Queries attend to their group, the text and the picture. Post-norm; the norms are not numbered in their order of
    use."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, 8, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.ca_text = nn.MultiheadAttention(width, 8, batch_first=True)
        self.catext_norm = nn.LayerNorm(width)
        self.cross_attn = MSDeformAttn(width)
        self.norm1 = nn.LayerNorm(width)
        self.linear1, self.linear2 = nn.Linear(width, 8 * width), nn.Linear(8 * width, width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, x: Tensor, position: Tensor, reference: Tensor, seen: Encoded, groups: int) -> Tensor:
        """Refine B x Q x d queries. The sequence consists of `groups` equal parts that do not attend to each other.

        `position` is B x Q x d, `reference` B x Q x 4 (boxes in fractions).
        """
        grouped = x.reshape(x.shape[0] * groups, -1, x.shape[-1])
        asking = grouped + position.reshape(grouped.shape)
        mixed, _ = self.self_attn(asking, asking, grouped, need_weights=False)
        x = self.norm2(x + mixed.reshape(x.shape))
        x = self.catext_norm(x + attend_to_one(self.ca_text, seen.text))
        x = self.norm1(x + self.cross_attn(x + position, reference, seen.memory, seen.shapes))
        out: Tensor = self.norm3(x + self.linear2(functional.relu(self.linear1(x))))
        return out


class Decoder(nn.Module):
    """Two layers over all proposals, then four layers over each kept instance and its keypoints.

    All layers share one head each for boxes, points and sizes of points, so each list of heads has one entry.
    """

    def __init__(self, config: XPoseConfig) -> None:
        super().__init__()
        d = config.width
        self.instance_layers, self.candidates = config.instance_layers, config.candidates
        self.layers = nn.ModuleList(DecoderLayer(d) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(d)
        self.ref_point_head = MLP(2 * d, d, d, 2)
        self.hw = nn.Embedding(_HUMAN_KEYPOINTS, 2)
        self.hw_append = nn.Embedding(MAX_KEYPOINTS - _HUMAN_KEYPOINTS, 2)
        self.bbox_embed = nn.ModuleList([MLP(d, d, 4, 3)])
        self.pose_embed = nn.ModuleList([MLP(d, d, 2, 3)])
        self.pose_hw_embed = nn.ModuleList([MLP(d, d, 2, 3)])

    def forward(self, x: Tensor, boxes: Tensor, keypoints: Tensor, seen: Encoded) -> Candidates:
        """B x Q x d content queries, their B x Q x 4 boxes in fractions, n x d keypoint queries."""
        for layer in self.layers[: self.instance_layers]:
            x = self._refine(layer, x, boxes, seen, groups=1)
            boxes = torch.sigmoid(self.bbox_embed[0](x) + bounded_logit(boxes))
        kept = rank(_match(x, seen.text), self.candidates)
        x, boxes = self.expand(take(x, kept), take(boxes, kept), keypoints)
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers[self.instance_layers :], self.instance_layers):
            x = self._refine(layer, x.flatten(1, 2), boxes.flatten(1, 2), seen, self.candidates).view(x.shape)
            # The heads below refine what the last layer was given: its own update is never used.
            if i < last:
                boxes = torch.sigmoid(bounded_logit(boxes) + self.steps(x))
        return self._heads(self.norm(x), boxes, seen.text)

    def _refine(self, layer: nn.Module, x: Tensor, boxes: Tensor, seen: Encoded, groups: int) -> Tensor:
        position = self.ref_point_head(query_position(boxes, x.shape[-1]))
        out: Tensor = layer(x, position, boxes, seen, groups)
        return out

    def expand(self, x: Tensor, boxes: Tensor, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """Give each of G instances its n keypoint queries: B x G x (1 + n) x d, boxes likewise x 4.

        The text of a keypoint decides how near to its instance's centre it starts. Its size is a learned share of the
        box.
        """
        n = len(keypoints)
        centre = torch.sigmoid(bounded_logit(boxes[:, :, None, :2]) + self.pose_embed[0](keypoints))
        shares = torch.cat((self.hw.weight, self.hw_append.weight))[:n].sigmoid()
        size = shares * boxes[:, :, None, 2:]
        content = keypoints.expand(*boxes.shape[:2], -1, -1)
        parts = torch.cat((centre, size), -1)
        return torch.cat((x[:, :, None], content), 2), torch.cat((boxes[:, :, None], parts), 2)

    def steps(self, x: Tensor) -> Tensor:
        """Logit steps of the boxes of B x G x (1 + n) x d queries."""
        points = x[:, :, 1:]
        steps = torch.cat((self.pose_embed[0](points), self.pose_hw_embed[0](points)), -1)
        return torch.cat((self.bbox_embed[0](x[:, :, :1]), steps), 2)

    def _heads(self, y: Tensor, boxes: Tensor, text: Tensor) -> Candidates:
        whole, points = y[:, :, 0], y[:, :, 1:]
        return Candidates(
            logit=_match(whole, text),
            box=torch.sigmoid(self.bbox_embed[0](whole) + bounded_logit(boxes[:, :, 0])),
            points=torch.sigmoid(self.pose_embed[0](points) + bounded_logit(boxes[:, :, 1:, :2])),
        )


def _match(x: Tensor, text: Tensor) -> Tensor:
    """Plain dot product of B x Q x d queries with the B x 1 x d token: B x Q."""
    return (x @ text.transpose(1, 2)).squeeze(-1)
