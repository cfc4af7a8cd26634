"""Limits for untrusted inputs: sizes that are checked before decoding, and the allowed cost of decoding."""

from __future__ import annotations

from dataclasses import dataclass

from lp_ray.base.declared import bound


@dataclass(frozen=True)
class Limits:
    """The highest allowed cost of an input. An input above a limit fails its own pairs."""

    max_bytes: int = bound(4 << 30, "size of one input file, bytes")
    max_pixels: int = bound(50_000_000, "width x height of a picture or of one frame")
    max_frames: int = bound(200_000, "frames of a clip, after cutting")
    max_duration_s: float = bound(3600.0, "length of a clip, after cutting, seconds")
    timeout_s: float = bound(600.0, "seconds that a clip's decoder may go without a frame before it is killed")
    picture_timeout_s: float = bound(60.0, "seconds that reading one picture may take")
    decoder_cpu_s: float = bound(3600.0, "CPU seconds that decoding one clip from end to end may take")
    decoder_bytes: int = bound(6 << 30, "memory (address space) of the process that decodes an input")


OURS = Limits(max_bytes=1 << 50, max_pixels=1 << 30)
"""For files that this package made (segments, templates, videos): the user's limits are for inputs only."""
