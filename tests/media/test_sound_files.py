"""Sound files beside performances: each format keeps its time, and what is no sound is refused by what it is."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lp_ray.base.errors import InputError, UnreadableMediaError, UnsupportedError
from lp_ray.base.limits import Limits
from lp_ray.contract.media_kinds import SOUND_SUFFIXES
from lp_ray.media import ffmpeg
from lp_ray.media.join import AudioCut, join_segments
from lp_ray.media.loudness import levels_of_sound
from lp_ray.media.repeat import Repeat
from lp_ray.media.sound_files import check_sound, open_sound

from .cards import make_clip
from .test_sound import RATE, _click_times
from .tones import make_tones

FPS = Fraction(25)


def make_wav(path: Path, samples: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def clicks(seconds: float, every_s: float = 1.0) -> np.ndarray:
    """A click of 10 ms at each second but the first."""
    samples = np.zeros(round(seconds * RATE), np.int16)
    tone = (30000 * np.sin(np.arange(RATE // 100) * 0.4)).astype(np.int16)
    for start in range(round(every_s * RATE), len(samples) - len(tone), round(every_s * RATE)):
        samples[start : start + len(tone)] = tone
    return samples


def made_as(path: Path, source: Path) -> Path:
    ffmpeg.run(["-i", ffmpeg.file_url(source), "-y", ffmpeg.file_url(path)], 60, "a sound file")
    return path


@pytest.fixture(scope="module")
def clicking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wav(tmp_path_factory.mktemp("clicks") / "clicks.wav", clicks(4))


@pytest.mark.parametrize("suffix", SOUND_SUFFIXES)
def test_every_format_keeps_its_time(suffix: str, clicking: Path, tmp_path: Path) -> None:
    """A click lies where it lay in the file, whatever the encoder put before it, also in a cut."""
    sound = clicking if suffix == ".wav" else made_as(tmp_path / f"sound{suffix}", clicking)
    segment = make_clip(tmp_path / "pictures.mp4", FPS, range(100))
    for start_s, expected in ((0.0, [1, 2, 3]), (0.5, [0.5, 1.5, 2.5])):
        output = tmp_path / "output.mp4"
        facts = join_segments([segment], output, FPS, 100, AudioCut(sound, start_s, 4 - start_s, alone=True))
        assert facts.has_audio and facts.n_frames == 100
        np.testing.assert_allclose(_click_times(output)[:3], expected, atol=0.012)


def test_a_sound_is_repeated_as_the_pictures_are(clicking: Path, tmp_path: Path) -> None:
    segment = make_clip(tmp_path / "pictures.mp4", FPS, range(100))
    cut = AudioCut(clicking, 0.0, 1.2, Repeat(30), alone=True)
    join_segments([segment], tmp_path / "output.mp4", FPS, 100, cut)
    np.testing.assert_allclose(_click_times(tmp_path / "output.mp4"), [1.0, 2.2, 3.4], atol=0.012)


def test_loudness_by_frames(clicking: Path, tmp_path: Path) -> None:
    loud = levels_of_sound(clicking, FPS, 60, tmp_path)
    assert len(loud) == 100 and np.flatnonzero(loud > 0.5).tolist() == [25, 50, 75]
    assert len(levels_of_sound(clicking, FPS, 1.5, tmp_path)) == 38
    with pytest.raises(UnreadableMediaError, match="shorter than a frame"):
        levels_of_sound(make_wav(tmp_path / "tick.wav", np.ones(400)), FPS, 60, tmp_path)


def test_the_content_decides_and_pictures_are_no_matter(clicking: Path, tmp_path: Path) -> None:
    """A WAV that is called .mp3 is read; so is the sound of a film that is called .m4a, with all its tracks."""
    renamed = tmp_path / "voice.mp3"
    renamed.write_bytes(clicking.read_bytes())
    assert open_sound(renamed).demuxer == "wav"
    tones = make_tones(tmp_path / "tones.m4a.mp4", default=1)
    film = tones.rename(tmp_path / "tones.m4a")
    opened = open_sound(film)
    assert (opened.demuxer, len(opened.tracks)) == ("mov", 3)
    with pytest.raises(UnsupportedError, match=r"tones\.m4a: there is no sound track 3; it has 3"):
        opened.cut(0, 1, 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"%PDF-1.7\n", "not a sound file .*it looks like a PDF document"),
        (b"<!doctype html><p>Not found", "it looks like a web page"),
        (b"fLaC" + bytes(200), "holds no sound that can be decoded"),
        (b"OggS" + bytes(200), "holds no sound that can be decoded"),
        (b"\xff\xfb" + bytes(200), "holds no sound that can be decoded"),
        (b"\xff\xf1" + bytes(200), "not a sound file"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(100), "not a sound file .*an HEIC picture"),
    ],
)
def test_what_is_no_sound_is_said_with_a_remedy(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "nod.wav"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"the sound beside the table, s3://b/nod.wav: .*{reason}.*mend it, or take"):
        check_sound(path, Limits(), "s3://b/nod.wav")


def test_a_sound_of_no_samples_and_a_film_without_sound_hold_none(tmp_path: Path) -> None:
    empty = make_wav(tmp_path / "empty.wav", np.zeros(0))
    mute = make_clip(tmp_path / "mute.mp4", FPS, range(5)).rename(tmp_path / "mute.m4a")
    for path in (empty, mute):
        with pytest.raises(UnreadableMediaError, match=rf"{path.name}: holds no sound that can be decoded"):
            open_sound(path)
