"""Files that are not what they seem, and time stamps that are not quite regular."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lp_ray.base.errors import InputTooLargeError, MissingInputError, TruncatedMediaError, UnreadableMediaError
from lp_ray.media.probe import probe_video
from lp_ray.media.sniff import is_video
from lp_ray.media.timing import cut, make_timeline
from tests.generated import Generated

from .cards import LIMITS, make_clip, remake


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Four seconds at 25 frames per second."""
    return make_clip(tmp_path / "clip.mp4", Fraction(25), range(100))


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"", "empty"), (b"just text\n" * 100, "not a video"), (b"\x89PNG\r\n\x1a\n" + b"0" * 600, "not a video")],
)
def test_what_is_no_video_says_so(content: bytes, error: str, tmp_path: Path) -> None:
    path = tmp_path / "named.mp4"
    path.write_bytes(content)
    with pytest.raises(UnreadableMediaError, match=rf"named\.mp4: .*{error}"):
        probe_video(path, LIMITS)
    with pytest.raises(MissingInputError):
        probe_video(tmp_path / "nothing.mp4", LIMITS)


@pytest.mark.parametrize(
    "script",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {other}\n",
        '<?xml version="1.0"?><MPD><Period><BaseURL>{other}</BaseURL></Period></MPD>',
    ],
)
def test_playlists_and_scripts_are_never_read(script: str, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_text(script.format(other=clip))
    assert not is_video(path)
    with pytest.raises(UnreadableMediaError, match="not a video"):
        probe_video(path, LIMITS)


def test_another_container_behind_forged_first_bytes_is_refused(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "forged.mp4"
    path.write_bytes(b"GIF89a\n" + f"ffconcat version 1.0\nfile {clip}\n".encode() + bytes(600))
    with pytest.raises(UnreadableMediaError):
        probe_video(path, LIMITS)


def test_content_counts_not_the_name(clip: Path, generated: Generated) -> None:
    odd = clip.rename(clip.with_name("clip.jpg"))
    assert is_video(odd)
    assert probe_video(odd, LIMITS).n_frames == 100
    assert not is_video(generated.still)


def test_a_name_like_an_option_or_a_protocol_is_a_name(clip: Path) -> None:
    for name in ("-i.mp4", "concat:a|b.mp4", "%03d.mp4", "http:x.mp4", "照片 'q'.mp4"):
        assert probe_video(clip.rename(clip.with_name(name)), LIMITS).n_frames == 100
        clip = clip.with_name(name)


def test_a_file_cut_short_names_what_it_announces_and_what_it_holds(clip: Path, tmp_path: Path) -> None:
    for option, match in (
        ("+faststart", r"4\.00 s \(100 frames\).* holds .*\(\d\d frames\)"),
        ("0", r"announces at least"),
    ):
        whole = remake(clip, tmp_path / "whole.mp4", "-c", "copy", "-movflags", option)
        path = tmp_path / "short.mp4"
        path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
        with pytest.raises(TruncatedMediaError, match=match):
            probe_video(path, LIMITS)


def test_limits_on_bytes_and_pixels(clip: Path) -> None:
    with pytest.raises(InputTooLargeError, match="max_bytes is 100"):
        probe_video(clip, replace(LIMITS, max_bytes=100))
    with pytest.raises(InputTooLargeError, match="80 x 48 pixels; max_pixels is 3,000"):
        probe_video(clip, replace(LIMITS, max_pixels=3000))


def test_sound_alone_is_no_video(clip: Path, tmp_path: Path) -> None:
    sound = ("-f", "lavfi", "-i", "sine=d=1")
    path = remake(clip, tmp_path / "sound.mp4", "-map", "0:a", "-c:a", "aac", before=sound)
    with pytest.raises(UnreadableMediaError, match="no video stream"):
        probe_video(path, LIMITS)


@pytest.mark.parametrize("fps", ["24000/1001", "25", "30000/1001", "30", "50", "60000/1001", "12", "15"])
@pytest.mark.parametrize("clock", [600, 1000, 90000])
def test_a_rate_is_exact_though_the_clock_is_coarse(fps: str, clock: int) -> None:
    rate = Fraction(fps)
    ticks = np.array([round(k * clock / rate) for k in range(300)])
    line = make_timeline(ticks, Fraction(1, clock), round(clock / rate))
    assert (line.fps, line.constant, len(line.shown)) == (rate, True, 300)


def test_jitter_of_a_camera_is_a_constant_rate_and_a_gap_is_not() -> None:
    jitter = np.random.default_rng(1).integers(-300, 300, 300)
    ticks = np.arange(300) * 3003 + jitter
    line = make_timeline(ticks, Fraction(1, 90000), 3003)
    assert (line.fps, line.constant) == (Fraction(30000, 1001), True)
    line = make_timeline(np.delete(ticks, [100, 101]), Fraction(1, 90000), 3003)
    assert (line.constant, len(line.shown)) == (False, 300)
    assert list(line.shown[98:104]) == [98, 99, 99, 99, 100, 101]


@pytest.mark.parametrize(
    ("fps", "start", "end", "expected"),
    [
        ("25", None, 3.0, (0, 75)),
        ("30000/1001", None, 3.0, (0, 90)),
        ("30", 0.1, 0.2, (3, 3)),
        ("25", 3.99, 9, (100, 0)),
    ],
)
def test_cuts_are_counted_exactly(fps: str, start: float | None, end: float, expected: tuple[int, int]) -> None:
    assert cut(Fraction(fps), 100, start, end) == expected
