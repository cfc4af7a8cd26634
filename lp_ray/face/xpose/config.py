"""Sizes of X-Pose: the official model, and a tiny one with the same graph."""

from __future__ import annotations

from dataclasses import dataclass

TEXT_WIDTH = 512
"""Width of a CLIP ViT-B/32 text feature."""

MAX_KEYPOINTS = 68
"""Number of keypoints for which the model has an initial size (17 + 51: `hw` and `hw_append`)."""


@dataclass(frozen=True)
class XPoseConfig:
    """Sizes of one X-Pose; the defaults are those of the official weights.

    `width` is d, the width of queries and of flattened cells: a multiple of 32. The feed-forward layers are
    8 d wide (4 d for text), the fusion's attention 4 heads of d.
    """

    swin_width: int = 96
    swin_depths: tuple[int, int, int, int] = (2, 2, 6, 2)
    swin_heads: tuple[int, int, int, int] = (3, 6, 12, 24)
    width: int = 256
    encoder_layers: int = 6
    instance_layers: int = 2
    """Decoder layers that see whole instances only."""
    keypoint_layers: int = 4
    """Decoder layers after them, which see each kept instance together with its keypoints."""
    proposals: int = 900
    """Cells that the query selection keeps: the smallest number of cells a picture may have."""
    candidates: int = 50
    """Instances that go on to the keypoint layers."""

    @property
    def decoder_layers(self) -> int:
        return self.instance_layers + self.keypoint_layers

    @property
    def swin_widths(self) -> tuple[int, int, int, int]:
        """Channels of the four stages, at strides 4, 8, 16 and 32."""
        c = self.swin_width
        return c, 2 * c, 4 * c, 8 * c


OFFICIAL = XPoseConfig()

TINY = XPoseConfig(
    swin_width=16,
    swin_depths=(1, 1, 2, 1),
    swin_heads=(1, 2, 2, 4),
    width=32,
    encoder_layers=2,
    keypoint_layers=2,
    proposals=60,
    candidates=8,
)
"""The same graph in a hundredth of the time, for tests and trial runs. There are no trained weights for it."""
