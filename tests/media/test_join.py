"""Segments joined: every frame, the exact rate, and sound in its place."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lp_ray.base.errors import EngineOutputError, InputError
from lp_ray.media import ffmpeg
from lp_ray.media.decode import frames
from lp_ray.media.encode import encode_segment
from lp_ray.media.facts import video_facts
from lp_ray.media.join import AudioCut, join_segments
from lp_ray.media.probe import probe_video
from lp_ray.media.repeat import Repeat

from .cards import LIMITS, RATES, card, make_clip, numbers, remake

CLICK_S = 1.5


def _segments(folder: Path, fps: Fraction, lengths: tuple[int, ...]) -> list[Path]:
    edges = np.cumsum((0, *lengths))
    return [make_clip(folder / f"it's {i} #%d.mp4", fps, range(edges[i], edges[i + 1])) for i in range(len(lengths))]


@pytest.mark.parametrize("fps", RATES, ids=str)
def test_joined_segments_keep_every_frame_and_the_exact_rate(fps: Fraction, tmp_path: Path) -> None:
    output = tmp_path / "joined.mp4"
    facts = join_segments(_segments(tmp_path, fps, (37, 37, 1, 30)), output, fps, 105)
    assert (facts.n_frames, facts.fps, facts.width, facts.height) == (105, fps, 80, 48)
    assert (facts.has_audio, facts.bytes) == (False, output.stat().st_size)
    assert facts == video_facts(output)
    assert probe_video(output, LIMITS).constant_rate
    assert numbers(output) == list(range(105))
    content = output.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_a_joined_video_says_what_it_is_and_shows_the_same(tmp_path: Path) -> None:
    """As another library reads it; pictures, rate and the place of the index are those of a video that says nothing."""
    segments, fps = _segments(tmp_path, Fraction(25), (10, 5)), Fraction(25)
    plain, said, again = (tmp_path / f"{name}.mp4" for name in ("plain", "said", "again"))
    before = join_segments(segments, plain, fps, 15)
    facts = join_segments(segments, said, fps, 15, origin="trainedAlgorithmicMedia")
    join_segments(segments, again, fps, 15, origin="trainedAlgorithmicMedia")
    with av.open(str(said)) as video:
        assert video.metadata["DigitalSourceType"] == (
            "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
        )
        assert "Synthetic" in video.metadata["comment"]
    assert said.read_bytes() == again.read_bytes()
    assert (facts.n_frames, facts.fps, facts.width) == (before.n_frames, before.fps, before.width)
    assert numbers(said) == numbers(plain) == list(range(15))
    assert said.read_bytes().index(b"moov") < said.read_bytes().index(b"mdat")


@pytest.mark.parametrize("start_s", [0.0, 0.7])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_sound_keeps_its_place_within_20_ms(suffix: str, start_s: float, tmp_path: Path) -> None:
    """A click at 1.5 s of the driving sounds 1.5 s after the driving's first picture, less the cut."""
    driving = _with_click(tmp_path, suffix)
    fps = Fraction(30000, 1001)
    output = tmp_path / "joined.mp4"
    facts = join_segments(_segments(tmp_path, fps, (30, 30)), output, fps, 60, AudioCut(driving, start_s))
    assert facts.has_audio
    assert abs(_onset(output) - (CLICK_S - start_s)) < 0.020
    assert (facts.n_frames, facts.fps) == (60, fps)


def test_a_late_start_of_the_sound_stays_late(tmp_path: Path) -> None:
    """Sound that begins 0.4 s after the first picture of its file."""
    driving = _with_click(tmp_path, ".mkv", offset_s=0.4)
    fps = Fraction(25)
    output = tmp_path / "joined.mp4"
    join_segments(_segments(tmp_path, fps, (75,)), output, fps, 75, AudioCut(driving))
    assert abs(_onset(output) - (CLICK_S + 0.4)) < 0.020


@pytest.mark.parametrize(("back", "clicks"), [(False, [1.5, 4.5, 7.5]), (True, [1.5, 4.45, 7.42])])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_sound_of_a_driving_goes_again_with_its_pictures(
    suffix: str, back: bool, clicks: list[float], tmp_path: Path
) -> None:
    """A click at 1.5 s of 3 s: in each pass, on the way back in its place seen from the end."""
    driving, fps = _with_click(tmp_path, suffix), Fraction(25)
    output = tmp_path / "joined.mp4"
    sound = AudioCut(driving, 0.0, 3.003, Repeat(75, back))
    facts = join_segments(_segments(tmp_path, fps, (100, 125)), output, fps, 225, sound)
    assert facts.has_audio and facts.n_frames == 225
    heard = _onsets(output)
    assert len(heard) == 3 and np.abs(np.array(heard) - clicks).max() < 0.020


