"""Stream the frames of a video: exact count, exact order, one frame in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.base.errors import InputTooLargeError, TruncatedMediaError, UnreadableMediaError
from lp_ray.base.limits import Limits
from lp_ray.media import ffmpeg, filters
from lp_ray.media.alpha import opaque, over_white
from lp_ray.media.listing import Source, marked
from lp_ray.media.probe import VideoInfo
from lp_ray.media.timing import cut

# How many frames a decoder may owe (leading pictures without their reference, a ragged last packet) before
# the clip counts as truncated; up to then the last frame stands still, as in a player.
_MAX_OWED = 2
_MAX_OWED_SHARE = 0.01


def cut_frames(
    info: VideoInfo, limits: Limits, start_s: float | None = None, end_s: float | None = None
) -> tuple[int, int]:
    """Return (first, count) of the clip's frames k with start_s <= k / fps < end_s.

    Raises UnreadableMediaError if there is none, InputTooLargeError above `max_frames` or `max_duration_s`.
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
    """Return the width and height of decoded frames: the shown size, shrunk so that the longest side is `max_dim`."""
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
    alpha: bool = False,
) -> Generator[Image, None, None]:
    """Stream RGB frames, H x W x 3 uint8, at the constant rate `info.fps`, rotated, in square pixels.

    The frames are those of [start_s, end_s) (see `cut_frames`). `first` and `count` choose a range of these by index;
    the pictures are the same as in a pass over all frames. Colours follow the stream's own matrix (BT.601 if it names
    none, as in players and OpenCV) and range. HDR is tone-mapped, wide gamuts are converted to BT.709, and interlaced
    pictures are deinterlaced (see `media.filters`). Transparent pictures are laid over white; with `alpha`, all
    pictures are straight ones instead, H x W x 4 (`media.alpha`). Pictures of another size than the clip's are scaled
    to it. If a clip of varying rate repeats a frame, the same array comes again: copy it before writing into it.
    Closing the iterator (`contextlib.closing`) kills the decoder.

    Raises what `cut_frames` raises, TruncatedMediaError if clearly fewer frames decode than `info` lists, and
    UnreadableMediaError if the decoder gives no frame for `limits.timeout_s`.
    """
    begin, n = _cut(info, start_s, end_s)
    if not (0 <= first < n and (count is None or 0 < count <= n - first)):
        raise ValueError(f"{info.name}: frames {first}, count {count} are outside of the {n} frames of the cut")
    shown = info.timeline.shown[begin + first : begin + (n if count is None else first + count)]
    _check_cost(info, limits, len(shown))
    low, high = int(shown[0]), int(shown[-1]) + 1
    size = frame_size(info, max_dim)
    reader = _Reader(info, replace(info.source, path=path, limits=limits), size, alpha)
    return _repeated(reader.frames(low, high), shown)


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


@dataclass(frozen=True)
class _Shot:
    """A decoded picture: the decoder's time stamp and the pixels."""

    mark: int
    picture: Image


class _LostError(Exception):
    """A pass that began in the middle of the file cannot know what a whole pass shows from this frame on."""

    def __init__(self, frame: int) -> None:
        super().__init__(frame)
        self.frame = frame


