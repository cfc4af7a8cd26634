"""Encode a chunk of frames as one H.264 segment."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.base.errors import InputError, RefusedError
from lp_ray.media import ffmpeg

_TIMEOUT_S = 600.0
_MIN_TIMESCALE = 10_000  # ticks per second, at least: players expect a fine clock

Encoder = Literal["x264", "nvenc"]
"""x264 on the CPU, or NVENC, the encoder on NVIDIA GPUs (not on those for computing only: A100, H100, H200)."""

# x264's presets -> NVENC's, both from fast to thorough. Users give x264's names.
NVENC_PRESETS = {
    "ultrafast": "p1",
    "superfast": "p2",
    "veryfast": "p3",
    "faster": "p4",
    "fast": "p5",
    "medium": "p5",
    "slow": "p6",
    "slower": "p7",
}
_NVENC_REMEDY = "use encoder=x264, or a machine whose GPU has NVENC and whose driver libraries are visible"

LEAST_SIDE = 16
"""Least height and width, pixels, of pictures that `lp_ray.media.yuv_on_device` makes planes of. In smaller ones ffmpeg
shortens its filter."""

_BT709 = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_inp+bitexact"
_TAGS = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"


def to_bt709(pixels: str) -> list[str]:
    """Return ffmpeg's arguments that make limited-range BT.709 of RGB, in the pixel format `pixels`, tagged so."""
    return ["-filter_threads", "1", "-vf", f"{_BT709},format={pixels},{_TAGS}"]


def even_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height as written: yuv420p needs even sides, so an odd one loses its last row or column."""
    return width - width % 2, height - height % 2


def encode_segment(
    path: Path,
    frames: Iterable[Image],
    fps: Fraction,
    crf: int,
    preset: str,
    threads: int = 1,
    encoder: Encoder = "x264",
) -> int:
    """Write RGB frames (n x H x W x 3 uint8, an array or an iterator of pictures) to an mp4 file; return n.

    H.264 yuv420p, BT.709, exact rate; odd sides lose a row or column. A frame lasts a whole number of clock ticks, and
    all segments of a rate have the same clock, so `join_segments` loses nothing. `crf` (0 to 51, lower is better) and
    `preset` are x264's; NVENC takes `crf` as -cq and its nearest preset, and ignores `threads`. Raises ValueError for
    no frames or a wrong or changing shape, and InputError if ffmpeg fails (disk full; no NVENC: there is no fallback).
    No file is left then.
    """
    args = [*_codec(encoder, crf, preset, threads, to_bt709("yuv420p")), *container(fps, path)]
    try:
        # CUDA reserves more address space than the machine has memory.
        return feed_segment(path, frames, fps, lambda alpha: args, bounded=encoder != "nvenc")
    except InputError as error:
        if encoder == "nvenc":
            raise InputError(f"{error}; {_NVENC_REMEDY}") from error
        raise


def encode_planes(
    path: Path, planes: NDArray[np.uint8], fps: Fraction, crf: int, preset: str, encoder: Encoder = "x264"
) -> int:
    """As `encode_segment`, of pictures that are yuv420p already: n x (3 h / 2) x w uint8, Y and below it U and V.

    They must be limited-range BT.709, which the file says of them. Raises ValueError for no frames, or sides that
    cannot be those of such planes, else as `encode_segment`.
    """
    rows, width = planes.shape[1:]
    if not len(planes) or rows % 3 or width % 2 or planes.dtype != np.uint8:
        raise ValueError(f"{path.name}: planes of shape {planes.shape}, {planes.dtype} are no yuv420p pictures")
    coding = [*_codec(encoder, crf, preset, 1, ["-vf", _TAGS]), *container(fps, path)]
    args = [*raw_input(width, rows * 2 // 3, fps, "yuv420p"), *coding]
    try:
        raw = (ffmpeg.raw_bytes(picture) for picture in planes)
        ffmpeg.feed(args, raw, _TIMEOUT_S, f"encoding {path.name}", bounded=encoder != "nvenc")
    except BaseException as error:
        path.unlink(missing_ok=True)
        if encoder == "nvenc" and isinstance(error, InputError):
            raise InputError(f"{error}; {_NVENC_REMEDY}") from error
        raise
    return len(planes)


def feed_segment(
    path: Path,
    frames: Iterable[Image],
    fps: Fraction,
    coding: Callable[[bool], Sequence[str]],
    channels: tuple[int, ...] = (3,),
    bounded: bool = True,
) -> int:
    """Write frames (n x H x W x 3 uint8, an array or an iterator of pictures) to `path` with ffmpeg; return n.

    `channels` are the numbers of channels that the frames may have: 3, and 4 for straight pictures (`media.alpha`).
    `coding` returns ffmpeg's arguments after its input, given whether frames have transparency. Odd sides lose a row or
    column. `bounded` limits the encoder's memory. Raises ValueError for no frames or a wrong or changing shape, and
    InputError if ffmpeg fails. No file is left then.
    """
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError(f"{path.name}: no frames to encode")
    height, width = checked(first, first.shape, channels).shape[:2]
    width, height = even_size(width, height)
    if min(width, height) < 2:
        raise ValueError(f"frames of {first.shape[1]} x {first.shape[0]} pixels are too small for a video")
    alpha = first.shape[2] == 4
    n = 0

    def raw() -> Iterator[memoryview]:
        nonlocal n
        for picture in itertools.chain([first], pictures):
            n += 1
            yield ffmpeg.raw_bytes(checked(picture, first.shape, channels)[:height, :width])

    try:
        args = [*raw_input(width, height, fps, "rgba" if alpha else "rgb24"), *coding(alpha)]
        ffmpeg.feed(args, raw(), _TIMEOUT_S, f"encoding {path.name}", bounded=bounded)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return n


def check_encoder(encoder: Encoder) -> None:
    """Encode two frames. Raises RefusedError with the reason if the encoder cannot be used on this machine."""
    frames = np.zeros((2, 256, 256, 3), np.uint8)
    with TemporaryDirectory(prefix="lp_ray-encoder-") as folder:
        try:
            encode_segment(Path(folder) / "check.mp4", frames, Fraction(25), 23, "veryfast", encoder=encoder)
        except InputError as error:
            raise RefusedError(f"encoder={encoder} does not work on this machine: {error}") from error


def raw_input(width: int, height: int, fps: Fraction, pixels: str = "rgb24") -> list[str]:
    """Return ffmpeg's arguments for frames that come through its standard input, in the pixel format `pixels`."""
    kind = ["-f", "rawvideo", "-pix_fmt", pixels, "-video_size", f"{width}x{height}"]
    rate = ["-framerate", f"{fps.numerator}/{fps.denominator}"]
    return [*kind, *rate, "-protocol_whitelist", "pipe,file", "-i", "pipe:0"]


