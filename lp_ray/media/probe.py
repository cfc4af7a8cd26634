"""What a video file holds, found before anything is decoded.

There is no ffprobe beside imageio-ffmpeg's binary. One run of ffmpeg that copies the packets into the
`framecrc` muxer gives every packet's exact time stamp, and its log gives the stream's properties.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import InputError, InputTooLargeError, TruncatedMediaError, UnreadableMediaError
from lp_ray.base.limits import Limits
from lp_ray.media import ffmpeg, sniff
from lp_ray.media.timing import Timeline, make_timeline

MAX_PACKETS = 5_000_000  # a listing of more would be an attack, not a clip: 23 hours at 60 frames a second
# Where each packet is one frame with its own presentation time; other clips are decoded once to list them.
_PLAIN_CODECS = {"h264", "hevc", "av1", "vp9", "mpeg4", "mjpeg", "prores", "ffv1", "dnxhd"}
_PLAIN_DEMUXERS = {"mov", "matroska"}
_CELLS = 4  # what is kept of a packet: dts, pts, duration, flags
_NO_TIME = -(1 << 63)  # AV_NOPTS_VALUE
_KEY, _CORRUPT, _DISCARD = 1, 2, 4  # AV_PKT_FLAG_*, as framecrc prints them
_SHORTFALL = 0.02  # of the announced length: below this a ragged end is normal

_STREAM = re.compile(r"Stream #0:(\d+)\S*: (Video|Audio): (\w+)")
_CHOSEN = re.compile(r"Stream #0:(\d+) -> #0:0")
# ffmpeg's names of pixel formats with alpha; WebM keeps it in a second stream and says so in a tag of the track.
_ALPHA = re.compile(
    r"Video: [^\n]*, (?:yuva|ya\d|rgba|bgra|argb|abgr|gbrap|ayuv|vuya|pal8)|^\[info\] +alpha_mode +: 1$", re.MULTILINE
)
_DURATION = re.compile(r"^\[info\]   Duration: (\d+):(\d\d):(\d\d\.\d+)", re.MULTILINE)
_ROTATION = re.compile(r"Display Matrix: rotation of (-?\d+\.\d+) degrees$", re.MULTILINE)


@dataclass(frozen=True)
class VideoInfo:
    """A clip as it will be decoded. `width` x `height`: shown size, after pixel aspect and rotation."""

    name: str
    demuxer: str
    codec: str
    coded_width: int
    coded_height: int
    width: int
    height: int
    rotation: int
    """Degrees counter-clockwise, a multiple of 90, already applied in `width` and `height`."""
    has_audio: bool
    has_alpha: bool
    """Whether the pictures are transparent somewhere, perhaps; they are decoded over white, like still ones."""
    timeline: Timeline = field(repr=False, compare=False)
    key_ticks: NDArray[np.int64] = field(repr=False, compare=False)
    """Time stamps of the key frames, sorted; empty where seeking is not exact."""

    @property
    def fps(self) -> Fraction:
        """Exact frame rate."""
        return self.timeline.fps

    @property
    def n_frames(self) -> int:
        """Frames of the whole clip at `fps`."""
        return len(self.timeline.shown)

    @property
    def duration_s(self) -> float:
        """Seconds: n_frames / fps."""
        return float(self.n_frames / self.fps)

    @property
    def constant_rate(self) -> bool:
        """Whether every frame of the file is used once; else frames repeat or drop out to keep time."""
        return self.timeline.constant


@dataclass
class _Listing:
    """The packets (or decoded frames) of one video stream and ffmpeg's log."""

    headers: dict[str, str]
    packets: NDArray[np.int64]  # n x 4: dts, pts, duration, flags
    log: str

    def time_base(self) -> Fraction:
        return Fraction(self.headers["tb"])


