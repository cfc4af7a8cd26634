"""Frames of a video as a stream: exact count, exact order, one frame in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.base.errors import InputTooLargeError, TruncatedMediaError, UnreadableMediaError
from lp_ray.base.limits import Limits
from lp_ray.media import ffmpeg
from lp_ray.media.probe import VideoInfo
from lp_ray.media.timing import cut

# How many frames a decoder may owe (leading pictures without their reference, a ragged last packet) before
# the clip counts as truncated; up to then the last frame stands still, as in a player.
_MAX_OWED = 2
_MAX_OWED_SHARE = 0.01
# ffmpeg's own decoders of these formats leave the alpha stream out.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
SCALER = "bicubic+accurate_rnd+full_chroma_int+bitexact"
"""Options of the scale filter wherever pictures leave YUV."""


def cut_frames(
    info: VideoInfo, limits: Limits, start_s: float | None = None, end_s: float | None = None
) -> tuple[int, int]:
    """Return (first, count): the frames k with start_s <= k / fps < end_s that the clip has.

    Raises UnreadableMediaError if there is none, InputTooLargeError over `max_frames` or `max_duration_s`.
    """
    first, count = _cut(info, start_s, end_s)
    _check_cost(info, limits, count)
    return first, count


def _cut(info: VideoInfo, start_s: float | None, end_s: float | None) -> tuple[int, int]:
    first, count = cut(info.fps, info.n_frames, start_s, end_s)
    if count == 0:
        end = "the end" if end_s is None else f"{end_s:g} s"
        raise UnreadableMediaError(
            f"{info.name}: no frame between {start_s or 0:g} s and {end}; the clip is {info.duration_s:.2f} s long"
        )
    return first, count


def _check_cost(info: VideoInfo, limits: Limits, count: int) -> None:
    if count > limits.max_frames:
        raise InputTooLargeError(f"{info.name}: {count:,} frames; max_frames is {limits.max_frames:,}")
    if count / info.fps > limits.max_duration_s:
        seconds = float(count / info.fps)
        raise InputTooLargeError(f"{info.name}: {seconds:.1f} s; max_duration_s is {limits.max_duration_s:g}")


def frame_size(info: VideoInfo, max_dim: int | None) -> tuple[int, int]:
    """Width and height of decoded frames: the shown size, shrunk so that the longest side is `max_dim`."""
    longest = max(info.width, info.height)
    if max_dim is None or longest <= max_dim:
        return info.width, info.height
    scale = max_dim / longest
    return max(1, round(info.width * scale)), max(1, round(info.height * scale))


def frames(
    path: Path,
    info: VideoInfo,
    limits: Limits,
    start_s: float | None = None,
    end_s: float | None = None,
    max_dim: int | None = None,
    *,
    first: int = 0,
    count: int | None = None,
) -> Generator[Image, None, None]:
    """Stream RGB frames, H x W x 3 uint8, at the constant rate `info.fps`, rotated, in square pixels.

    The frames are those of [start_s, end_s) (see `cut_frames`); of these, `first` and `count` choose a range
    by index, the same pictures that a whole pass gives. Colours follow the stream's own matrix (BT.601 where
    it names none, as players and OpenCV do); transparency is laid over white. Where a clip of varying rate
    stands still, the same array comes again: copy before writing into it. Closing the iterator
    (`contextlib.closing`) kills the decoder.

    Raises what `cut_frames` raises, TruncatedMediaError if clearly fewer frames decode than `info` lists, and
    UnreadableMediaError for a decoder that gives no frame for `limits.timeout_s`.
    """
    begin, n = _cut(info, start_s, end_s)
    if not (0 <= first < n and (count is None or 0 < count <= n - first)):
        raise ValueError(f"{info.name}: frames {first}, count {count} are outside of the {n} frames of the cut")
    shown = info.timeline.shown[begin + first : begin + (n if count is None else first + count)]
    _check_cost(info, limits, len(shown))
    low, high = int(shown[0]), int(shown[-1]) + 1
    return _repeated(_decoded(path, info, limits, low, high, frame_size(info, max_dim)), shown)


def _repeated(decoded: Generator[Image, None, None], shown: NDArray[np.int64]) -> Generator[Image, None, None]:
    """Yield the decoded frame of each index in `shown`; `decoded` starts at the first of them."""
    at = int(shown[0]) - 1
    picture: Image | None = None
    with contextlib.closing(decoded) as source:
        for wanted in shown:
            while at < wanted:
                picture = next(source)
                at += 1
            assert picture is not None
            yield picture


def _decoded(
    path: Path, info: VideoInfo, limits: Limits, low: int, high: int, size: tuple[int, int]
) -> Generator[Image, None, None]:
    """Yield the file's own frames low <= i < high, whatever their times."""
    width, height = size
    picture: Image | None = None
    with ffmpeg.Child(_arguments(path, info, limits, low, high, size), limits=limits) as child:
        for i in range(low, high):
            fresh = np.empty((height, width, 4 if info.has_alpha else 3), np.uint8)
            try:
                got = child.read_into(ffmpeg.raw_bytes(fresh), limits.timeout_s)
                if got < fresh.nbytes:
                    child.check_end(limits.timeout_s)
            except UnreadableMediaError as error:
                raise type(error)(f"{info.name}: frame {i}: {error}") from error
            if got < fresh.nbytes:
                _check_owed(info, low, i, high, ffmpeg.errors_in(child.log()))
                assert picture is not None
            else:
                picture = _over_white(fresh) if info.has_alpha else fresh
            yield picture


