"""The loudness of a sound for each frame of the video that it belongs to."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import UnreadableMediaError
from lp_ray.media import ffmpeg
from lp_ray.media.sound_files import open_sound
from lp_ray.media.soundtrack import SoundCut, open_soundtrack

RANGE_DB = 50.0
"""Decibels below full scale that count as silence (loudness 0)."""


_SAMPLE_RATE = 16_000
_TIMEOUT_S = 3600.0


def sound_levels(video: Path, fps: Fraction, n_frames: int, folder: Path) -> NDArray[np.float64] | None:
    """Return the loudness of a local video's frames (`loudness`); None if it has no sound.

    Samples are decoded into a file in `folder`, so that memory does not grow with the clip. Raises InputError if ffmpeg
    fails.
    """
    cut = open_soundtrack(video).cut(0.0, float(n_frames / fps), None)
    return None if cut is None else loudness(_samples(cut, video.name, folder), _SAMPLE_RATE, fps, n_frames)


def levels_of_sound(sound: Path, fps: Fraction, most_s: float, folder: Path) -> NDArray[np.float64]:
    """Return the loudness of a local sound file by frames, of its first `most_s` seconds at most; a last frame that it
    fills by half or more counts. `folder` and errors are as in `sound_levels`; UnreadableMediaError if it is empty."""
    cut = open_sound(sound).cut(0.0, most_s, None)
    samples = np.zeros(0, np.int16) if cut is None else _samples(cut, sound.name, folder)
    n_frames = round(len(samples) * fps / _SAMPLE_RATE)
    if not n_frames:
        raise UnreadableMediaError(f"{sound.name}: the sound is shorter than a frame")
    return loudness(samples, _SAMPLE_RATE, fps, n_frames)


def _samples(cut: SoundCut, name: str, folder: Path) -> NDArray[np.int16]:
    """Decode a cut into a file, mono; return its samples, which stay on disk."""
    samples = folder / "loudness.s16"
    args = [*cut.opened, "-map", f"0:a:{cut.track}", "-af", cut.filters, "-ac", "1", "-ar", str(_SAMPLE_RATE)]
    args += ["-f", "s16le", "-y", ffmpeg.file_url(samples), *cut.beside(0)]
    ffmpeg.run(args, _TIMEOUT_S, f"reading the sound of {name}")
    return np.memmap(samples, np.int16, "r") if samples.stat().st_size else np.zeros(0, np.int16)


def loudness(
    samples: NDArray[np.int16] | NDArray[np.int32] | NDArray[np.floating],
    sample_rate: int,
    fps: Fraction,
    n_frames: int,
) -> NDArray[np.float64]:
    """Return the loudness of `n_frames` frames: 0 for silence (RANGE_DB below full scale) to 1 for full scale.

    `samples` is mono (m) or m x channels; whole numbers are shares of their type's range, floats of 1.
    Root mean square over the time that a frame is shown; frames after the end of the sound are silent. Raises
    ValueError for a rate that is not positive.
    """
    if sample_rate < 1 or fps <= 0:
        raise ValueError(f"{sample_rate} samples, {fps} frames a second: both must be positive")
    scale = {"int16": 32767.0, "int32": 2147483647.0}.get(samples.dtype.name, 1.0)
    ends = np.array([round(i * sample_rate / fps) for i in range(n_frames + 1)], np.int64).clip(0, len(samples))
    levels = np.zeros(n_frames)
    for i, (start, stop) in enumerate(pairwise(ends.tolist())):
        if start < stop:
            levels[i] = np.sqrt(np.square(samples[start:stop].astype(np.float64) / scale).mean())
    decibels = 20 * np.log10(np.maximum(levels, 1e-9))
    return np.asarray(np.clip(1 + decibels / RANGE_DB, 0, 1), np.float64)
