"""Frames of real and code-made clips: which, how many, in what order, in what shape."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lp_ray.base.errors import InputTooLargeError, TruncatedMediaError, UnreadableMediaError
from lp_ray.base.limits import Limits
from lp_ray.media import ffmpeg
from lp_ray.media.clip import open_clip
from lp_ray.media.decode import cut_frames, frames
from lp_ray.media.probe import probe_video
from tests.generated import Generated

from .cards import LIMITS, RATES, make_clip, number_of, numbers, remake


@pytest.mark.parametrize("fps", RATES, ids=str)
def test_every_frame_comes_once_in_order_at_the_exact_rate(fps: Fraction, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", fps, range(130))
    info = probe_video(path, LIMITS)
    assert (info.fps, info.n_frames, info.constant_rate) == (fps, 130, True)
    assert numbers(path) == list(range(130))


@pytest.mark.parametrize(("fps", "count"), [(Fraction(25), 75), (Fraction(30000, 1001), 90), (Fraction(60), 180)])
def test_three_seconds_hold_the_frames_with_time_below_three(fps: Fraction, count: int, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", fps, range(200))
    assert numbers(path, end_s=3) == list(range(count))
    assert numbers(path, start_s=0.1, end_s=0.2) == [k for k in range(200) if 1 <= 10 * k / fps < 2]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi", ".mov"])
def test_a_range_by_index_gives_the_frames_of_the_whole_pass(suffix: str, tmp_path: Path) -> None:
    """Several key frames and B-frames between them: seeking must land on the right picture."""
    cards = make_clip(tmp_path / "cards.mp4", Fraction(30000, 1001), range(120))
    coded = ["-c:v", "libx264", "-g", "24", "-bf", "2", "-crf", "18"]
    path = remake(cards, tmp_path / f"clip{suffix}", *coded)
    assert probe_video(path, LIMITS).fps == Fraction(30000, 1001)
    assert numbers(path) == list(range(120))
    for first, count in ((0, 3), (23, 3), (24, 1), (25, 60), (95, 25), (119, 1)):
        assert numbers(path, first=first, count=count) == list(range(first, first + count))


def test_a_hidden_beginning_stays_hidden(tmp_path: Path) -> None:
    """A cut without re-encoding keeps frames before the cut that an edit list hides."""
    cards = make_clip(tmp_path / "cards.mp4", Fraction(25), range(100))
    path = remake(cards, tmp_path / "cut.mp4", "-c", "copy", before=("-ss", "1.2"))
    assert numbers(path) == list(range(30, 100))
    assert numbers(path, first=10, count=2) == [40, 41]


def test_a_clip_of_varying_rate_keeps_its_times(tmp_path: Path) -> None:
    """Frames 20 to 39 last twice as long as the others: at the constant rate they come twice."""
    cards = make_clip(tmp_path / "cards.mp4", Fraction(30), range(60))
    slow = "setpts=if(lt(N\\,20)\\,N\\,if(lt(N\\,40)\\,20+2*(N-20)\\,60+N-40))/30/TB"
    path = remake(cards, tmp_path / "vfr.mp4", "-vf", slow, "-fps_mode", "passthrough", "-crf", "18")
    info = probe_video(path, LIMITS)
    assert (info.fps, info.n_frames, info.constant_rate) == (Fraction(30), 80, False)
    expected = [*range(20), *(n for n in range(20, 40) for _ in range(2)), *range(40, 60)]
    assert numbers(path) == expected
    assert numbers(path, first=25, count=30) == expected[25:55]


def test_rotation_and_pixel_aspect_are_applied(tmp_path: Path) -> None:
    upright = make_clip(tmp_path / "cards.mp4", Fraction(25), range(4), width=80, height=48)
    turned = remake(upright, tmp_path / "turned.mp4", "-c", "copy", before=("-display_rotation", "90"))
    info = probe_video(turned, LIMITS)
    assert (info.coded_width, info.coded_height, info.width, info.height) == (80, 48, 48, 80)
    for k, picture in enumerate(frames(turned, info, LIMITS)):
        assert picture.shape == (80, 48, 3)
        assert number_of(np.rot90(picture, -1)) == k  # the flag turned it counter-clockwise
    wide = remake(upright, tmp_path / "wide.mp4", "-vf", "setsar=4/3", "-crf", "18")
    info = probe_video(wide, LIMITS)
    assert (info.width, info.height) == (107, 48)
    assert [number_of(p) for p in frames(wide, info, LIMITS)] == [0, 1, 2, 3]


def test_the_longest_side_shrinks_to_max_dim(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "cards.mp4", Fraction(25), range(3), width=160, height=96), LIMITS)
    assert {p.shape for p in clip.frames(max_dim=100)} == {(60, 100, 3)}
    assert {p.shape for p in clip.frames(max_dim=200)} == {(96, 160, 3)}


def test_ten_bit_video_reads_as_eight_bit_rgb(tmp_path: Path) -> None:
    cards = make_clip(tmp_path / "cards.mp4", Fraction(25), range(20))
    path = remake(
        cards, tmp_path / "ten.mp4", "-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-x265-params", "log-level=none"
    )
    assert numbers(path) == list(range(20))


def test_one_frame_is_a_clip(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "one.mp4", Fraction(30000, 1001), [5])
    info = probe_video(path, LIMITS)
    assert (info.n_frames, info.fps) == (1, Fraction(30000, 1001))
    assert numbers(path) == [5]


@pytest.mark.parametrize("name", ["d0.mp4", "d3.mp4", "d9.mp4", "d10.mp4"])
def test_real_clips_decode_to_the_count_they_list(name: str, media: Path) -> None:
    clip = open_clip(media / "driving" / name, LIMITS, end_s=3)
    pictures = list(clip.frames(max_dim=64))
    assert len(pictures) == clip.n_frames == 3 * clip.fps
    again = list(clip.frames(first=50, count=5, max_dim=64))
    assert all(np.array_equal(a, b) for a, b in zip(again, pictures[50:55], strict=True))


def test_square_pixels_of_a_real_clip(media: Path) -> None:
    info = probe_video(media / "driving" / "d9.mp4", LIMITS)  # 512 x 480 coded, SAR 15:16
    assert (info.width, info.height, info.has_audio) == (480, 480, True)


def test_closing_the_iterator_kills_the_decoder(generated: Generated) -> None:
    path = generated.talk
    info = probe_video(path, LIMITS)
    before = _children()
    with contextlib.closing(frames(path, info, LIMITS)) as pictures:
        next(pictures)
        assert len(_children() - before) == 1
    assert _children() == before


def test_a_decoder_that_stalls_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip(tmp_path / "clip.mp4", Fraction(25), range(3))
    info = probe_video(path, LIMITS)
    stalled = tmp_path / "ffmpeg"
    stalled.write_text("#!/bin/sh\nexec sleep 60\n")
    stalled.chmod(0o755)
    monkeypatch.setattr(ffmpeg, "executable", lambda: str(stalled))
    before, started = _children(), time.monotonic()
    with pytest.raises(UnreadableMediaError, match=r"clip\.mp4: frame 0: .*stopped"):
        list(frames(path, info, replace(LIMITS, timeout_s=0.5)))
    assert time.monotonic() - started < 10
    assert _children() == before


def test_a_file_that_loses_its_end_after_probing_is_truncated(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", Fraction(25), range(200), width=160, height=96)
    path = remake(path, tmp_path / "front.mp4", "-c", "copy", "-movflags", "+faststart")
    info = probe_video(path, LIMITS)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(TruncatedMediaError, match=r"200 frames announced .* only \d+ decode"):
        list(frames(path, info, LIMITS))


def test_limits_hold_for_the_cut_not_for_the_file(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", Fraction(25), range(100))
    limits = Limits(max_frames=50, max_duration_s=1.5)
    info = probe_video(path, limits)
    assert cut_frames(info, limits, end_s=1.0) == (0, 25)
    assert len(list(open_clip(path, limits, start_s=2, end_s=3).frames())) == 25
    with pytest.raises(InputTooLargeError, match="100 frames; max_frames is 50"):
        open_clip(path, limits)
    with pytest.raises(InputTooLargeError, match=r"max_duration_s is 1\.5"):
        open_clip(path, limits, end_s=1.9)
    with pytest.raises(UnreadableMediaError, match="no frame between 9 s and the end"):
        open_clip(path, limits, start_s=9)


def _children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