def probe_video(path: Path, limits: Limits) -> VideoInfo:
    """Read size, exact rate, frame times and sound of a local video; common formats are not decoded.

    Raises MissingInputError, InputTooLargeError (bytes, pixels), UnreadableMediaError, or
    TruncatedMediaError naming what the container announces and what the file holds.
    """
    head = sniff.read_head(path)
    size = path.stat().st_size
    if size > limits.max_bytes:
        raise InputTooLargeError(f"{path.name}: {size:,} bytes; max_bytes is {limits.max_bytes:,}")
    demuxer = sniff.sniff_demuxer(head)
    if demuxer is None:
        raise UnreadableMediaError(f"{path.name}: not a video file (no known container in its first bytes)")
    listing = _list(path, demuxer, limits, decode=False)
    about = _Banner(listing)
    width, height = _coded_size(listing, path, limits)
    shown = _shown_size(listing, (width, height), about.rotation)
    if shown[0] * shown[1] > limits.max_pixels:
        raise InputTooLargeError(_too_many_pixels(path, *shown, limits))
    plain = demuxer in _PLAIN_DEMUXERS and about.codec in _PLAIN_CODECS
    if not plain or (listing.packets[:, 1] == _NO_TIME).any():
        plain = False
        listing = _list(path, demuxer, limits, decode=True)
    timeline, keys = _timeline(listing, path)
    _check_whole(path, demuxer, about.duration_s, timeline, listing)
    keys = keys if plain else keys[:0]
    return VideoInfo(
        path.name,
        demuxer,
        about.codec,
        width,
        height,
        *shown,
        about.rotation,
        about.has_audio,
        about.has_alpha,
        timeline,
        keys,
    )


def _shown_size(listing: _Listing, coded: tuple[int, int], rotation: int) -> tuple[int, int]:
    sar = listing.headers.get("sar", "")
    aspect = Fraction(sar) if re.fullmatch(r"[1-9]\d*/[1-9]\d*", sar) else Fraction(1)
    width, height = max(1, round(coded[0] * aspect)), coded[1]
    return (width, height) if rotation % 180 == 0 else (height, width)


class _Banner:
    """What ffmpeg's log says about the chosen stream; metadata written by strangers is not matched."""

    def __init__(self, listing: _Listing) -> None:
        described, _, mapping = listing.log.partition("[info] Stream mapping:")
        chosen = _CHOSEN.search(mapping)
        streams = list(_STREAM.finditer(described))
        index = chosen.group(1) if chosen else "0"
        video = [m for m in streams if m.group(1) == index and m.group(2) == "Video"]
        self.codec = video[0].group(3) if video else "unknown"
        self.has_audio = any(m.group(2) == "Audio" for m in streams)
        start = video[0].start() if video else 0
        later = [m.start() for m in streams if m.start() > start]
        end = later[0] if later else len(described)
        self.has_alpha = _ALPHA.search(described, start, end) is not None
        rotation = _ROTATION.search(described, start, end)
        self.rotation = round(float(rotation.group(1)) / 90) * 90 % 360 if rotation else 0
        duration = _DURATION.search(described)
        hours, minutes, seconds = duration.groups() if duration else ("0", "0", "0")
        self.duration_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _list(path: Path, demuxer: str, limits: Limits, decode: bool) -> _Listing:
    how = ["-c", "copy"]
    if decode:
        how = [
            "-vf",
            "scale=16:16",
            "-c:v",
            "rawvideo",
            "-fps_mode",
            "passthrough",
            "-enc_time_base",
            "demux",
        ]
    opened = ffmpeg.input_args(path, demuxer, "-copyts", "-max_pixels", str(limits.max_pixels))
    args = [*opened, "-map", "0:V:0", *how, "-f", "framecrc", "pipe:1"]
    headers: dict[str, str] = {}
    cells = array("q")  # flat, for the listing is all that grows with a clip: 32 bytes per packet
    try:
        with ffmpeg.Child(args, loglevel="info", limits=limits) as child:
            for line in child.lines(limits.timeout_s):
                if line.startswith("#"):
                    name, _, value = line[1:].partition(":")
                    headers[name.split(" ")[0]] = value.strip()
                else:
                    cells.extend(_parse_packet(line))
                if len(cells) > MAX_PACKETS * _CELLS:
                    raise InputTooLargeError(f"{path.name}: more than {MAX_PACKETS:,} frames")
            child.check_end(limits.timeout_s)
            log, tail = child.log(head=True), child.log()
    except UnreadableMediaError as error:
        raise type(error)(f"{path.name}: {error}") from error
    if not cells or "dimensions" not in headers:
        raise _refusal(path, ffmpeg.errors_in(tail))
    log = log if log == tail else log + tail
    return _Listing(headers, np.frombuffer(cells, np.int64).reshape(-1, _CELLS), log)


