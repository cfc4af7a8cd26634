"""The times of a clip's frames, and how they map to a constant frame rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import InputTooLargeError

MAX_FRAMES = 5_000_000
"""Maximum number of frames of a clip at its rate, before it is cut: 23 hours at 60 per second."""

# Rates that cameras and editors use (SMPTE and film); a measured rate near one of them is meant to be it.
STANDARD_RATES = tuple(
    Fraction(r)
    for r in (
        "24000/1001",
        "24",
        "25",
        "30000/1001",
        "30",
        "48",
        "50",
        "60000/1001",
        "60",
        "120000/1001",
        "120",
    )
)
_DEFAULT_RATE = Fraction(25)  # of a clip whose only frame has no duration
_MAX_RATE = 1000
_JITTER = 0.25  # of a frame: how far a time stamp may stray from its place at a constant rate
_ROUNDING = 0.4  # of a frame: on a coarser clock, a frame that was dropped would pass for one that was rounded
_HINTED = 4e-4  # largest difference between a rate rounded to two decimals and the true rate
_JUMP_S = 10.0  # where clocks may restart, a longer gap means a new clock: ffmpeg's -dts_delta_threshold


@dataclass(frozen=True)
class Timeline:
    """The frames of a clip at a constant rate.

    `ticks`: int64, n, times of the frames in the file, in presentation order, in units of `time_base` seconds. `fps`:
    the exact rate at which the clip is read. `shown`: int64, n_frames, for each frame at that rate the index into
    `ticks` of the frame on screen; 0, 1, 2, ... for a constant rate.
    """

    ticks: NDArray[np.int64]
    time_base: Fraction
    fps: Fraction
    constant: bool
    shown: NDArray[np.int64]

    def seconds(self, tick: int) -> float:
        """Return a time stamp in seconds on the file's own clock."""
        return float(tick * self.time_base)


def make_timeline(
    ticks: NDArray[np.int64],
    time_base: Fraction,
    last_ticks: int,
    stated: Fraction | None = None,
    hint: float | None = None,
) -> Timeline:
    """Find the exact rate of sorted time stamps. `last_ticks` is how long the last frame is shown.

    A clip has a constant rate if each frame is within a tick or a quarter of a frame of its place. Otherwise its most
    common gap gives the rate, and frames are repeated or dropped to keep their times. If the container states a rate
    for all of its frames (`stated`), as AVI does, the rate is not measured. `hint` is a rate that the file mentions: it
    decides between several rates that fit, which a short clip on a coarse clock can have.
    """
    if stated is not None:
        return _on_rate(ticks, time_base, stated, max(1, last_ticks))
    if ticks[0] == ticks[-1]:
        fps = _checked(1 / (last_ticks * time_base)) if last_ticks > 0 else _DEFAULT_RATE
        return Timeline(ticks, time_base, fps, True, np.arange(len(ticks)))
    constant = _constant_rate(ticks, time_base, hint)
    if constant is not None:
        return Timeline(ticks, time_base, constant, True, np.arange(len(ticks)))
    gaps = np.diff(ticks)
    fps = _near_standard(_checked(1 / (Fraction(float(np.median(gaps[gaps > 0]))) * time_base)))
    return _on_rate(ticks, time_base, fps, last_ticks if last_ticks > 0 else int(np.median(gaps)))


def _on_rate(ticks: NDArray[np.int64], time_base: Fraction, fps: Fraction, last_ticks: int) -> Timeline:
    """Place frames on a rate: frames far apart are repeated, frames close together are dropped.

    Raises InputTooLargeError for more than MAX_FRAMES.
    """
    n_frames = max(1, round((int(ticks[-1]) - int(ticks[0]) + last_ticks) * time_base * fps))
    if n_frames > MAX_FRAMES:
        raise InputTooLargeError(f"its time stamps stretch over {n_frames:,} frames at {fps} per second")
    # Half a frame early, so that a frame that comes slightly late still gets its place.
    places = (np.arange(n_frames) + 0.5) / float(time_base * fps)
    shown = np.searchsorted((ticks - ticks[0]).astype(np.float64), places, side="left") - 1
    shown = np.maximum(shown, 0).astype(np.int64)
    constant = np.array_equal(shown, np.arange(len(ticks)))
    return Timeline(ticks, time_base, fps, constant, shown)


