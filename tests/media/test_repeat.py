"""Sound is repeated with its pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lp_ray.media.repeat import CHANNELS, SAMPLE_RATE, Repeat, repeat_sound, samples_needed
from lp_ray.motion.rates import LengthPolicy, drive_video

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize("policy", ["loop", "ping-pong"])
@pytest.mark.parametrize("frames", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("fps", [Fraction(25), NTSC, Fraction(7, 3)], ids=str)
def test_every_frame_sounds_as_it_does_in_the_driving(
    policy: LengthPolicy, frames: int, fps: Fraction, tmp_path: Path
) -> None:
    """Samples carry their place in the driving: output frame k sounds as the frame that it shows, and runs its way."""
    n = samples_needed(frames, fps)
    place = np.arange(n) * fps.numerator / (SAMPLE_RATE * fps.denominator)  # in frames
    coded = np.stack([np.floor(place), np.round((place % 1) * 1000)], 1).astype(np.int16)
    once, again = tmp_path / "once", tmp_path / "again"
    coded.tofile(once)
    n_frames = 4 * frames + 3
    repeat_sound(once, again, Repeat(frames, back=policy == "ping-pong"), n_frames, fps)
    heard = np.fromfile(again, np.int16).reshape(-1, CHANNELS)
    assert abs(len(heard) - n_frames / fps * SAMPLE_RATE) <= 0.5
    shown = drive_video(n_frames, np.arange(frames), policy).driving
    middles = [round((k + Fraction(1, 2)) / fps * SAMPLE_RATE) for k in range(n_frames)]
    np.testing.assert_array_equal(heard[middles, 0], shown)
    assert np.abs(heard[middles, 1].astype(int) - 500).max() <= 5
    for k in range(n_frames):
        early = heard[round((k + Fraction(1, 4)) / fps * SAMPLE_RATE), 1]
        on_the_way_back = policy == "ping-pong" and frames > 1 and k % (2 * frames - 2) >= frames
        assert (early > 500) == on_the_way_back


def test_pictures_begin_again_unless_they_run_back() -> None:
    assert list(Repeat(3).passes(7)) == [(0, 3, False), (0, 3, False), (0, 1, False)]
    assert list(Repeat(3, back=True).passes(7)) == [(0, 3, False), (1, 1, True), (0, 3, False)]


def test_a_long_sound_is_copied_in_blocks(tmp_path: Path) -> None:
    """Six seconds are more than one block, forwards and backwards."""
    fps, frames = Fraction(25), 200
    samples = np.arange(2 * samples_needed(frames, fps), dtype=np.int64).astype(np.int16)
    samples.tofile(tmp_path / "once")
    repeat_sound(tmp_path / "once", tmp_path / "again", Repeat(frames, back=True), 2 * frames - 2, fps)
    heard = np.fromfile(tmp_path / "again", np.int16).reshape(-1, 2)
    whole = samples.reshape(-1, 2)
    per_frame = SAMPLE_RATE // 25
    np.testing.assert_array_equal(heard[: frames * per_frame], whole[: frames * per_frame])
    np.testing.assert_array_equal(heard[frames * per_frame :], whole[per_frame : (frames - 1) * per_frame][::-1])