def _parse_packet(line: str) -> tuple[int, int, int, int]:
    # stream, dts, pts, duration, size, checksum[, F=flags][, side data]; no F stands for a key frame
    cells = line.split(",")
    flags = cells[6].strip() if len(cells) > 6 else ""
    value = int(flags[2:], 16) if flags.startswith("F=") else _KEY
    return int(cells[1]), int(cells[2]), int(cells[3]), value


def _timeline(listing: _Listing, path: Path) -> tuple[Timeline, NDArray[np.int64]]:
    packets = listing.packets
    times = np.where(packets[:, 1] == _NO_TIME, packets[:, 0], packets[:, 1])
    seen = (packets[:, 3] & (_DISCARD | _CORRUPT)) == 0
    if not seen.any():
        raise UnreadableMediaError(f"{path.name}: the video stream holds no frame to show")
    ticks = np.sort(times[seen])
    last = int(packets[seen][np.argmax(times[seen]), 2])
    keys = np.sort(times[(packets[:, 3] & (_KEY | _CORRUPT)) == _KEY])
    return make_timeline(ticks, listing.time_base(), last), keys


def _check_whole(path: Path, demuxer: str, announced_s: float, timeline: Timeline, listing: _Listing) -> None:
    """Refuse a clip whose file ends early; sound that outlasts the picture is no reason by itself."""
    cut_short = sniff.missing_box_bytes(path) if demuxer == "mov" else None
    if cut_short is None and not ffmpeg.errors_in(listing.log):
        return
    held = len(timeline.shown)
    announced = round(announced_s * timeline.fps)
    if announced - held > max(2, _SHORTFALL * announced):
        raise TruncatedMediaError(
            f"{path.name}: the container announces {announced_s:.2f} s ({announced} frames), "
            f"the file holds {held / float(timeline.fps):.2f} s ({held} frames); fetch it again"
        )


def _coded_size(listing: _Listing, path: Path, limits: Limits) -> tuple[int, int]:
    width, _, height = listing.headers["dimensions"].partition("x")
    size = int(width), int(height)
    if min(size) <= 0:
        raise UnreadableMediaError(f"{path.name}: the video stream has no size")
    if size[0] * size[1] > limits.max_pixels:
        raise InputTooLargeError(_too_many_pixels(path, *size, limits))
    return size


def _too_many_pixels(path: Path, width: int, height: int, limits: Limits) -> str:
    return f"{path.name}: frames of {width} x {height} pixels; max_pixels is {limits.max_pixels:,}"


def _refusal(path: Path, reasons: list[str]) -> InputError:
    text = "; ".join(reasons)
    missing = sniff.missing_box_bytes(path) if "moov atom not found" in text else None
    if missing:
        return TruncatedMediaError(
            f"{path.name}: the container announces at least {missing[0]:,} bytes, the file holds "
            f"{missing[1]:,} and ends before its index (moov); fetch it again"
        )
    if "matches no streams" in text:
        return UnreadableMediaError(f"{path.name}: holds no video stream")
    return UnreadableMediaError(f"{path.name}: cannot be read as video ({reasons[0] if reasons else 'no frames'})")