@dataclass(frozen=True)
class _Reader:
    """Reads the file's own frames, whatever their times, at width x height `size`.

    Frames are identified by the decoder's time stamps, which a listing has found. So other frames stay correct if a
    seek lands elsewhere, if pictures do not decode, or if ffmpeg rebuilds a filter graph in mid-stream (it does so when
    size or pixel format change, and its filters then forget their counts). If time stamps identify no frame
    (`info.marks` is empty), frames are counted from the first one.
    """

    info: VideoInfo
    source: Source
    size: tuple[int, int]
    alpha: bool = False
    """Whether transparency is kept; else it is laid over white."""

    def frames(self, low: int, high: int) -> Generator[Image, None, None]:
        """Yield the frames low <= i < high. For a frame that does not decode, yield the one before, as a whole pass
        does."""
        marks = self.info.marks
        if len(marks) == 0:
            yield from self._counted(low, high)
            return
        if low > 0 and (self._seek(low) or not self.info.n_hidden):
            try:
                yield from self._matched(low, high, whole=False)
                return
            except _LostError as lost:
                low = lost.frame
        yield from self._matched(low, high, whole=True)

    def _matched(self, low: int, high: int, whole: bool) -> Generator[Image, None, None]:
        """Match the decoder's pictures with the listed frames. If `whole`, decode from the file's first frame on.

        Raises _LostError if a pass that is not whole misses a frame or its decoder reports an error: what it shows may
        then depend on where it began.
        """
        marks = self.info.marks
        before: _Shot | None = None
        shot: _Shot | None = None
        owed = 0
        with self._decoder(low, high, whole) as decoder:
            for i in range(low, high):
                while (shot is None or shot.mark < marks[i]) and (following := decoder.next(i)) is not None:
                    before, shot = shot, following
                found = shot is not None and shot.mark == marks[i]
                if not whole and (not found or decoder.complains()):
                    raise _LostError(i)
                if shot is not None and found:
                    yield shot.picture
                    continue
                owed += 1
                self._check_owed(low, high, i + 1 - owed, owed, decoder)
                last = before if shot is not None and shot.mark > marks[i] and before is not None else shot
                assert last is not None
                yield last.picture

    def _counted(self, low: int, high: int) -> Generator[Image, None, None]:
        shot: _Shot | None = None
        with self._decoder(0, high, whole=True) as decoder:
            for i in range(high):
                following = decoder.next(i)
                if following is None:
                    self._check_owed(0, high, i, high - i, decoder)
                shot = following or shot
                if i >= low and shot is not None:
                    yield shot.picture

    def _decoder(self, low: int, high: int, whole: bool) -> _Decoder:
        info = self.info
        margin = 1 if info.deinterlace else 0  # deinterlacing needs the neighbouring fields
        first, end = (0 if whole else max(0, low - margin)), high + margin
        seek = self._seek(first)
        hidden = 0 if seek else info.n_hidden  # their time stamps are invented, so no filter can select them by time
        bounds = [f"start_pts={info.marks[first]}"] if first > 0 and not hidden else []
        bounds += [f"end_pts={info.marks[end]}"] if end < len(info.marks) and not hidden else []
        trim = f"trim={':'.join(bounds)}," if bounds else ""
        args = [
            *self.source.opened(*seek),
            *self.source.filtered(trim + filters.chain(info, self.size)),
            *marked(info.timeline.time_base, ffmpeg.MARKS),
            *("-noautoscale", "-f", "rawvideo", "-pix_fmt", filters.pixel_format(info), "pipe:1"),
        ]
        return _Decoder(args, self, hidden)

    def _seek(self, first: int) -> list[str]:
        """Return options that seek to the last key frame at or before a frame; none if that is the file's first key
        frame."""
        info = self.info
        keys = info.key_ticks[info.key_ticks <= info.marks[first]] if first > 0 else info.key_ticks[:0]
        if len(keys) < 2:
            return []
        # Aim between this key frame and the next frame, because a seek goes back to a key frame.
        aim = float(keys[-1] * info.timeline.time_base) + 5e-4
        return ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{aim:.6f}"]

    def _check_owed(self, low: int, high: int, reached: int, owed: int, decoder: _Decoder) -> None:
        """Raise TruncatedMediaError if more frames are missing than an intact clip may miss."""
        allowed = max(_MAX_OWED, _MAX_OWED_SHARE * len(self.info.timeline.ticks))
        if decoder.n_given > 0 and owed <= allowed:
            return
        reasons = decoder.errors()
        reason = f" ({reasons[0]})" if reasons else ""
        raise TruncatedMediaError(
            f"{self.info.name}: {high - low} frames announced from frame {low} on, "
            f"only {max(0, reached - low)} decode{reason}"
        )


class _Decoder:
    """A running decoder, as a context manager. It drops its first `hidden` pictures."""

    def __init__(self, args: list[str], reader: _Reader, hidden: int) -> None:
        self._info, self._limits = reader.info, reader.source.limits
        width, height = reader.size
        self._shape = (height, width, 4 if reader.info.has_alpha else 3)
        self._keeps_alpha = reader.alpha
        self._hidden = hidden
        self._child = ffmpeg.Child(args, limits=self._limits)
        self.n_given = 0

    def __enter__(self) -> _Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()

    def errors(self) -> list[str]:
        """Return the errors that the decoder reported so far."""
        return ffmpeg.errors_in(self._child.log())

    def complains(self) -> bool:
        """Return whether the decoder has reported an error so far."""
        return self._child.has_logged()

    def next(self, i: int) -> _Shot | None:
        """Return the next picture, None at the end. `i` is the frame that the caller waits for.

        Raises DecoderCrashedError, DecoderTimeoutError or DecoderMemoryError.
        """
        try:
            while self._hidden > 0:
                self._hidden -= 1
                self._read()
            shot = self._read()
        except UnreadableMediaError as error:
            raise type(error)(f"{self._info.name}: frame {i}: {error}") from error
        self.n_given += shot is not None
        return shot

    def _read(self) -> _Shot | None:
        mark = self._child.mark(self._limits.timeout_s)
        fresh = np.empty(self._shape, np.uint8)
        if mark is None or self._child.read_into(ffmpeg.raw_bytes(fresh), self._limits.timeout_s) < fresh.nbytes:
            self._child.check_end(self._limits.timeout_s)
            return None
        if self._info.has_alpha == self._keeps_alpha:
            return _Shot(int(mark), fresh)
        return _Shot(int(mark), opaque(fresh) if self._keeps_alpha else over_white(fresh))
