"""Repeat the sound of a driving that is shorter than its source video, as its pictures are repeated.

File format: raw signed 16-bit little-endian samples, 48,000 per second, two channels. It is kept on disk because an
hour takes 691 MB.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 48_000
CHANNELS = 2
RAW = ("-f", "s16le", "-ar", str(SAMPLE_RATE), "-ac", str(CHANNELS))
"""ffmpeg options that describe such a file."""

_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class Repeat:
    """Pictures that start again after `frames` of them. With `back`, they first run backwards to the first one."""

    frames: int
    back: bool = False

    def passes(self, n_frames: int) -> Iterator[tuple[int, int, bool]]:
        """Yield the passes that make `n_frames` pictures: first frame, count, and whether the pass runs backwards.

        A backward pass leaves out both end frames, because the passes before and after it show them.
        """
        shown, backwards = 0, False
        while shown < n_frames:
            first, count = (self.frames - 2, self.frames - 2) if backwards else (0, self.frames)
            count = min(count, n_frames - shown)
            if count > 0:
                yield first, count, backwards
            shown += max(count, 0)
            backwards = self.back and not backwards


def samples_needed(frames: int, fps: Fraction) -> int:
    """Return how many samples of a driving's sound `repeat_sound` reads for `frames` pictures."""
    return math.ceil(frames / fps * SAMPLE_RATE) + 1


def repeat_sound(once: Path, output: Path, repeat: Repeat, n_frames: int, fps: Fraction) -> None:
    """Write the sound of `n_frames` pictures at `fps`, made from the sound of one pass over the driving.

    `once` holds `samples_needed` samples. Each frame has the same sound as in the driving, backwards where the pictures
    run backwards, so lips and sound stay together. Rounding errors do not add up, however often the sound is repeated.
    """
    source = np.memmap(once, np.int16, "r").reshape(-1, CHANNELS)
    shown = 0
    with output.open("wb") as sink:
        for first, count, backwards in repeat.passes(n_frames):
            length = _sample(shown + count, fps) - _sample(shown, fps)
            start = _sample(first + 1, fps) - length if backwards else _sample(first, fps)
            _copy(source, sink, start, length, backwards)
            shown += count


def _copy(source: NDArray[np.int16], sink: BinaryIO, start: int, length: int, backwards: bool) -> None:
    for done in range(0, length, _AT_ONCE):
        n = min(_AT_ONCE, length - done)
        if backwards:
            block = source[start + length - done - n : start + length - done][::-1]
        else:
            block = source[start + done : start + done + n]
        sink.write(np.ascontiguousarray(block).tobytes())


def _sample(frame: int, fps: Fraction) -> int:
    """Return the sample at which a frame begins."""
    return round(frame / fps * SAMPLE_RATE)