def test_a_driving_as_long_as_the_pictures_is_heard_once(tmp_path: Path) -> None:
    driving, fps = _with_click(tmp_path, ".mp4"), Fraction(25)
    output = tmp_path / "joined.mp4"
    join_segments(_segments(tmp_path, fps, (75,)), output, fps, 75, AudioCut(driving, 0.0, 3.0, Repeat(75)))
    assert len(_onsets(output)) == 1 and abs(_onset(output) - CLICK_S) < 0.020


def test_a_driving_without_sound_gives_a_video_without_sound(tmp_path: Path) -> None:
    segments = _segments(tmp_path, Fraction(25), (5,))
    assert not join_segments(segments, tmp_path / "o.mp4", Fraction(25), 5, AudioCut(segments[0])).has_audio


def test_a_wrong_count_or_rate_is_caught_and_leaves_no_file(tmp_path: Path) -> None:
    segments = _segments(tmp_path, Fraction(25), (5, 5))
    output = tmp_path / "o.mp4"
    for fps, n_frames in ((Fraction(25), 11), (Fraction(24), 10)):
        with pytest.raises(EngineOutputError, match="10 frames at 25"):
            join_segments(segments, output, fps, n_frames)
        assert not output.exists()
    segments[1].write_bytes(b"damaged")
    with pytest.raises(InputError):
        join_segments(segments, output, Fraction(25), 10)
    assert not output.exists()


def test_odd_sides_lose_a_row_and_a_column_and_colours_stay(tmp_path: Path) -> None:
    path = tmp_path / "odd.mp4"
    colour = np.zeros((49, 81, 3), np.uint8)
    colour[:] = (200, 60, 30)
    assert encode_segment(path, np.stack([colour] * 3), Fraction(25), 10, "veryfast") == 3
    clip = probe_video(path, LIMITS)
    assert (clip.width, clip.height) == (80, 48)
    log = _banner(path)
    assert "yuv420p(tv, bt709" in log
    for picture in frames(path, clip, LIMITS):
        assert np.abs(picture.astype(int) - (200, 60, 30)).max() <= 3


def test_wrong_frames_and_an_unwritable_place_leave_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    with pytest.raises(ValueError, match="no frames"):
        encode_segment(path, [], Fraction(25), 18, "veryfast")
    with pytest.raises(ValueError, match="expected uint8 like"):
        encode_segment(path, [card(1), card(2)[:20]], Fraction(25), 18, "veryfast")
    assert not path.exists()
    with pytest.raises(InputError, match="No such file"):
        encode_segment(tmp_path / "no" / "x.mp4", [card(1)] * 50, Fraction(25), 18, "veryfast")


def _with_click(folder: Path, suffix: str, offset_s: float = 0.0) -> Path:
    """A clip of 3 s whose sound is silent but for a click at 1.5 s of the sound."""
    cards = make_clip(folder / "cards.mp4", Fraction(30000, 1001), range(90))
    click = f"aevalsrc='if(between(t,{CLICK_S},{CLICK_S + 0.01}),0.9*sin(2000*PI*t),0)':s=48000:d=3"
    sound = ("-f", "lavfi", "-itsoffset", str(offset_s), "-i", click)
    return remake(
        cards, folder / f"driving{suffix}", "-map", "1:v", "-map", "0:a", "-c:v", "copy", "-c:a", "aac", before=sound
    )


def _onset(path: Path) -> float:
    """Seconds from the start of the file to the first loud sample."""
    return _onsets(path)[0]


def _onsets(path: Path) -> list[float]:
    """Seconds from the start of the file to each loud sample after half a second without one."""
    command = [ffmpeg.executable(), "-loglevel", "error", "-i", str(path), "-af", "aresample=async=1:first_pts=0"]
    raw = subprocess.run([*command, "-f", "f32le", "-ac", "1", "-ar", "48000", "-"], capture_output=True, check=True)
    samples = np.abs(np.frombuffer(raw.stdout, np.float32))
    loud = np.flatnonzero(samples > 0.3)
    return [float(at) / 48000 for at in loud[np.diff(loud, prepend=-48000) > 24000]]


def _banner(path: Path) -> str:
    done = subprocess.run([ffmpeg.executable(), "-i", str(path)], capture_output=True, check=False, text=True)
    return done.stderr
