"""Pictures and clips that a program hands over as arrays. They are kept in the output, where a rerun finds them.

A file is named by its content, so that the same array is the same input, and is written once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.base.errors import RefusedError
from lp_ray.media.images import write_image
from lp_ray.media.lossless import SUFFIX, write_lossless
from lp_ray.output.layout import OutputLayout

MAX_FPS = 1000
ROUNDED = Fraction(1, 200)
"""How far a rate that somebody typed may be from 24000/1001, 30000/1001 and their like and still mean it."""

Picture: TypeAlias = NDArray[np.uint8] | Any
"""H x W x 3 uint8 RGB, or H x W grey: a numpy array, or what numpy makes one of (a Pillow picture, a torch tensor)."""


@dataclass(frozen=True)
class ArrayClip:
    """Frames at a rate: an array of n x H x W x 3, or anything that yields pictures, one by one.

    >>> ArrayClip(np.zeros((25, 512, 512, 3), np.uint8), fps=25)     # doctest: +SKIP
    """

    frames: Iterable[Picture]
    fps: Fraction | float | int = 25

    def rate(self) -> Fraction:
        """Return the exact rate. A float means the simple fraction that is nearest, 29.97 being 30000/1001.

        Raises RefusedError for a rate that is not above 0 and at most MAX_FPS.
        """
        if not isinstance(self.fps, Fraction | float | int) or not 0 < self.fps <= MAX_FPS:
            raise RefusedError(f"fps={self.fps!r} must be a number above 0, at most {MAX_FPS}")
        if not isinstance(self.fps, float):
            return Fraction(self.fps)
        broadcast = Fraction(round(self.fps * 1.001) * 1000, 1001)
        simple = Fraction(self.fps).limit_denominator(1000)
        return broadcast if simple.denominator > 2 and abs(broadcast - simple) < ROUNDED else simple


def store_picture(layout: OutputLayout, picture: Picture, what: str) -> str:
    """Write a picture to the output as PNG; return its URI. Raises RefusedError, which begins with `what`."""
    image = _image(picture, what)
    digest = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()[:32]
    with TemporaryDirectory(prefix="lp_ray-array-") as folder:
        path = Path(folder) / f"{digest}.png"
        write_image(path, image)
        return _store(layout, path)


def store_clip(layout: OutputLayout, clip: ArrayClip, what: str) -> str:
    """Write a clip to the output, losing nothing; return its URI. Memory holds a frame at a time.

    Raises RefusedError, which begins with `what`, for frames that are no pictures or differ in size.
    """
    fps = clip.rate()
    seen = hashlib.sha256(str(fps).encode())

    def frames() -> Iterator[Image]:
        for number, frame in enumerate(clip.frames):
            image = _image(frame, f"{what}: frame {number}")
            seen.update(repr(image.shape).encode() + image.tobytes())
            yield image

    with TemporaryDirectory(prefix="lp_ray-array-") as folder:
        path = Path(folder) / f"clip{SUFFIX}"
        try:
            write_lossless(path, frames(), fps)
        except ValueError as error:
            raise RefusedError(f"{what}: {error}") from error
        return _store(layout, path.rename(path.with_stem(seen.hexdigest()[:32])))


def _store(layout: OutputLayout, path: Path) -> str:
    uri = storage.join(layout.arrays, path.name)
    storage.put_if_absent(uri, path)
    return uri


def _image(picture: Picture, what: str) -> Image:
    array = np.asarray(picture)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise RefusedError(
            f"{what}: {array.shape}, {array.dtype}; must be H x W x 3 (RGB) or H x W (grey), uint8; "
            "several frames are an ArrayClip"
        )
    return np.ascontiguousarray(array)
