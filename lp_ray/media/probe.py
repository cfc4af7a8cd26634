"""Probe a video file before anything is decoded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import (
    InputError,
    InputTooLargeError,
    TruncatedMediaError,
    UnreadableMediaError,
    UnsupportedError,
)
from lp_ray.base.limits import Limits
from lp_ray.media import sniff
from lp_ray.media.banner import AudioTrack, Banner, Colours, read_banner
from lp_ray.media.listing import NO_TIME, Packets, Pictures, Source, busiest_streams, list_packets, list_pictures
from lp_ray.media.looks import FILMS, describe
from lp_ray.media.timing import Timeline, anchored, make_timeline, straightened

# Containers with a time stamp for every picture and an index that leads to key frames; other clips are decoded once
# to list their pictures, and read from the start.
_INDEXED = {"mov", "matroska"}
_ONE_TO_ONE = {"h264", "hevc", "av1", "vp9", "mpeg4", "mjpeg", "prores", "ffv1", "dnxhd"}
"""Codecs in which each packet is one picture, if the time stamps agree (`_is_plain`)."""
_SEEKABLE = {*_ONE_TO_ONE, "vp8"}
"""Codecs whose key frames need no earlier frames."""
_SAYS_FIELDS = {"h264", "hevc", "av1", "vp9"}
"""Codecs whose headers tell whether pictures are interlaced. For other codecs, the first pictures are decoded to find
out."""
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders to use for transparency: ffmpeg's own decoders of these formats ignore the alpha stream."""
_RESTARTS = {"mpegts", "mpeg", "flv", "ogg"}  # AVFMT_TS_DISCONT: recordings joined with cat stay readable
_MAX_AVI_RATE = 240  # a faster one is a fine clock, not a rate
_OVERSIZED = re.compile(r"Picture size (\d+)x(\d+) exceeds specified max pixel count")
_SHORTFALL = 0.02  # share of the announced length; a smaller difference at the end is normal

NO_MARKS: NDArray[np.int64] = np.empty(0, np.int64)


@dataclass(frozen=True)
class VideoInfo:
    """A clip as it will be decoded. `width` x `height` is the shown size, after pixel aspect and rotation."""

    name: str
    demuxer: str
    codec: str
    coded_width: int
    coded_height: int
    width: int
    height: int
    rotation: int
    """Degrees counter-clockwise, a multiple of 90, already applied in `width` and `height`."""
    has_alpha: bool
    """Whether the pictures may be transparent somewhere. They are decoded over white, as still pictures are, unless
    their transparency is asked for."""
    colours: Colours
    deinterlace: str
    """Which pictures are interlaced: none (empty), those that are flagged (`interlaced`), or `all`."""
    audio_tracks: tuple[AudioTrack, ...]
    source: Source = field(repr=False, compare=False)
    timeline: Timeline = field(repr=False, compare=False)
    marks: NDArray[np.int64] = field(repr=False, compare=False)
    """The decoder's time stamp of each of the file's frames, increasing; empty if time stamps identify no frame."""
    n_hidden: int
    """Number of frames without a time stamp before the timeline's first one. They are decoded, but not shown."""
    key_ticks: NDArray[np.int64] = field(repr=False, compare=False)
    """Time stamps of the key frames, sorted; empty if seeking is not exact."""

    @property
    def fps(self) -> Fraction:
        """Exact frame rate."""
        return self.timeline.fps

    @property
    def n_frames(self) -> int:
        """Number of frames of the whole clip at `fps`."""
        return len(self.timeline.shown)

    @property
    def duration_s(self) -> float:
        """Length in seconds: n_frames / fps."""
        return float(self.n_frames / self.fps)

    @property
    def constant_rate(self) -> bool:
        """Whether every frame of the file is used once; otherwise frames are repeated or dropped to keep the time."""
        return self.timeline.constant

    @property
    def has_audio(self) -> bool:
        """Whether the file has sound."""
        return bool(self.audio_tracks)


@dataclass(frozen=True)
class _Frames:
    """The file's own frames, and how a decoder identifies them; see VideoInfo."""

    timeline: Timeline
    marks: NDArray[np.int64]
    keys: NDArray[np.int64]
    n_hidden: int = 0
    n_interlaced: int = 0
    errors: tuple[str, ...] = ()