def _codec(encoder: Encoder, crf: int, preset: str, threads: int, colours: Sequence[str]) -> list[str]:
    if encoder == "x264":
        return [*colours, "-c:v", "libx264", "-preset", preset, "-crf", str(crf), "-threads", str(threads)]
    if preset not in NVENC_PRESETS:
        raise ValueError(f"preset {preset!r} has no counterpart in NVENC; known: {', '.join(NVENC_PRESETS)}")
    quality = ["-rc", "vbr", "-cq", str(max(crf, 1)), "-b:v", "0"]  # 0 would mean: choose for me
    return [*colours, "-c:v", "h264_nvenc", "-preset", NVENC_PRESETS[preset], "-tune", "hq", *quality]


def container(fps: Fraction, path: Path, muxer: str = "mp4") -> list[str]:
    """Return ffmpeg's arguments for an mp4 (or mov) file of an exact rate."""
    timescale = fps.numerator * math.ceil(_MIN_TIMESCALE / fps.numerator)
    # Of raw frames ffmpeg guesses a rate of its own: 120 where 120000/1001 was given.
    ticks = ["-enc_time_base", f"{fps.denominator}:{fps.numerator}"]
    exact = [*ticks, "-fps_mode", "passthrough", "-video_track_timescale", str(timescale)]
    return [*exact, "-f", muxer, "-y", ffmpeg.file_url(path)]


def checked(picture: Image, shape: tuple[int, ...], channels: tuple[int, ...] = (3,)) -> Image:
    """Return a frame if it is a picture of this shape, with so many channels. Raises ValueError."""
    if picture.ndim != 3 or picture.shape[2] not in channels or picture.dtype != np.uint8 or picture.shape != shape:
        raise ValueError(f"frame of shape {picture.shape}, {picture.dtype}; expected uint8 like {shape}")
    return picture
