"""Small jobs made by code: portraits, drivings, and source videos whose every frame carries a number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.media.clip import open_clip
from lp_ray.media.encode import encode_segment
from lp_ray.media.images import write_image
from tests.media.cards import LIMITS, card, number_of
from tests.running import write_manifest

FPS = Fraction(25)
SIDE = 192
STRIP = 48
"""Rows above the portrait of a numbered video: the paste-back, a square around the face, ends below them."""


@dataclass(frozen=True)
class Manifests:
    """A job's input: every source with every driving."""

    sources: Path
    drivings: Path
    n_pairs: int

    def arguments(self, output: Path) -> tuple[str, ...]:
        """Return what `lp-ray animate` is told: the fastest encoder, small chunks."""
        return (f"sources={self.sources}", f"drivings={self.drivings}", f"output={output}", "preset=ultrafast")


def face() -> Image:
    """The astronaut's face and shoulders, 192 x 192."""
    return cv2.resize(skimage.data.astronaut()[0:256, 96:352], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def tinted(picture: Image, number: int) -> Image:
    """A picture with a brightness of its own, so that no two are the same."""
    return np.clip(picture.astype(np.int16) - 3 * number, 0, 255).astype(np.uint8)


def moving(n_frames: int, shift: int) -> Iterator[Image]:
    """A face that moves to and fro: all the motion that a driving here needs."""
    picture = face()
    for i in range(n_frames):
        dx = 6.0 * np.sin(2 * np.pi * (i + shift) / 20)
        yield cv2.warpAffine(picture, np.array([[1, 0, dx], [0, 1, 0]]), (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)


def numbered(n_frames: int, first: int) -> Iterator[NDArray[np.uint8]]:
    """A still face under a strip that says `first + i` in frame i."""
    portrait = np.full((SIDE + 2 * STRIP, SIDE + 2 * STRIP, 3), 127, np.uint8)
    portrait[2 * STRIP :, STRIP:-STRIP] = face()
    for i in range(n_frames):
        frame = portrait.copy()
        frame[:STRIP] = card(first + i, frame.shape[1], 2 * STRIP)[:STRIP]
        yield frame


def strip_numbers(video: Path) -> list[int]:
    """Decode a result and read the number in every frame's strip."""
    return [number_of(np.repeat(frame[:STRIP], 2, axis=0)) for frame in open_clip(video, LIMITS).frames()]


def make_portraits(folder: Path, n_sources: int, n_drivings: int, n_frames: int) -> Manifests:
    """Write still pictures and short drivings with their manifests."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n_sources):
        write_image(folder / f"s{i}.png", tinted(face(), i))
    return _manifests(folder, [f"s{i}.png" for i in range(n_sources)], n_drivings, n_frames)


def make_numbered(folder: Path, n_sources: int, n_drivings: int, n_frames: int) -> Manifests:
    """Write source videos and drivings of `n_frames`; frame f of video v carries the number v * n_frames + f."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n_sources):
        encode_segment(folder / f"s{i}.mp4", numbered(n_frames, i * n_frames), FPS, 12, "veryfast")
    return _manifests(folder, [f"s{i}.mp4" for i in range(n_sources)], n_drivings, n_frames)


def _manifests(folder: Path, sources: list[str], n_drivings: int, n_frames: int) -> Manifests:
    for i in range(n_drivings):
        encode_segment(folder / f"d{i}.mp4", moving(n_frames, i), FPS, 18, "veryfast")
    ids = [f"d{i}.mp4" for i in range(n_drivings)]
    return Manifests(
        write_manifest(folder / "s.parquet", [{"uri": str(folder / name), "source_id": name} for name in sources]),
        write_manifest(folder / "d.parquet", [{"uri": str(folder / name), "driving_id": name} for name in ids]),
        len(sources) * n_drivings,
    )
