"""Match driving frames with output frames: rates by time, lengths by a policy."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

LengthPolicy = Literal["min", "loop", "ping-pong", "hold"]
"""What happens if a driving is shorter than the source video: the output ends with the driving, or the driving starts
again, runs back and forth, or stays at its last frame."""

Indices = NDArray[np.intp]


class Length(NamedTuple):
    """The frame count of a clip and its exact rate."""

    n_frames: int
    fps: Fraction


class Schedule(NamedTuple):
    """For every output frame, the source frame and the driving frame that it is made from."""

    source: Indices
    driving: Indices


def lead(drivings: Sequence[Length]) -> Length:
    """Return the length and rate that several drivings of one picture are matched to: those of the longest."""
    return max(drivings, key=lambda length: (length.n_frames / length.fps, length.n_frames))


def pair_length(source: Length | None, drivings: Sequence[Length], policy: LengthPolicy) -> Length:
    """Return a pair's frame count and rate if its faces have drivings of their own (or all the same one).

    To several drivings a picture is as long as the longest; a source video has its own length. `policy` then says what
    happens to the shorter ones, as in `output_length`.
    """
    own = lead(drivings) if source is None and len(drivings) > 1 else source
    return min((output_length(own, driving, policy) for driving in drivings), key=lambda length: length.n_frames)


def output_length(source: Length | None, driving: Length, policy: LengthPolicy) -> Length:
    """Return a pair's frame count and rate, without listing its frames; see `schedule`."""
    if source is None:
        return driving
    n_driving = resampled_length(driving, source.fps)
    shortened = policy == "min" and driving.n_frames > 1
    return Length(min(source.n_frames, n_driving) if shortened else source.n_frames, source.fps)


def schedule(source: Length | None, driving: Length, policy: LengthPolicy) -> Schedule:
    """Return the source frame and the driving frame of every output frame.

    A picture (None) uses the driving's frames as they are. A video keeps its own rate; the driving is resampled to it,
    and `policy` says what happens if the driving is shorter. A single driving frame is used for all frames.
    """
    if source is None:
        return drive_picture(np.arange(driving.n_frames))
    still = driving.n_frames == 1
    frames = np.zeros(1, np.intp) if still else resample(driving.n_frames, driving.fps, source.fps)
    return drive_video(output_length(source, driving, policy).n_frames, frames, "hold" if still else policy)


def resampled_length(clip: Length, rate_out: Fraction) -> int:
    """Return how many frames a clip has at `rate_out`: as many as `resample` lists."""
    return _resampled_length(clip.n_frames, clip.fps / rate_out)


def resample(n_frames: int, rate_in: Fraction, rate_out: Fraction) -> Indices:
    """Return, for every output frame, the input frame that is shown at the middle of its time.

    Frame i of a clip is shown from i / rate to (i + 1) / rate. Exact at any length. The output is as long as the input,
    to within half an output frame, and has at least one frame.
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
    """Match a source video of `n_source` frames with driving frames that already have its rate.

    A driving longer than the source ends with it. A single driving frame is used for all source frames.
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
