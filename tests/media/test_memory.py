"""Memory does not grow with a clip, but for a few bytes per frame in the list of its time stamps."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lp_ray.media.clip import open_clip
from lp_ray.media.frames_zip import join_frames, write_frames
from lp_ray.media.gif import make_gif
from lp_ray.media.join import join_segments

from .cards import LIMITS, card, make_clip

FPS = Fraction(30)
SHORT, LONG = 600, 6000
PER_FRAME = 120
"""Bytes per frame that may be held: a time stamp, a flag, an index; a packet as Python tuple would be more."""


def _peak(work: Callable[[], object]) -> int:
    """Most bytes that Python and numpy held at once during the call."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("memory")
    return [make_clip(folder / f"{n}.mp4", FPS, (k % 1024 for k in range(n))) for n in (SHORT, LONG)]


def test_opening_a_long_clip(clips: list[Path]) -> None:
    open_clip(clips[0], LIMITS)  # what is loaded once
    short, long = (_peak(lambda path=path: open_clip(path, LIMITS)) for path in clips)
    assert long - short < PER_FRAME * (LONG - SHORT)


def test_decoding_a_long_clip(clips: list[Path]) -> None:
    opened = [open_clip(path, LIMITS) for path in clips]
    short, long = (_peak(lambda clip=clip: sum(1 for _ in clip.frames())) for clip in opened)
    assert long - short < card(0).nbytes


def test_finishing_a_long_video(clips: list[Path], tmp_path: Path) -> None:
    joined = [
        _peak(lambda path=path, n=n: join_segments([path], tmp_path / "joined.mp4", FPS, n))
        for path, n in zip(clips, (SHORT, LONG), strict=True)
    ]
    gifs = [_peak(lambda path=path: make_gif(path, tmp_path / "a.gif", FPS)) for path in clips]
    for short, long in (joined, gifs):
        assert long - short < PER_FRAME * (LONG - SHORT)


def test_joining_many_frames(tmp_path: Path) -> None:
    """An entry of an archive's directory is a Python object: hundreds of bytes, but no picture is held."""
    noise = np.random.default_rng(0).integers(0, 256, (100, 48, 80, 3), np.uint8)  # 11 kB each as PNG
    pieces = []
    for first in range(0, LONG // 4, 100):
        pieces.append(tmp_path / f"{first}.zip")
        write_frames(pieces[-1], noise, first)
    short, long = (
        _peak(lambda k=k: join_frames(pieces[:k], tmp_path / "joined.zip", 100 * k)) for k in (1, len(pieces))
    )
    assert long - short < 1000 * 100 * (len(pieces) - 1)