def probe_video(path: Path, limits: Limits) -> VideoInfo:
    """Read size, exact rate, frame times and sound of a local video. Common formats are not decoded.

    Raises MissingInputError, InputTooLargeError (bytes, pixels, frames), UnreadableMediaError, UnsupportedError, or
    TruncatedMediaError, which states what the container announces and what the file holds.
    """
    source = _open(path, limits)
    packets = list_packets(source)
    if source.demuxer == "matroska":
        packets.hide_before_zero()
    _check_reported_size(path, packets.errors, limits)
    if len(packets.table) == 0 or "dimensions" not in packets.headers:
        raise _refusal(path, packets.errors)
    about = read_banner(packets.log)
    if about.dolby_only:
        raise UnsupportedError(
            f"{path.name}: Dolby Vision without a base that other decoders show right (profile 5); export it as HDR10, "
            "HLG or SDR"
        )
    if about.has_alpha and about.codec in _ALPHA_DECODERS:
        source = replace(source, options=("-c:v", _ALPHA_DECODERS[about.codec]))
    coded = _coded_size(packets, path, limits)
    shown = _shown_size(packets, coded, about.rotation)
    if shown[0] * shown[1] > limits.max_pixels:
        raise InputTooLargeError(_too_many_pixels(path, *shown, limits))
    try:
        frames = _frames(source, about, packets)
    except InputTooLargeError as error:
        raise InputTooLargeError(f"{path.name}: {error}") from error
    _check_reported_size(path, frames.errors, limits)
    _check_whole(path, source.demuxer, about, frames.timeline, packets.errors + frames.errors)
    deinterlace = "interlaced" if frames.n_interlaced else "all" if about.interlaced else ""
    if deinterlace and about.rotation % 180:
        raise UnsupportedError(f"{path.name}: interlaced pictures lying on their side; export it as progressive video")
    return VideoInfo(
        path.name,
        source.demuxer,
        about.codec,
        *coded,
        *shown,
        about.rotation,
        about.has_alpha or bool(source.alpha),
        about.colours,
        deinterlace,
        about.audio_tracks,
        source,
        frames.timeline,
        frames.marks,
        frames.n_hidden,
        frames.keys,
    )


def _open(path: Path, limits: Limits) -> Source:
    """Choose demuxer and video stream by the file's content."""
    head = sniff.read_head(path)
    size = path.stat().st_size
    if size > limits.max_bytes:
        raise InputTooLargeError(f"{path.name}: {size:,} bytes; max_bytes is {limits.max_bytes:,}")
    demuxer = sniff.clip_demuxer(path, head)
    if demuxer is None:
        raise UnreadableMediaError(
            f"{path.name}: not a video file (a film: {FILMS}); by its content it looks like {describe(head)}"
        )
    source = Source(path, demuxer, limits)
    if sniff.is_picture_sequence(head):
        streams = busiest_streams(source)
        if streams:
            alpha = f"0:{streams[1]}" if len(streams) > 1 else ""
            return replace(source, stream=f"0:{streams[0]}", alpha=alpha)
    return source


def _frames(source: Source, about: Banner, packets: Packets) -> _Frames:
    """List the frames from the packets if these are reliable, else by decoding once. Raises UnreadableMediaError."""
    if not packets.seen.any():
        raise UnreadableMediaError(f"{source.path.name}: the video stream holds no frame to show")
    trusted = source.demuxer in _INDEXED and about.codec in _ONE_TO_ONE and not about.interlaced
    if not (trusted and _is_plain(packets)):
        return _decoded_frames(source, about, packets)
    n_interlaced = 0
    if about.codec not in _SAYS_FIELDS:
        n_interlaced = list_pictures(source, packets.time_base, glance=True).n_interlaced
    ticks = np.sort(packets.table[packets.seen, 1])
    timeline = make_timeline(ticks, packets.time_base, packets.last_duration, hint=about.fps)
    return _Frames(timeline, ticks, packets.keys, n_interlaced=n_interlaced)


def _decoded_frames(source: Source, about: Banner, packets: Packets) -> _Frames:
    base, last_ticks = packets.time_base, packets.last_duration
    pictures = list_pictures(source, base)
    n_hidden = _n_hidden(source, pictures)
    marks = pictures.marks[n_hidden:]
    if len(marks) == 0:
        raise _refusal(source.path, pictures.errors or packets.errors)
    restarts = source.demuxer in _RESTARTS
    ticks = straightened(anchored(marks, pictures.timed[n_hidden:], last_ticks), base, last_ticks, restarts)
    listed = np.unique(packets.times[packets.seen])
    if len(listed) == len(marks) and not restarts:  # times that a decoder invents for B-frames are poor
        ticks = listed
    stated = 1 / base if source.demuxer == "avi" and base >= Fraction(1, _MAX_AVI_RATE) else None
    timeline = make_timeline(ticks, base, last_ticks, stated, about.fps)
    growing = bool((np.diff(marks) > 0).all())
    seekable = source.demuxer in _INDEXED and about.codec in _SEEKABLE and growing
    known = seekable and np.array_equal(marks, np.sort(packets.table[packets.timed, 1]))
    return _Frames(
        timeline,
        marks if growing else NO_MARKS,
        packets.keys if known else NO_MARKS,
        n_hidden,
        pictures.n_interlaced,
        pictures.errors,
    )


