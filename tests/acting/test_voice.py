"""The voice clicks on the sample, follows the jaw, and fits its clip."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from lp_ray.acting import ONSET_S, curves, sound_track


@pytest.mark.parametrize("sample_rate", [16000, 44100, 48000])
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
def test_silence_then_a_click_on_the_very_sample(sample_rate: int, fps: Fraction) -> None:
    sound = sound_track(curves("talk", 75, fps), sample_rate)
    first = round(ONSET_S * sample_rate)
    assert sound.dtype == np.int16
    assert sound.ndim == 1
    assert len(sound) == round(75 / fps * sample_rate)
    assert not sound[:first].any()
    assert abs(int(sound[first])) > 25000


def test_loudness_follows_the_jaw() -> None:
    asked = curves("talk", 250, Fraction(25))
    sound = sound_track(asked).astype(float)
    per_frame = sound[: 250 * 1920].reshape(250, 1920)
    loudness = np.sqrt((per_frame**2).mean(1))
    jaw = np.interp(np.arange(250) + 0.5, np.arange(250), asked.jaw)
    voiced = np.arange(250) > 6
    assert np.corrcoef(loudness[voiced], jaw[voiced])[0, 1] > 0.9
    silent = voiced & (asked.jaw == 0) & (np.roll(asked.jaw, -1) == 0)
    assert loudness[silent].max() < 0.02 * loudness.max()


def test_the_voice_has_no_seams_and_does_not_clip() -> None:
    """Blocks of synthesis join: no sample jumps further than the loudest harmonic allows."""
    sound = sound_track(curves("talk", 250, Fraction(25))).astype(int)[round((ONSET_S + 0.01) * 48000) :]
    assert np.abs(sound).max() < 32000
    assert np.abs(np.diff(sound)).max() < 6000


def test_a_clip_shorter_than_the_onset_is_silent() -> None:
    assert not sound_track(curves("talk", 3, Fraction(25))).any()
