"""List every packet, or every decoded picture, of a clip's video stream with its time stamp, by ffmpeg.

imageio-ffmpeg's binary comes without ffprobe. So one run of ffmpeg copies the packets into the `framecrc` muxer, which
gives every packet's exact time stamps; its log gives the streams' properties. Another run decodes, and writes the time
stamp of every picture as the decoder gives it (`-stats_enc_pre`), because a muxer would change those that run
backwards.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import InputTooLargeError, UnreadableMediaError
from lp_ray.base.limits import Limits
from lp_ray.media import ffmpeg
from lp_ray.media.timing import MAX_FRAMES

NO_TIME = -(1 << 63)  # AV_NOPTS_VALUE
KEY, CORRUPT, DISCARD = 1, 2, 4  # AV_PKT_FLAG_*, as framecrc prints them
FIRST_VIDEO = "0:V:0"  # not a cover
_CELLS = 4
_GLANCE = 8
# The time stamp and, as its lowest bit, whether the picture is flagged as interlaced.
_MARKS = "scale=16:16,setpts=2*PTS+INTERLACED"


@dataclass(frozen=True)
class Source:
    """How ffmpeg opens a clip: file, demuxer, video stream, options before `-i`."""

    path: Path
    demuxer: str
    limits: Limits
    stream: str = FIRST_VIDEO
    alpha: str = ""
    """The stream with the transparency of `stream`, if that is a separate stream."""
    options: tuple[str, ...] = ()

    def opened(self, *seek: str) -> list[str]:
        """Return arguments that open the file and keep its time stamps as they are."""
        bounded = ["-copyts", "-max_pixels", str(self.limits.max_pixels)]
        return ffmpeg.input_args(self.path, self.demuxer, *bounded, *self.options, *seek)

    def filtered(self, chain: str) -> list[str]:
        """Return arguments that send the pictures, with their transparency, through a chain of filters."""
        if self.alpha:
            graph = f"[{self.stream}][{self.alpha}]alphamerge,{chain}[shown]"
            return ["-filter_complex_threads", "1", "-filter_complex", graph, "-map", "[shown]"]
        return ["-map", self.stream, "-filter_threads", "1", "-vf", chain]


@dataclass(frozen=True)
class Packets:
    """The packets of a video stream in the file's order. `table`: n x 4 int64, dts, pts, duration, flags."""

    headers: dict[str, str]
    table: NDArray[np.int64]
    log: str
    errors: tuple[str, ...]

    @property
    def time_base(self) -> Fraction:
        return Fraction(self.headers["tb"])

    @property
    def times(self) -> NDArray[np.int64]:
        """Presentation times; for packets without one, their decoding times."""
        return np.where(self.table[:, 1] == NO_TIME, self.table[:, 0], self.table[:, 1])

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Which packets are shown."""
        mask: NDArray[np.bool_] = (self.table[:, 3] & (DISCARD | CORRUPT)) == 0
        return mask

    def hide_before_zero(self) -> None:
        """Mark packets before time 0 as not shown, unless all are before 0."""
        early = self.table[:, 1] < 0  # or without a time
        if not early.all():
            self.table[early & (self.table[:, 1] != NO_TIME), 3] |= DISCARD

    @property
    def timed(self) -> NDArray[np.bool_]:
        """Which packets are shown and have a presentation time."""
        mask: NDArray[np.bool_] = self.seen & (self.table[:, 1] != NO_TIME)
        return mask

    @property
    def is_key(self) -> NDArray[np.bool_]:
        """At which packets decoding can start."""
        mask: NDArray[np.bool_] = (self.table[:, 3] & (KEY | CORRUPT)) == KEY
        return mask

    @property
    def keys(self) -> NDArray[np.int64]:
        """Times of the key frames, sorted."""
        return np.sort(self.table[self.is_key & (self.table[:, 1] != NO_TIME), 1])

    @property
    def last_duration(self) -> int:
        """Duration in ticks of the packet that is shown last; 0 if it has none."""
        seen = self.seen
        return int(self.table[seen][np.argmax(self.times[seen]), 2]) if seen.any() else 0


@dataclass(frozen=True)
class Pictures:
    """The time stamps of a clip's decoded pictures, in decoding order.

    `timed` says which pictures come from packets with a time stamp; the decoder guesses the others. `n_interlaced`
    pictures are flagged as interlaced.
    """

    marks: NDArray[np.int64]
    timed: NDArray[np.bool_]
    n_interlaced: int
    errors: tuple[str, ...]


def list_packets(source: Source) -> Packets:
    """List the packets of the video stream; the table of a stream without packets is empty.

    Raises DecoderCrashedError, DecoderTimeoutError, DecoderMemoryError or InputTooLargeError (frames).
    """
    headers: dict[str, str] = {}
    cells = array("q")  # flat, as only the listing grows with a clip: 32 bytes per packet

    def take(line: str) -> None:
        if line.startswith("#"):
            name, _, value = line[1:].partition(":")
            headers[name.split(" ")[0]] = value.strip()
        else:
            cells.extend(_parse_packet(line))
            _check_count(len(cells) // _CELLS, source)

    copied = ["-map", source.stream, "-c", "copy", "-copyinkf", "-f", "framecrc", "pipe:1"]  # before a key frame, too
    log, tail = _run([*source.opened(), *copied], source, take, "info")
    table = np.frombuffer(cells, np.int64) if cells else np.empty(0, np.int64)  # not copied: it may be long
    whole = log if log == tail else log + tail
    return Packets(headers, table.reshape(-1, _CELLS), whole, tuple(ffmpeg.errors_in(tail)))


def list_pictures(source: Source, time_base: Fraction, glance: bool = False) -> Pictures:
    """Decode the video stream once and list its pictures. `glance` stops after a few. Raises as `list_packets` does."""
    cells, timed = array("q"), array("b")

    def take(line: str) -> None:
        mark, _, given = line.partition(" ")
        cells.append(int(mark))
        timed.append(int(given) != NO_TIME)
        _check_count(len(cells), source)

    few = ["-frames:v", str(_GLANCE)] if glance else []
    args = [
        *source.opened(),
        *source.filtered(_MARKS),
        *few,
        *marked(time_base, "pipe:1", " {ptsi}"),
        "-c:v",
        "rawvideo",
    ]
    _, tail = _run([*args, "-f", "framecrc", "-y", "file:/dev/null"], source, take, "error")
    found = np.array(cells, np.int64)
    return Pictures(found >> 1, np.array(timed, np.bool_), int((found & 1).sum()), tuple(ffmpeg.errors_in(tail)))


def busiest_streams(source: Source) -> list[int]:
    """Return the numbers of the video streams with the most packets, in the file's order.

    In an animated AVIF, the first picture is a separate stream with fewer packets. Raises as `list_packets` does.
    """
    counts: dict[int, int] = {}

    def take(line: str) -> None:
        if not line.startswith("#"):
            stream = int(line.partition(",")[0])
            counts[stream] = counts.get(stream, 0) + 1
            _check_count(counts[stream], source)

    copied = ["-map", "0:v", "-c", "copy", "-copyinkf", "-f", "framecrc", "pipe:1"]
    _run([*source.opened(), *copied], source, take, "error")
    return sorted(stream for stream, count in counts.items() if count == max(counts.values()))


def marked(time_base: Fraction, to: str, more: str = "") -> list[str]:
    """Return output options that write the time stamp of every picture, one per line, before its pixels."""
    ticks = ["-enc_time_base", f"{time_base.numerator}:{time_base.denominator}"]
    return [*ticks, "-fps_mode", "passthrough", "-stats_enc_pre", to, "-stats_enc_pre_fmt", "{pts}" + more]


def _run(args: Sequence[str], source: Source, take: Callable[[str], None], loglevel: str) -> tuple[str, str]:
    """Call `take` with every line; return the beginning and the end of the log."""
    try:
        with ffmpeg.Child(args, loglevel=loglevel, limits=source.limits) as child:
            for line in child.lines(source.limits.timeout_s):
                take(line)
            child.check_end(source.limits.timeout_s)
            return child.log(head=True), child.log()
    except UnreadableMediaError as error:
        raise type(error)(f"{source.path.name}: {error}") from error


def _check_count(n: int, source: Source) -> None:
    if n > MAX_FRAMES:
        raise InputTooLargeError(f"{source.path.name}: more than {MAX_FRAMES:,} frames")


def _parse_packet(line: str) -> tuple[int, int, int, int]:
    # stream, dts, pts, duration, size, checksum[, F=flags][, side data]; no F stands for a key frame
    cells = line.split(",")
    flags = cells[6].strip() if len(cells) > 6 else ""
    value = int(flags[2:], 16) if flags.startswith("F=") else KEY
    return int(cells[1]), int(cells[2]), int(cells[3]), value
