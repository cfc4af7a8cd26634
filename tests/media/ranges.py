"""The promise of every clip: whatever range is asked for, its frames are those of a whole pass, and none is lacking."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from lp_ray.media import ffmpeg
from lp_ray.media.clip import Clip, open_clip

from . import independent
from .cards import LIMITS, card, number_of

COVERED: Counter[str] = Counter()
"""Clips and ranges that this run has checked; `tests/media/conftest.py` prints them."""
RANGES = 6


def check_ranges(
    path: Path, expected: Iterable[int] | None, seed: int = 0, n_ranges: int = RANGES, counted: bool = True
) -> Clip:
    """Check the numbers that a whole pass shows, the count against another reader, and random ranges against the pass.

    `expected` None: whatever the whole pass shows. `counted` False: where no other reader can tell. Returns the clip.
    """
    clip = open_clip(path, LIMITS)
    whole = list(clip.frames())
    assert len(whole) == clip.n_frames
    if expected is not None:
        assert [number_of(picture) for picture in whole] == list(expected)
    if counted:
        assert len(clip.info.timeline.ticks) == independent.count(path)
    draw = random.Random(seed)
    for _ in range(n_ranges):
        first = draw.randrange(clip.n_frames)
        count = draw.randint(1, clip.n_frames - first)
        asked = list(clip.frames(first, count))
        assert len(asked) == count
        for k, (ours, theirs) in enumerate(zip(asked, whole[first : first + count], strict=True), first):
            assert np.array_equal(ours, theirs), f"frame {k} of range {first} + {count} differs from the whole pass"
    COVERED["clips"] += 1
    COVERED["ranges"] += n_ranges
    return clip


def make_coded(
    path: Path, wanted: Sequence[int], options: Sequence[str], size: tuple[int, int] = (176, 144), fps: str = "25"
) -> Path:
    """Encode cards of these numbers straight into a file with ffmpeg's `options`."""
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{size[0]}x{size[1]}", "-framerate", fps]
    args = [*raw, "-i", "pipe:0", *options, "-y", ffmpeg.file_url(path)]
    ffmpeg.feed(args, (ffmpeg.raw_bytes(card(n, *size)) for n in wanted), 120, f"making {path.name}")
    return path


def run_ffmpeg(*args: str | Path) -> None:
    """Run ffmpeg; paths are files."""
    ffmpeg.run([ffmpeg.file_url(a) if isinstance(a, Path) else a for a in args], 120, "making a test's clip")
