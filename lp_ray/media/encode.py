"""A chunk of frames as one H.264 segment."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from lp_ray.face.protocol import Image
from lp_ray.media import ffmpeg

_TIMEOUT_S = 600.0
_MIN_TIMESCALE = 10_000  # ticks per second, at least: players expect a fine clock

# RGB in, limited-range BT.709 out, and said so in the stream.
_BT709 = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_inp+bitexact,format=yuv420p"
_TAGS = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"


def even_size(width: int, height: int) -> tuple[int, int]:
    """Width and height as written: yuv420p needs even sides, an odd one loses its last row or column."""
    return width - width % 2, height - height % 2


def encode_segment(path: Path, frames: Iterable[Image], fps: Fraction, crf: int, preset: str, threads: int = 1) -> int:
    """Write RGB frames (n x H x W x 3 uint8, an array or an iterator of pictures) to an mp4 file; return n.

    H.264 yuv420p, BT.709, exact rate; odd sides lose a row or column. The clock ticks a whole number of times
    per frame and is the same for every segment of a rate, so that `join_segments` loses nothing. Raises
    ValueError for no frames or a wrong or changing shape, and InputError if ffmpeg fails (disk full); no file
    is left then.
    """
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError(f"{path.name}: no frames to encode")
    height, width = _checked(first, first.shape).shape[:2]
    width, height = even_size(width, height)
    if min(width, height) < 2:
        raise ValueError(f"frames of {first.shape[1]} x {first.shape[0]} pixels are too small for H.264")
    timescale = fps.numerator * math.ceil(_MIN_TIMESCALE / fps.numerator)
    args = [
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width}x{height}"),
        *(
            "-framerate",
            f"{fps.numerator}/{fps.denominator}",
            "-protocol_whitelist",
            "pipe,file",
            "-i",
            "pipe:0",
        ),
        *("-filter_threads", "1", "-vf", f"{_BT709},{_TAGS}"),
        *("-c:v", "libx264", "-preset", preset, "-crf", str(crf), "-threads", str(threads)),
        *("-fps_mode", "passthrough", "-video_track_timescale", str(timescale), "-f", "mp4"),
        *("-y", ffmpeg.file_url(path)),
    ]
    n = 0

    def raw() -> Iterator[memoryview]:
        nonlocal n
        for picture in itertools.chain([first], pictures):
            n += 1
            yield ffmpeg.raw_bytes(_checked(picture, first.shape)[:height, :width])

    try:
        ffmpeg.feed(args, raw(), _TIMEOUT_S, f"encoding {path.name}")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return n


def _checked(picture: Image, shape: tuple[int, ...]) -> Image:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or picture.shape != shape:
        raise ValueError(f"frame of shape {picture.shape}, {picture.dtype}; expected uint8 like {shape}")
    return picture
