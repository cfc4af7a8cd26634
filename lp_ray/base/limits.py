"""Bounds on untrusted inputs: sizes, checked before anything is decoded, and what decoding may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What an input may cost at most; an input over a limit fails its own pairs."""

    max_bytes: int = 4 << 30
    """Size of one input file, bytes."""
    max_pixels: int = 50_000_000
    """Width x height of an image or of one video frame."""
    max_frames: int = 200_000
    """Frames of a clip after cutting."""
    max_duration_s: float = 3600.0
    """Length of a clip after cutting, seconds."""
    timeout_s: float = 600.0
    """Wall-clock seconds a decoder may go without yielding a frame before it is killed."""
    picture_timeout_s: float = 60.0
    """Wall-clock seconds that reading one picture may take."""
    decoder_cpu_s: float = 3600.0
    """CPU seconds that decoding one clip from end to end may take."""
    decoder_bytes: int = 6 << 30
    """Memory (address space) that the process which decodes an input may have."""


OURS = Limits(max_bytes=1 << 50, max_pixels=1 << 30)
"""For files of our own making, segments, templates and videos: the user's bounds are for inputs."""