def anchored(marks: NDArray[np.int64], timed: NDArray[np.bool_], last_ticks: int) -> NDArray[np.int64]:
    """Return time stamps in which those that are not `timed` are spaced evenly between those that are.

    Containers like MPEG stamp only some frames. If the existing stamps run backwards, all stay as they are.
    """
    anchors = np.flatnonzero(timed)
    if len(anchors) in (0, len(marks)) or (np.diff(marks[anchors]) <= 0).any():
        return marks
    gaps = np.diff(marks[anchors]) / np.diff(anchors)
    usual = float(np.median(gaps)) if len(gaps) else float(max(1, last_ticks))
    places = np.arange(len(marks))
    first, last = anchors[0], anchors[-1]
    even = np.interp(places, anchors, marks[anchors].astype(np.float64))
    even[:first] = marks[first] + (places[:first] - first) * usual
    even[last:] = marks[last] + (places[last:] - last) * usual
    return np.rint(even).astype(np.int64)


def straightened(marks: NDArray[np.int64], time_base: Fraction, last_ticks: int, restarts: bool) -> NDArray[np.int64]:
    """Return time stamps, in the order of the pictures, that only increase.

    If a stamp is not later than the one before, a new recording with a new clock begins there; its first picture
    follows the last one at the usual gap. `restarts` says that a new clock may also start later, as in transport
    streams.
    """
    gaps = np.diff(marks)
    broken = gaps <= 0
    if restarts:
        broken |= gaps > _JUMP_S / float(time_base)
    if not broken.any():
        return marks
    sound = gaps[~broken]
    usual = int(np.median(sound)) if len(sound) else max(1, last_ticks)
    return np.concatenate([marks[:1], marks[0] + np.cumsum(np.where(broken, usual, gaps))])


def cut(fps: Fraction, n_frames: int, start_s: float | None, end_s: float | None) -> tuple[int, int]:
    """Return (first, count) of the frames k whose time k / fps lies in [start_s, end_s)."""
    first = 0 if start_s is None else max(0, _ceil_frames(start_s, fps))
    end = n_frames if end_s is None else min(n_frames, _ceil_frames(end_s, fps))
    return first, max(0, end - first)


def _ceil_frames(seconds: float, fps: Fraction) -> int:
    # Times are typed in decimals: 0.1 means 1/10, not the binary number just above it.
    return math.ceil(Fraction(seconds).limit_denominator(1_000_000) * fps)


def _constant_rate(ticks: NDArray[np.int64], time_base: Fraction, hint: float | None) -> Fraction | None:
    span = int(ticks[-1]) - int(ticks[0])
    gaps = np.diff(ticks)
    mean = (len(ticks) - 1) / (span * time_base)
    if mean > _MAX_RATE:
        return None
    if gaps.min() == gaps.max():
        return mean
    near = [r for r in (*STANDARD_RATES, Fraction(round(mean))) if r and abs(r / mean - 1) < Fraction(1, 20)]
    near.sort(key=lambda rate: (hint is None or abs(float(rate) / hint - 1) > _HINTED, abs(rate - mean)))
    measured = mean.limit_denominator(1001)
    frame = 1 / float(mean * time_base)
    for stray in (min(1.0, _ROUNDING * frame), _JITTER * frame):  # first with the clock's precision, then with jitter
        for rate in filter(None, (*near, measured)):  # a rate of almost nothing rounds to 0
            if _fits(ticks, 1 / (rate * time_base), stray):
                return rate
    return None


def _fits(ticks: NDArray[np.int64], ticks_per_frame: Fraction, stray: float) -> bool:
    places = np.arange(len(ticks)) * float(ticks_per_frame)
    return bool(np.abs((ticks - ticks[0]) - places).max() <= stray + 1e-6)


def _near_standard(rate: Fraction) -> Fraction:
    best = min((*STANDARD_RATES, Fraction(max(1, round(rate)))), key=lambda known: abs(known - rate))
    return best if abs(best / rate - 1) < Fraction(1, 50) else rate.limit_denominator(1001)


def _checked(rate: Fraction) -> Fraction:
    return min(max(rate, Fraction(1, 100)), Fraction(_MAX_RATE))
