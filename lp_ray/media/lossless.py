"""Write frames that a program holds as a clip from which exactly the same frames are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from lp_ray.base.arrays import Image
from lp_ray.media import ffmpeg
from lp_ray.media.encode import checked, container, raw_input

SUFFIX = ".mp4"
_TIMEOUT_S = 600.0
_RGB = (
    "-c:v",
    "libx264rgb",
    "-preset",
    "ultrafast",
    "-qp",
    "0",
    "-threads",
    "1",
    "-bsf:v",
    "filter_units=remove_types=6",
)
"""H.264 in RGB, without loss, and without the encoder's banner, so that the same frames give the same bytes."""


def write_lossless(path: Path, frames: Iterable[Image], fps: Fraction) -> int:
    """Write RGB frames (n x H x W x 3 uint8, an array or an iterator of pictures) at an exact rate; return n.

    Raises ValueError for no frames or a wrong or changing shape, and InputError if the disk is full. No file is left
    then.
    """
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError("no frames")
    shape, n = np.shape(first), 0

    def raw() -> Iterator[memoryview]:
        nonlocal n
        yield ffmpeg.raw_bytes(checked(np.ascontiguousarray(first), shape))
        n = 1
        for picture in pictures:
            yield ffmpeg.raw_bytes(checked(np.ascontiguousarray(picture), shape))
            n += 1

    checked(np.asarray(first), shape)
    arguments = [*raw_input(shape[1], shape[0], fps), *_RGB, *container(fps, path)]
    try:
        ffmpeg.feed(arguments, raw(), _TIMEOUT_S, f"writing {path.name}")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return n
