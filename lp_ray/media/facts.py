"""The facts of a finished file that its result row states, read from the file itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lp_ray.base.limits import OURS
from lp_ray.media.images import probe_image
from lp_ray.media.probe import probe_video


@dataclass(frozen=True)
class MediaFacts:
    """Facts of a finished video, GIF, zip of frames or still picture that this package wrote."""

    n_frames: int
    width: int
    height: int
    bytes: int
    sha256: str
    fps: Fraction | None = None
    """Exact rate; None for a still."""
    duration_s: float | None = None
    """Seconds; None for a still."""
    has_audio: bool = False


@dataclass(frozen=True)
class VideoFacts(MediaFacts):
    """Facts of a moving result: rate and duration are always known."""

    fps: Fraction
    duration_s: float


def video_facts(path: Path) -> VideoFacts:
    """Probe a finished video that this package wrote. Raises UnreadableMediaError or TruncatedMediaError if it is
    broken."""
    info = probe_video(path, OURS)
    size, digest = content_facts(path)
    return VideoFacts(
        info.n_frames, info.width, info.height, size, digest, info.fps, info.duration_s, has_audio=info.has_audio
    )


def still_facts(path: Path) -> MediaFacts:
    """Probe the header of a finished picture: one frame without a rate. Raises what `probe_image` raises."""
    info = probe_image(path, OURS)
    return MediaFacts(1, info.width, info.height, *content_facts(path))


def content_facts(path: Path) -> tuple[int, str]:
    """Return the size of a file in bytes and its SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path.stat().st_size, digest
