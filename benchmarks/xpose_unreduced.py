"""X-Pose as the paper states it, without our reductions: the other side of the benchmark, and a test's oracle.

350 text tokens of which one is real, 68 keypoints of which n are asked for, explicit masks everywhere, one
sequence of 3450 queries. Runs on the weights of a given network; deformable attention, backbone and heads are
the same on both sides.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lp_ray.face.xpose.config import MAX_KEYPOINTS
from lp_ray.face.xpose.decoder import Candidates
from lp_ray.face.xpose.deformable import Shapes
from lp_ray.face.xpose.encoder import cell_centres
from lp_ray.face.xpose.layers import bounded_logit, map_position, query_position
from lp_ray.face.xpose.model import XPose
from lp_ray.face.xpose.selection import base_boxes, rank, take

TEXT_TOKENS = 350


class UnreducedXPose:
    """Same inputs and outputs as the network it wraps."""

    def __init__(self, model: XPose) -> None:
        self.model = model
        self.decoder = model.transformer.decoder

    def __call__(self, image: Tensor, instance: Tensor, keypoints: Tensor) -> Candidates:
        padded = functional.pad(instance, (0, 0, 0, TEXT_TOKENS - 1))
        padding = torch.arange(TEXT_TOKENS, device=image.device)[None] > 0
        memory, text, shapes = self._encode(image, self.model.projection(padded)[None], padding)
        transformer = self.model.transformer
        base, valid = base_boxes(shapes, image.device)
        cells = transformer.enc_output_norm(transformer.enc_output(memory * valid[:, None]))
        scores = _class_scores(cells, text, padding)
        boxes = torch.sigmoid(transformer.enc_out_bbox_embed(cells) + base)
        kept = rank(scores, self.model.config.proposals)
        return self._decode(take(boxes, kept), memory, text, padding, shapes, keypoints)

    def _encode(self, image: Tensor, text: Tensor, padding: Tensor) -> tuple[Tensor, Tensor, Shapes]:
        maps = self.model.backbone(image)
        levels = [project(x) for project, x in zip(self.model.input_proj, [*maps, maps[-1]], strict=True)]
        shapes = [(x.shape[2], x.shape[3]) for x in levels]
        v = torch.cat([x.flatten(2).transpose(1, 2) for x in levels], 1)
        transformer = self.model.transformer
        position = torch.cat(
            [
                map_position(h, w, v.shape[-1], v.device) + embedding
                for (h, w), embedding in zip(shapes, transformer.level_embed, strict=True)
            ]
        )
        centres = cell_centres(shapes, v.device)[None]
        encoder = transformer.encoder
        for fusion, reader, layer in zip(encoder.fusion_layers, encoder.text_layers, encoder.layers, strict=True):
            v, text = _fuse(fusion, v, text, padding)
            text = _read(reader, text)
            v = layer(v, position, centres, shapes)
        return v, text, shapes

    def _decode(
        self, boxes: Tensor, memory: Tensor, text: Tensor, padding: Tensor, shapes: Shapes, keypoints: Tensor
    ) -> Candidates:
        decoder, config = self.decoder, self.model.config
        x = self.model.transformer.tgt_embed.weight[None]
        everyone = torch.zeros(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device)
        context = (memory, text, padding, shapes)
        for layer in decoder.layers[: config.instance_layers]:
            x = self._layer(layer, x, boxes, everyone, *context)
            boxes = torch.sigmoid(decoder.bbox_embed[0](x) + bounded_logit(boxes))
        kept = rank(_class_scores(x, text, padding), config.candidates)
        n = len(keypoints)
        padded = functional.pad(keypoints, (0, 0, 0, 100 - n))[:MAX_KEYPOINTS]
        x, boxes = decoder.expand(take(x, kept), take(boxes, kept), self.model.projection_kpt(padded))
        hidden = self._strangers(n, x.device)
        for layer in decoder.layers[config.instance_layers :]:
            fed = boxes
            x = self._layer(layer, x.flatten(1, 2), fed.flatten(1, 2), hidden, *context).view(x.shape)
            boxes = torch.sigmoid(bounded_logit(fed) + decoder.steps(x))
        y = decoder.norm(x)
        return Candidates(
            logit=_class_scores(y[:, :, 0], text, padding),
            box=torch.sigmoid(decoder.bbox_embed[0](y[:, :, 0]) + bounded_logit(fed[:, :, 0])),
            points=torch.sigmoid(decoder.pose_embed[0](y[:, :, 1:]) + bounded_logit(fed[:, :, 1:, :2]))[:, :, :n],
        )

    def _strangers(self, n: int, device: torch.device) -> Tensor:
        """True where a query must not see another: of another instance, or asked for where it is not."""
        groups = torch.arange(self.model.config.candidates, device=device)
        group = groups.repeat_interleave(MAX_KEYPOINTS + 1)
        visible = (torch.arange(MAX_KEYPOINTS + 1, device=device) <= n).repeat(len(groups))
        return (group[:, None] != group[None]) | (visible[:, None] != visible[None])

    def _layer(
        self,
        layer: Any,
        x: Tensor,
        boxes: Tensor,
        hidden: Tensor,
        memory: Tensor,
        text: Tensor,
        padding: Tensor,
        shapes: Shapes,
    ) -> Tensor:
        position = self.decoder.ref_point_head(query_position(boxes, x.shape[-1]))
        asking = x + position
        mixed, _ = layer.self_attn(asking, asking, x, attn_mask=hidden, need_weights=False)
        x = layer.norm2(x + mixed)
        mixed, _ = layer.ca_text(x + position, text, text, key_padding_mask=padding, need_weights=False)
        x = layer.catext_norm(x + mixed)
        x = layer.norm1(x + layer.cross_attn(x + position, boxes, memory, shapes))
        out: Tensor = layer.norm3(x + layer.linear2(functional.relu(layer.linear1(x))))
        return out


def _class_scores(x: Tensor, text: Tensor, padding: Tensor) -> Tensor:
    """Best score over the real tokens: B x Q."""
    return (x @ text.transpose(1, 2)).masked_fill(padding[:, None], -torch.inf).amax(-1)


def _fuse(layer: Any, v: Tensor, text: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
    v, text = layer.layer_norm_v(v), layer.layer_norm_l(text)
    attention = layer.attn

    def split(x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], attention.heads, -1).transpose(1, 2)

    query, key = split(attention.v_proj(v)), split(attention.l_proj(text))
    scores = query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)  # B x heads x S x tokens
    to_cells = scores.masked_fill(padding[:, None, None], -torch.inf).softmax(-1)
    to_text = scores.transpose(-1, -2).softmax(-1)
    read = (to_cells @ split(attention.values_l_proj(text))).transpose(1, 2).flatten(2)
    told = (to_text @ split(attention.values_v_proj(v))).transpose(1, 2).flatten(2)
    return v + layer.gamma_v * attention.out_v_proj(read), text + layer.gamma_l * attention.out_l_proj(told)


def _read(layer: Any, text: Tensor) -> Tensor:
    others = ~torch.eye(text.shape[1], dtype=torch.bool, device=text.device)
    mixed, _ = layer.self_attn(text, text, text, attn_mask=others, need_weights=False)
    text = layer.norm1(text + mixed)
    out: Tensor = layer.norm2(text + layer.linear2(functional.relu(layer.linear1(text))))
    return out
