"""A voice for a performance: syllables that follow the jaw, after one click at a known time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lp_ray.acting.curves import ONSET_S, Curves

CLICK_S = 0.004
CLICK_HZ = 3000.0
"""The click: a decaying tone, full strength at its first half wave."""
PITCH_HZ = 135.0
HARMONICS = 14
BLOCK = 1 << 16


def sound_track(curves: Curves, sample_rate: int = 48000) -> NDArray[np.int16]:
    """Return the mono sound of a performance, round(frames / fps * sample_rate) samples.

    It is silent until `ONSET_S` seconds (0.2). A click begins exactly at that sample, the moment at which the face
    starts to move, so that sound and picture can be compared. From then on, a vowel sounds while the jaw is open,
    louder and brighter the wider it is. Shorter clips are silent.
    """
    n = round(len(curves) * curves.fps.denominator * sample_rate / curves.fps.numerator)
    sound = np.concatenate([_voice(curves, a, min(a + BLOCK, n), sample_rate) for a in range(0, n, BLOCK)])
    first = round(ONSET_S * sample_rate)
    sound[:first] = 0
    click = _click(sample_rate)[: max(n - first, 0)]
    sound[first : first + len(click)] += click
    samples: NDArray[np.int16] = np.clip(np.rint(sound * 32767), -32767, 32767).astype(np.int16)
    return samples


def _voice(curves: Curves, start: int, stop: int, sample_rate: int) -> NDArray[np.float64]:
    """Samples [start, stop): harmonics of a wavering pitch, weighted by one formant that rises with the jaw."""
    seconds = np.arange(start, stop) / sample_rate
    jaw = np.interp(seconds * float(curves.fps), np.arange(len(curves)), curves.jaw)
    phase = 2 * np.pi * PITCH_HZ * seconds + 3.0 * np.sin(2 * np.pi * 0.7 * seconds)
    formant = 320.0 + 480.0 * jaw
    sound = np.zeros(stop - start)
    for k in range(1, HARMONICS + 1):
        weight = np.exp(-(((k * PITCH_HZ - formant) / 260.0) ** 2)) + 0.25 / k
        sound += weight * np.sin(k * phase)
    return 0.14 * np.sqrt(np.clip(jaw, 0, 1)) * sound


def _click(sample_rate: int) -> NDArray[np.float64]:
    seconds = np.arange(max(round(CLICK_S * sample_rate), 1)) / sample_rate
    click: NDArray[np.float64] = 0.9 * np.exp(-seconds / (CLICK_S / 4)) * np.cos(2 * np.pi * CLICK_HZ * seconds)
    return click
