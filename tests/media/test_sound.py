"""Sound and picture stay together: flashes and clicks made by code, measured in the finished video."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray.base.errors import UnsupportedError
from lp_ray.media import ffmpeg
from lp_ray.media.clip import open_clip
from lp_ray.media.encode import encode_segment
from lp_ray.media.join import AudioCut, join_segments
from lp_ray.media.probe import probe_video
from lp_ray.media.sound import add_sound

from .cards import LIMITS, make_clip, numbers, remake
from .tones import make_tones, pitch_of

CHUNK = 32
RATE = 48000
NTSC = Fraction(30000, 1001)


def _flash_frames(fps: Fraction, n: int) -> list[int]:
    """The first frame at or after each whole second, from 1 s on."""
    return [k for s in range(1, n) if (k := -(-s * fps.numerator // fps.denominator)) < n]


def _film(path: Path, fps: Fraction, n: int, delay_s: float = 0.0) -> Path:
    """A clip whose picture flashes and whose sound clicks in the same moments, `delay_s` later if asked."""
    flashes = set(_flash_frames(fps, n))
    pictures = (np.full((48, 64, 3), 235 if k in flashes else 20, np.uint8) for k in range(n))
    silent = path.with_suffix(".silent.mp4")
    encode_segment(silent, pictures, fps, 18, "veryfast")
    sound = np.zeros(round(n / fps * RATE), np.int16)
    for k in flashes:
        start = round((k / fps + Fraction(delay_s)) * RATE)
        sound[start : start + RATE // 100] = (30000 * np.sin(np.arange(RATE // 100) * 0.4)).astype(np.int16)[
            : max(0, len(sound) - start)
        ]
    add_sound(silent, sound, RATE, path)
    return path


def _flash_times(path: Path) -> NDArray[np.float64]:
    clip = open_clip(path, LIMITS)
    bright = np.array([picture.mean() > 128 for picture in clip.frames()])
    return np.flatnonzero(bright & ~np.roll(bright, 1)) / float(clip.fps)


def _sound(path: Path) -> NDArray[np.float32]:
    """Loudness of the first track, mono at 48 kHz, from the file's time 0 on."""
    command = [ffmpeg.executable(), "-loglevel", "error", "-i", str(path), "-map", "0:a:0"]
    command += ["-af", "aresample=async=1:first_pts=0", "-f", "f32le", "-ac", "1", "-ar", str(RATE), "-"]
    return np.abs(np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32))


