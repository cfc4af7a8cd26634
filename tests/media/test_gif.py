"""Videos as GIFs: every frame, the true length, for ever."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from lp_ray.base.errors import EngineOutputError, InputError
from lp_ray.media.facts import VideoFacts
from lp_ray.media.gif import make_gif, read_gif
from lp_ray.media.probe import probe_video

from .cards import LIMITS, make_clip, number_of, numbers

RATES = ["24000/1001", "12", "25", "30000/1001", "30", "50"]


def _shown(path: Path) -> list[tuple[int, int]]:
    """(card number, delay in milliseconds) of each frame, by another reader than the one under test."""
    found = []
    with PIL.Image.open(path) as picture:
        for k in range(picture.n_frames):
            picture.seek(k)
            found.append((number_of(np.asarray(picture.convert("RGB"))), picture.info["duration"]))
    return found


@pytest.mark.parametrize("fps", RATES)
def test_every_frame_comes_once_at_its_time(fps: str, tmp_path: Path) -> None:
    rate = Fraction(fps)
    video = make_clip(tmp_path / "video.mp4", rate, range(101))
    output = tmp_path / "video.gif"
    facts = make_gif(video, output, rate)
    frames = _shown(output)
    assert [number for number, _ in frames] == list(range(101))
    starts = np.cumsum([0, *(delay for _, delay in frames)]) / 1000
    assert np.abs(starts[:101] - np.arange(101) / float(rate)).max() <= 0.005 + 1e-9
    assert abs(starts[-1] - 101 / rate) <= 0.01
    digest = hashlib.sha256(output.read_bytes()).hexdigest()
    assert facts == VideoFacts(101, 80, 48, output.stat().st_size, digest, rate, float(starts[-1]), False)


@pytest.mark.parametrize("fps", ["60", "60000/1001", "120"])
def test_faster_videos_come_at_fifty_with_their_length(fps: str, tmp_path: Path) -> None:
    rate = Fraction(fps)
    video = make_clip(tmp_path / "video.mp4", rate, range(241))
    facts = make_gif(video, tmp_path / "video.gif", rate)
    frames = _shown(tmp_path / "video.gif")
    assert {delay for _, delay in frames} == {20}
    assert (facts.fps, facts.n_frames) == (50, len(frames))
    assert abs(facts.duration_s - 241 / rate) <= 0.01
    for k, (number, _) in enumerate(frames):
        assert abs(number / rate - Fraction(k, 50)) <= 1 / rate


def test_it_loops_for_ever_and_reads_back_as_a_driving(tmp_path: Path) -> None:
    video = make_clip(tmp_path / "video.mp4", Fraction(30000, 1001), range(40))
    make_gif(video, tmp_path / "video.gif", Fraction(30000, 1001))
    with PIL.Image.open(tmp_path / "video.gif") as picture:
        assert picture.info["loop"] == 0
    assert probe_video(tmp_path / "video.gif", LIMITS).n_frames == 40
    assert numbers(tmp_path / "video.gif") == list(range(40))


def test_the_longest_side_shrinks_and_odd_sides_are_fine(tmp_path: Path) -> None:
    video = make_clip(tmp_path / "video.mp4", Fraction(25), range(5), 160, 96)
    facts = make_gif(video, tmp_path / "video.gif", Fraction(25), max_dim=101)
    assert (facts.width, facts.height) == (101, 61)
    assert [number for number, _ in _shown(tmp_path / "video.gif")] == list(range(5))


@pytest.mark.parametrize("n", [1, 2])
def test_short_videos(n: int, tmp_path: Path) -> None:
    video = make_clip(tmp_path / "video.mp4", Fraction(25), range(n))
    facts = make_gif(video, tmp_path / "video.gif", Fraction(25))
    assert (facts.n_frames, facts.duration_s) == (n, n / 25)
    assert read_gif(tmp_path / "video.gif").delays == (4,) * n


def test_a_wrong_rate_or_a_broken_video_leaves_no_file(tmp_path: Path) -> None:
    video = make_clip(tmp_path / "video.mp4", Fraction(25), range(25))
    output = tmp_path / "video.gif"
    with pytest.raises(EngineOutputError, match=r"25 frames of 80 x 48 pixels in 1 s; .* in 2\.5 s"):
        make_gif(video, output, Fraction(10))
    assert not output.exists()
    video.write_bytes(video.read_bytes()[:600])
    with pytest.raises(InputError):
        make_gif(video, output, Fraction(25))
    assert not output.exists()


def test_a_gif_cut_short_is_noticed(tmp_path: Path) -> None:
    video = make_clip(tmp_path / "video.mp4", Fraction(25), range(5))
    make_gif(video, tmp_path / "video.gif", Fraction(25))
    whole = (tmp_path / "video.gif").read_bytes()
    for n in (5, 500, len(whole) - 1):
        (tmp_path / "short.gif").write_bytes(whole[:n])
        with pytest.raises(EngineOutputError, match="ends early"):
            read_gif(tmp_path / "short.gif")
    (tmp_path / "other.gif").write_bytes(video.read_bytes())
    with pytest.raises(EngineOutputError, match="no GIF"):
        read_gif(tmp_path / "other.gif")
