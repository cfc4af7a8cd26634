"""The loudness of generated sounds whose correct value is known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from lp_ray.media.loudness import loudness

RATE = 48000
FPS = Fraction(30000, 1001)


def test_tones_of_known_strength() -> None:
    """Full scale is 1, 50 dB below it 0, in between by decibels; a sine is 3 dB below its peak."""
    t = np.arange(RATE) / RATE
    for gain, expected in ((1.0, 1 - 3.01 / 50), (0.1, 1 - 23.01 / 50), (10 ** (-60 / 20), 0.0)):
        levels = loudness(gain * np.sin(2 * np.pi * 600 * t), RATE, FPS, 29)
        np.testing.assert_allclose(levels, expected, atol=0.01)
    square = np.where(np.sin(2 * np.pi * 600 * t) >= 0, 32767, -32767).astype(np.int16)
    np.testing.assert_allclose(loudness(square, RATE, FPS, 29), 1, atol=1e-6)


def test_every_sample_belongs_to_the_frame_that_is_shown_with_it() -> None:
    """Frame i covers [i, i + 1) / fps, also at 29.97; silence before and after; frames beyond the sound are silent."""
    sound = np.zeros(10 * RATE, np.float32)
    first, last = round(200 * RATE / FPS), round(210 * RATE / FPS)
    sound[first:last] = 0.5
    levels = loudness(sound, RATE, FPS, 320)
    assert np.flatnonzero(levels).tolist() == list(range(200, 210))
    assert len(levels) == 320 and not levels[300:].any()


def test_channels_count_together_and_integers_by_their_range() -> None:
    mono = np.full(RATE, 16384, np.int16)
    stereo = np.stack([mono, mono], 1)
    expected = loudness(mono, RATE, Fraction(25), 25)
    np.testing.assert_allclose(loudness(stereo, RATE, Fraction(25), 25), expected)
    np.testing.assert_allclose(loudness(mono.astype(np.int32) << 16, RATE, Fraction(25), 25), expected, atol=1e-3)


def test_rates_must_be_positive() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        loudness(np.zeros(5), 0, FPS, 1)