def _click_times(path: Path) -> NDArray[np.float64]:
    loud = np.flatnonzero(_sound(path) > 0.3)
    return loud[np.diff(loud, prepend=-RATE) > RATE // 10] / RATE


def _made(driving: Path, output: Path, audio: AudioCut, start_s: float | None = None) -> Path:
    """Chunks of 32 frames of a driving, encoded and joined with sound, as the job does."""
    clip = open_clip(driving, LIMITS, start_s)
    segments = []
    for first in range(0, clip.n_frames, CHUNK):
        segments.append(output.with_name(f"{output.stem}-{first:06d}.mp4"))
        encode_segment(segments[-1], clip.frames(first, min(CHUNK, clip.n_frames - first)), clip.fps, 23, "ultrafast")
    facts = join_segments(segments, output, clip.fps, clip.n_frames, audio)
    assert facts.has_audio
    return output


def test_a_minute_at_29_97_does_not_drift(tmp_path: Path) -> None:
    """Every flash and its click lie within a quarter of a frame, the last like the first."""
    driving = _film(tmp_path / "driving.mp4", NTSC, 1801)
    output = _made(driving, tmp_path / "output.mp4", AudioCut(driving))
    flashes, clicks = _flash_times(output), _click_times(output)
    assert len(flashes) == len(clicks) == 60
    late = clicks - flashes
    frame_s = float(1 / NTSC)
    assert np.abs(late).max() < frame_s / 4
    assert abs(late[-1] - late[0]) < frame_s / 4


@pytest.mark.parametrize("fps", ["24000/1001", "25", "60000/1001"])
def test_cuts_keep_sound_and_picture_together(fps: str, tmp_path: Path) -> None:
    driving = _film(tmp_path / "driving.mp4", Fraction(fps), round(8 * Fraction(fps)))
    output = _made(driving, tmp_path / "output.mp4", AudioCut(driving, 3.3), start_s=3.3)
    flashes, clicks = _flash_times(output), _click_times(output)
    assert len(flashes) == len(clicks) == 4
    # The first picture of the cut may come up to a frame after the cut, the sound begins with the cut.
    assert np.abs(clicks - flashes).max() < 1 / Fraction(fps) + Fraction(5, 1000)
    assert np.ptp(clicks - flashes) < 0.005


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_cut_far_into_the_file(suffix: str, tmp_path: Path) -> None:
    """Where the sound is sought, not read from the start."""
    film = remake(_film(tmp_path / "film.mp4", NTSC, 1000), tmp_path / f"again{suffix}", "-c", "copy")
    output = _made(film, tmp_path / "output.mp4", AudioCut(film, 28.4), start_s=28.4)
    flashes, clicks = _flash_times(output), _click_times(output)
    assert len(flashes) == len(clicks) == 5
    assert np.abs(clicks - flashes).max() < float(1 / NTSC) + 0.005


def test_sound_of_a_video_source_takes_the_driving_s_place(tmp_path: Path) -> None:
    """The output runs at the driving's rate; the sound keeps the source's own times."""
    driving = _film(tmp_path / "driving.mp4", Fraction(25), 150)
    source = _film(tmp_path / "source.mp4", NTSC, 180, delay_s=0.25)
    output = _made(driving, tmp_path / "output.mp4", AudioCut(source))
    expected = [k / float(NTSC) + 0.25 for k in _flash_frames(NTSC, 180)]
    clicks = _click_times(output)
    assert len(_flash_times(output)) == 5
    assert np.abs(clicks - expected).max() < 0.005


@pytest.mark.parametrize("sound_s", [0.2, 1.9])
def test_short_sound_does_not_shorten_the_picture(sound_s: float, tmp_path: Path) -> None:
    film = _film(tmp_path / "film.mp4", Fraction(25), 100)
    short = remake(film, tmp_path / "short.mp4", "-c:v", "copy", "-af", f"atrim=end={sound_s}", "-c:a", "aac")
    output = _made(short, tmp_path / "output.mp4", AudioCut(short))
    assert open_clip(output, LIMITS).n_frames == 100
    assert len(_flash_times(output)) == 3
    assert len(_click_times(output)) == (1 if sound_s > 1 else 0)


def test_long_sound_ends_with_the_picture(tmp_path: Path) -> None:
    film = _film(tmp_path / "film.mp4", Fraction(25), 100)
    long = remake(film, tmp_path / "long.mp4", "-c:v", "copy", "-af", "apad=whole_dur=9", "-c:a", "aac")
    output = _made(long, tmp_path / "output.mp4", AudioCut(long))
    assert abs(len(_sound(output)) / RATE - 4.0) < 0.03
    part = _made(long, tmp_path / "part.mp4", AudioCut(long, duration_s=1.5))
    assert abs(len(_sound(part)) / RATE - 1.5) < 0.03
    assert open_clip(part, LIMITS).n_frames == 100


def test_a_cut_behind_the_end_of_the_sound_has_none(tmp_path: Path) -> None:
    film = _film(tmp_path / "film.mp4", Fraction(25), 100)
    short = remake(film, tmp_path / "short.mp4", "-c:v", "copy", "-af", "atrim=end=1.5", "-c:a", "aac")
    segment = make_clip(tmp_path / "segment.mp4", Fraction(25), range(50))
    facts = join_segments([segment], tmp_path / "output.mp4", Fraction(25), 50, AudioCut(short, 2.0))
    assert (facts.n_frames, facts.duration_s, facts.has_audio) == (50, 2.0, False)


@pytest.mark.parametrize(
    "kept",
    [
        ("-c:a", "aac", "-ac", "1", "-ar", "8000"),
        ("-c:a", "pcm_s16le", "-ac", "1", "-ar", "8000"),
        ("-c:a", "libopus", "-ac", "1", "-ar", "8000"),
        ("-c:a", "aac", "-af", "aresample=96000,pan=5.1|c0=c0"),
    ],
    ids=["aac-8k", "pcm-8k", "opus-8k", "aac-96k-5.1"],
)
def test_unusual_sound_is_taken_along(kept: tuple[str, ...], tmp_path: Path) -> None:
    film = _film(tmp_path / "film.mp4", Fraction(25), 100)
    odd = remake(film, tmp_path / "odd.mkv", "-c:v", "copy", *kept)
    output = _made(odd, tmp_path / "output.mp4", AudioCut(odd))
    clicks, flashes = _click_times(output), _flash_times(output)
    assert len(clicks) == len(flashes) == 3
    assert np.abs(clicks - flashes).max() < 0.01


def test_of_several_tracks_the_first_sounds(tmp_path: Path) -> None:
    film = _film(tmp_path / "film.mp4", Fraction(25), 100)
    other = ("-f", "lavfi", "-i", "aevalsrc='0.9*sin(2000*PI*t)|0.9*sin(2000*PI*t)':s=48000:d=4")
    kept = ("-map", "1:v", "-map", "1:a", "-map", "0:a", "-c:v", "copy", "-c:a", "aac")
    several = remake(film, tmp_path / "several.mp4", *kept, before=other)
    output = _made(several, tmp_path / "output.mp4", AudioCut(several))
    assert np.abs(_click_times(output) - _flash_times(output)).max() < 0.005


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts"])
def test_sound_that_starts_late_stays_late(suffix: str, tmp_path: Path) -> None:
    film = _film(tmp_path / "film.mp4", Fraction(25), 100)
    before = ("-i", ffmpeg.file_url(film), "-itsoffset", "0.4")
    kept = ("-map", "0:v", "-map", "1:a", "-c", "copy")
    late = remake(film, tmp_path / f"late{suffix}", *kept, before=before)
    output = _made(late, tmp_path / "output.mp4", AudioCut(late))
    assert np.abs(_click_times(output) - _flash_times(output)[: len(_click_times(output))] - 0.4).max() < 0.02


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_hidden_beginning_is_hidden_from_the_sound_too(suffix: str, tmp_path: Path) -> None:
    """A phone's cut: packets before it stay in the file, an edit list hides them."""
    cards = make_clip(tmp_path / "cards.mp4", Fraction(25), range(100))
    sound = np.zeros(4 * RATE, np.int16)
    sound[2 * RATE : 2 * RATE + 500] = 30000
    add_sound(cards, sound, RATE, tmp_path / "film.mp4")
    cut = remake(tmp_path / "film.mp4", tmp_path / f"cut{suffix}", "-c", "copy", before=("-ss", "1.2"))
    assert numbers(cut) == list(range(30, 100))
    output = _made(cut, tmp_path / "output.mp4", AudioCut(cut))
    assert abs(_click_times(output)[0] - 0.8) < 0.005


@pytest.mark.parametrize("suffix", [".avi", ".ts", ".flv"])
def test_sound_of_other_containers(suffix: str, tmp_path: Path) -> None:
    film = _film(tmp_path / "film.mp4", Fraction(25), 100)
    codec = "mp3" if suffix == ".avi" else "aac"
    remade = remake(film, tmp_path / f"film{suffix}", "-c:v", "libx264", "-bf", "2", "-crf", "18", "-c:a", codec)
    output = _made(remade, tmp_path / "output.mp4", AudioCut(remade))
    clicks, flashes = _click_times(output), _flash_times(output)
    assert len(clicks) == len(flashes) == 3
    assert np.abs(clicks - flashes).max() < 0.04


def test_pictures_come_one_by_one_from_a_real_clip_with_sound(media: Path, tmp_path: Path) -> None:
    driving = media / "driving" / "d9.mp4"
    output = _made(driving, tmp_path / "output.mp4", AudioCut(driving))
    ours, theirs = _sound(output), _sound(driving)
    n = min(len(ours), len(theirs)) // 480 * 480
    loudness = [s[:n].reshape(-1, 480).mean(1) for s in (ours, theirs)]
    best = max(range(-20, 21), key=lambda lag: float(np.corrcoef(np.roll(loudness[0], lag), loudness[1])[0, 1]))
    assert abs(best) <= 1  # steps of 10 ms


def _with_sound_of(driving: Path, folder: Path, track: int | None) -> Path:
    output = folder / f"output-{track}.mp4"
    segment = make_clip(folder / "segment.mp4", Fraction(25), range(50))
    join_segments([segment], output, Fraction(25), 50, AudioCut(driving, track=track))
    return output


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
@pytest.mark.parametrize("default", [0, 1, 2])
def test_the_sound_track_that_a_player_takes(default: int, suffix: str, tmp_path: Path) -> None:
    """The one flagged default, or any that is asked for by its number."""
    film = make_tones(tmp_path / f"film{suffix}", default)
    tracks = probe_video(film, LIMITS).audio_tracks
    assert [(track.index, track.language) for track in tracks] == [(0, "eng"), (1, "ita"), (2, "fra")]
    assert [track.default for track in tracks] == [i == default for i in range(3)]
    assert abs(pitch_of(_with_sound_of(film, tmp_path, None)) - 300 * 2**default) < 10
    assert abs(pitch_of(_with_sound_of(film, tmp_path, 1)) - 600) < 10


def test_a_sound_track_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    film = make_tones(tmp_path / "film.mkv", 0, ("eng", "ita"))
    with pytest.raises(UnsupportedError, match=r"film\.mkv: there is no sound track 2; it has 2.*0: eng, 1: ita"):
        _with_sound_of(film, tmp_path, 2)


@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_sound_of_recordings_joined_with_cat_goes_on(suffix: str, tmp_path: Path) -> None:
    """In the second recording, whose times start again, clicks still meet their flashes."""
    coded = ("-c:v", "mpeg2video", "-q:v", "3", "-c:a", "mp2") if suffix == ".mpg" else ("-c", "copy")
    film = remake(_film(tmp_path / "film.mp4", Fraction(25), 125), tmp_path / f"part{suffix}", *coded)
    joined = tmp_path / f"joined{suffix}"
    joined.write_bytes(film.read_bytes() * 2)
    output = _made(joined, tmp_path / "output.mp4", AudioCut(joined))
    flashes, clicks = _flash_times(output), _click_times(output)
    assert len(flashes) == len(clicks) == 8
    assert np.abs(clicks[:4] - flashes[:4]).max() < 0.02
    assert np.abs(clicks - flashes).max() < 0.1


def test_sound_before_time_0_of_a_matroska_is_hidden_like_its_pictures(tmp_path: Path) -> None:
    film = _film(tmp_path / "film.mp4", Fraction(25), 150)
    whole = remake(film, tmp_path / "whole.mkv", "-c:v", "libx264", "-g", "50", "-bf", "2", "-c:a", "copy")
    options = ("-c", "copy", "-avoid_negative_ts", "disabled")
    cut = remake(whole, tmp_path / "cut.mkv", *options, before=("-ss", "1.5"))
    output = _made(cut, tmp_path / "output.mp4", AudioCut(cut))
    flashes, clicks = _flash_times(output), _click_times(output)
    assert len(flashes) == len(clicks) == 4
    assert abs(flashes[0] - 0.5) < 0.05
    assert np.abs(clicks - flashes).max() < 0.03
