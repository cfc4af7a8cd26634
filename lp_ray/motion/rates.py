"""Which driving frame belongs to which output frame: rates by time, lengths by policy."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

LengthPolicy = Literal["min", "loop", "ping-pong", "hold"]
"""What a driving shorter than a source video does: the output ends with it, or it begins again, runs back and
forth, or stays on its last frame."""

Indices = NDArray[np.intp]


class Length(NamedTuple):
    """Frames of a clip and their exact rate."""

    n_frames: int
    fps: Fraction


class Schedule(NamedTuple):
    """For every output frame the source frame and the driving frame it is made of."""

    source: Indices
    driving: Indices


def output_length(source: Length | None, driving: Length, policy: LengthPolicy) -> Length:
    """Return how many frames a pair has and at which rate, without listing them; see `schedule`."""
    if source is None:
        return driving
    n_driving = resampled_length(driving, source.fps)
    shortened = policy == "min" and driving.n_frames > 1
    return Length(min(source.n_frames, n_driving) if shortened else source.n_frames, source.fps)


def schedule(source: Length | None, driving: Length, policy: LengthPolicy) -> Schedule:
    """Return which source and driving frame every output frame is made of.

    A picture (None) takes the driving's frames as they are; a video keeps its own rate, the driving is resampled
    to it, and `policy` says what a shorter driving does. One driving frame serves all.
    """
    if source is None:
        return drive_picture(np.arange(driving.n_frames))
    still = driving.n_frames == 1
    frames = np.zeros(1, np.intp) if still else resample(driving.n_frames, driving.fps, source.fps)
    return drive_video(output_length(source, driving, policy).n_frames, frames, "hold" if still else policy)


def resampled_length(clip: Length, rate_out: Fraction) -> int:
    """Return how many frames at `rate_out` a clip lasts: as many as `resample` lists."""
    return _resampled_length(clip.n_frames, clip.fps / rate_out)


def resample(n_frames: int, rate_in: Fraction, rate_out: Fraction) -> Indices:
    """Return for every output frame the input frame on show at the middle of its time.

    Frame i of a clip is on show from i / rate to (i + 1) / rate. Exact at any length; the output lasts as
    long as the input to within half an output frame, and has at least one frame.
    """
    if n_frames < 1 or rate_in <= 0 or rate_out <= 0:
        raise ValueError(f"{n_frames} frames at {rate_in} cannot be shown at {rate_out} frames a second")
    if rate_in == rate_out:
        return np.arange(n_frames)
    step = rate_in / rate_out
    n_out = _resampled_length(n_frames, step)
    middle, half = step.numerator, 2 * step.denominator
    last = n_frames - 1
    return np.fromiter((min((2 * i + 1) * middle // half, last) for i in range(n_out)), np.intp, n_out)


def drive_video(n_source: int, driving: Indices, policy: LengthPolicy) -> Schedule:
    """Match a source video of `n_source` frames with driving frames that are already at its rate.

    A driving longer than the source ends with it. One driving frame serves all source frames.
    """
    n = len(driving)
    if n_source < 1 or n < 1:
        raise ValueError(f"{n_source} source frames and {n} driving frames make no video")
    if policy == "min" and n > 1:
        n_source = min(n_source, n)
    frames = np.arange(n_source)
    return Schedule(frames, driving[_extended(frames, n, policy)])


def drive_picture(driving: Indices) -> Schedule:
    """Match a source picture with all driving frames."""
    return Schedule(np.zeros(len(driving), np.intp), driving)


def _extended(frames: Indices, n: int, policy: LengthPolicy) -> Indices:
    if policy == "loop":
        return frames % n
    if policy == "ping-pong":
        period = max(1, 2 * n - 2)  # the ends are shown once
        phase = frames % period
        return np.minimum(phase, period - phase) if n > 1 else phase
    return np.minimum(frames, n - 1)


def _resampled_length(n_frames: int, step: Fraction) -> int:
    return max(1, _rounded_half_down(n_frames / step))


def _rounded_half_down(value: Fraction) -> int:
    return -((1 - 2 * value) // 2)
