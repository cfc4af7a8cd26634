"""Clips made by code: every frame carries its number as black and white blocks, to be read back."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.limits import Limits
from lp_ray.media import ffmpeg
from lp_ray.media.decode import frames
from lp_ray.media.encode import encode_segment
from lp_ray.media.probe import probe_video

BITS = 10
LIMITS = Limits(timeout_s=60)
RATES = [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(120000, 1001)]

Pixels = NDArray[np.uint8]


def card(number: int, width: int = 80, height: int = 48) -> Pixels:
    """A picture whose ten columns are the bits of its number, lowest first, white for 1; the lower half is grey."""
    picture = np.full((height, width, 3), 90, np.uint8)
    edges = np.linspace(0, width, BITS + 1).astype(int)
    for bit in range(BITS):
        picture[: height // 2, edges[bit] : edges[bit + 1]] = 255 if number >> bit & 1 else 0
    return picture


def number_of(picture: Pixels) -> int:
    """The number a card of any size carries."""
    height, width = picture.shape[:2]
    centres = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    row = picture[height // 6 : height // 3, :, :].mean(axis=(0, 2))
    return sum(1 << bit for bit in range(BITS) if row[centres[bit]] > 128)


def numbers(path: Path, **cut: float | int | None) -> list[int]:
    """Decode a clip (or a cut of it) and read every frame's number."""
    info = probe_video(path, LIMITS)
    return [number_of(picture) for picture in frames(path, info, LIMITS, **cut)]  # type: ignore[arg-type]


def make_clip(path: Path, fps: Fraction, wanted: Iterable[int], width: int = 80, height: int = 48) -> Path:
    """Encode cards of these numbers into an mp4 file."""
    encode_segment(path, (card(n, width, height) for n in wanted), fps, 18, "veryfast")
    return path


def remake(source: Path, target: Path, *options: str, before: tuple[str, ...] = ()) -> Path:
    """Run ffmpeg from one file of ours to another."""
    args = [*before, "-i", ffmpeg.file_url(source), *options, "-y", ffmpeg.file_url(target)]
    ffmpeg.run(args, 60, f"making {target.name}")
    return target
