"""Sizes of LivePortrait's networks."""

from __future__ import annotations

from dataclasses import dataclass

from lp_ray.base.errors import RefusedError

N_KEYPOINTS = 21
N_MOTIONS = N_KEYPOINTS + 1
"""Candidate motions of the dense-motion network: the identity, then one per keypoint."""

N_ANGLE_BINS = 66
"""Number of bins of the soft classification of each head angle."""

VOLUME_SIDE = 64
"""Height and width of the feature volume: the crop's 256 over 4."""


@dataclass(frozen=True)
class NetworkSize:
    """Widths and depths of the networks. The graph is the same at every size.

    Pictures are always 3 x 256 x 256 in and 3 x 512 x 512 out, with 21 keypoints between.
    """

    name: str
    appearance_width: int
    """Channels of F's first convolution, doubled by each of its two down blocks."""
    volume_channels: int
    volume_depth: int
    appearance_blocks: int
    """3-D residual blocks of F."""
    motion_depths: tuple[int, ...]
    motion_widths: tuple[int, ...]
    """Blocks and channels of M's four ConvNeXt-V2 stages."""
    compressed_channels: int
    """Channels of the volume that W samples once per candidate motion."""
    hourglass_widths: tuple[int, ...]
    """Channels after each down block of W's hourglass."""
    hourglass_last_width: int
    """Channels out of its last up block, before the last skip joins."""
    head_kernel: int
    """Side of the kernels that compute W's mask and occlusion."""
    feature_channels: int
    """Channels of W's output, which G renders."""
    generator_width: int
    generator_blocks: int
    generator_up_widths: tuple[int, int]
    spade_width: int
    """Hidden channels of a SPADE layer."""
    cpu_batch: int
    """Frames per pass on a CPU."""

    @property
    def folded_volume_channels(self) -> int:
        """Channels of the volume as a picture, with depth folded into the channels."""
        return self.volume_channels * self.volume_depth

    @property
    def hourglass_channels(self) -> int:
        """Input channels of the hourglass: for each motion, a heat map and the volume sampled along the motion."""
        return N_MOTIONS * (1 + self.compressed_channels)


FULL = NetworkSize(
    name="full",
    appearance_width=64,
    volume_channels=32,
    volume_depth=16,
    appearance_blocks=6,
    motion_depths=(3, 3, 9, 3),
    motion_widths=(96, 192, 384, 768),
    compressed_channels=4,
    hourglass_widths=(64, 128, 256, 512, 1024),
    hourglass_last_width=32,
    head_kernel=7,
    feature_channels=256,
    generator_width=512,
    generator_blocks=6,
    generator_up_widths=(256, 64),
    spade_width=128,
    cpu_batch=1,  # more is no faster and takes memory
)
"""The published networks (LivePortrait, arXiv 2407.03168)."""

TINY = NetworkSize(
    name="tiny",
    appearance_width=4,
    volume_channels=4,
    volume_depth=2,
    appearance_blocks=1,
    motion_depths=(1, 1, 1, 1),
    motion_widths=(8, 8, 16, 16),
    compressed_channels=1,
    hourglass_widths=(4, 8, 8, 8, 8),
    hourglass_last_width=4,
    head_kernel=3,
    feature_channels=4,
    generator_width=8,
    generator_blocks=1,
    generator_up_widths=(4, 2),
    spade_width=4,
    cpu_batch=8,  # torch takes its slow path for small 3-D convolutions of one item
)
"""For tests of the job: about 60 ms per frame on one CPU core. Exists with seeded weights only."""

SIZES = {size.name: size for size in (FULL, TINY)}


def network_size(name: str) -> NetworkSize:
    """Return the size of that name. Raises RefusedError for an unknown name."""
    if name not in SIZES:
        raise RefusedError(f"engine.size={name!r} must be one of {', '.join(SIZES)}")
    return SIZES[name]