def _over_white(picture: NDArray[np.uint8]) -> Image:
    """Return the H x W x 3 picture that H x W x 4 (straight alpha last) shows on white paper, rounded."""
    alpha = picture[..., 3:].astype(np.uint16)  # 255 x 255 + 127 just fits
    shown: Image = ((picture[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return shown


def _check_owed(info: VideoInfo, low: int, reached: int, high: int, reasons: list[str]) -> None:
    allowed = max(_MAX_OWED, _MAX_OWED_SHARE * (high - low))
    if reached > low and high - reached <= allowed:
        return
    reason = f" ({reasons[0]})" if reasons else ""
    raise TruncatedMediaError(
        f"{info.name}: {high - low} frames announced from frame {low} on, only {reached - low} decode{reason}"
    )


def _arguments(path: Path, info: VideoInfo, limits: Limits, low: int, high: int, size: tuple[int, int]) -> list[str]:
    line = info.timeline
    seek: list[str] = []
    keys = info.key_ticks[info.key_ticks <= line.ticks[low]]
    if len(keys) > 1:  # aim between this key frame and the next frame: seeking goes back to the key frame
        seek = ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{line.seconds(keys[-1]) + 5e-4:.6f}"]
    bounds = _bounds(info, low, high)
    chain = f"trim={bounds}," if bounds else ""
    decoder = ["-c:v", _ALPHA_DECODERS[info.codec]] if info.has_alpha and info.codec in _ALPHA_DECODERS else []
    bounded = ["-copyts", "-max_pixels", str(limits.max_pixels)]
    opened = ffmpeg.input_args(path, info.demuxer, *bounded, *decoder, *seek)
    scale = f"scale={size[0]}:{size[1]}:flags={SCALER}"
    return [
        *opened,
        *("-map", "0:V:0", "-filter_threads", "1", "-vf", f"{chain}{scale}"),
        *("-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgba" if info.has_alpha else "rgb24", "pipe:1"),
    ]


def _bounds(info: VideoInfo, low: int, high: int) -> str:
    """Options of the trim filter that let the file's frames low <= i < high through."""
    ticks = info.timeline.ticks
    ends = []
    by_time = len(info.key_ticks) > 0  # else time stamps are guesses, but all is decoded from the start anyway
    for name, i in (("start", low), ("end", high)):
        if 0 < i < len(ticks):
            ends.append(f"{name}={_between(info, i):.6f}" if by_time else f"{name}_frame={i}")
    return ":".join(ends)


def _between(info: VideoInfo, i: int) -> float:
    """Seconds half-way between the file's frames i - 1 and i."""
    ticks = info.timeline.ticks
    return (info.timeline.seconds(ticks[i - 1]) + info.timeline.seconds(ticks[i])) / 2