def _is_plain(packets: Packets) -> bool:
    """Return whether the packets are in order and start with a key frame: then each listed frame decodes."""
    table = packets.table
    if (table[:, 1] == NO_TIME).any() or (np.diff(table[:, 0]) <= 0).any():
        return False
    shown = table[packets.seen]
    first_key = np.flatnonzero(packets.is_key)
    if len(first_key) == 0 or first_key[0] != 0 or (table[:, 1] < table[0, 1]).any():
        return False  # pictures before the first key frame may not decode
    return len(np.unique(shown[:, 1])) == len(shown)


def _n_hidden(source: Source, pictures: Pictures) -> int:
    """Count the first pictures that Matroska does not show: before time 0, or without a time because it is before 0."""
    shown = pictures.timed & (pictures.marks >= 0)
    return int(np.argmax(shown)) if source.demuxer == "matroska" and shown.any() else 0


def _check_whole(path: Path, demuxer: str, about: Banner, timeline: Timeline, errors: tuple[str, ...]) -> None:
    """Refuse a clip whose file ends early. Sound that lasts longer than the pictures is allowed.

    Missing pictures at the beginning are allowed too: a recording may begin between two key frames.
    """
    missing = sniff.missing_bytes(path) if demuxer in ("mov", "avi") else None
    if missing and demuxer == "avi" and missing[0] - missing[1] > _SHORTFALL * missing[0]:
        raise TruncatedMediaError(
            f"{path.name}: the container announces {missing[0]:,} bytes, the file holds {missing[1]:,}; fetch it again"
        )
    if missing is None and not errors:
        return
    fps, late_s = timeline.fps, max(0.0, timeline.seconds(timeline.ticks[0]) - about.start_s)
    held, announced = len(timeline.shown), round(about.duration_s * fps)
    if announced - round(late_s * fps) - held > max(2, _SHORTFALL * announced):
        raise TruncatedMediaError(
            f"{path.name}: the container announces {about.duration_s:.2f} s ({announced} frames), "
            f"the file holds {held / float(fps):.2f} s ({held} frames); fetch it again"
        )


def _coded_size(packets: Packets, path: Path, limits: Limits) -> tuple[int, int]:
    width, _, height = packets.headers["dimensions"].partition("x")
    size = int(width), int(height)
    if min(size) <= 0:
        raise UnreadableMediaError(f"{path.name}: the video stream has no size")
    if size[0] * size[1] > limits.max_pixels:
        raise InputTooLargeError(_too_many_pixels(path, *size, limits))
    return size


def _check_reported_size(path: Path, errors: tuple[str, ...], limits: Limits) -> None:
    """Raise InputTooLargeError if a decoder refused pictures for their size, which may exceed what the container
    states."""
    for size in filter(None, map(_OVERSIZED.match, errors)):
        raise InputTooLargeError(_too_many_pixels(path, int(size.group(1)), int(size.group(2)), limits))


def _shown_size(packets: Packets, coded: tuple[int, int], rotation: int) -> tuple[int, int]:
    sar = packets.headers.get("sar", "")
    aspect = Fraction(sar) if re.fullmatch(r"[1-9]\d*/[1-9]\d*", sar) else Fraction(1)
    width, height = max(1, round(coded[0] * aspect)), coded[1]
    return (width, height) if rotation % 180 == 0 else (height, width)


def _too_many_pixels(path: Path, width: int, height: int, limits: Limits) -> str:
    return f"{path.name}: frames of {width} x {height} pixels; max_pixels is {limits.max_pixels:,}"


def _refusal(path: Path, reasons: tuple[str, ...]) -> InputError:
    text = "; ".join(reasons)
    missing = sniff.missing_bytes(path) if "moov atom not found" in text else None
    if missing:
        return TruncatedMediaError(
            f"{path.name}: the container announces at least {missing[0]:,} bytes, the file holds "
            f"{missing[1]:,} and ends before its index (moov); fetch it again"
        )
    if "matches no streams" in text:
        return UnreadableMediaError(f"{path.name}: holds no video stream")
    return UnreadableMediaError(f"{path.name}: cannot be read as video ({reasons[0] if reasons else 'no frames'})")
