"""Clips as calls, cameras, editors and broken downloads leave them: every range is right, or the clip is refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from lp_ray.base.errors import TruncatedMediaError
from lp_ray.media import decode
from lp_ray.media.clip import open_clip
from lp_ray.media.probe import probe_video

from . import independent
from .cards import LIMITS, number_of
from .ranges import check_ranges, make_coded, run_ffmpeg

X264 = ("-c:v", "libx264", "-g", "10", "-bf", "2", "-x264-params", "repeat-headers=1")
X265 = ("-c:v", "libx265", "-g", "10", "-x265-params", "log-level=none:repeat-headers=1")
VP8 = ("-c:v", "libvpx", "-g", "10", "-b:v", "2M")
VP9 = ("-c:v", "libvpx-vp9", "-g", "10", "-b:v", "2M", "-cpu-used", "8")
AV1 = ("-c:v", "libsvtav1", "-g", "10", "-preset", "12")
MPEG2 = ("-c:v", "mpeg2video", "-g", "10", "-bf", "2", "-q:v", "3")
MPEG4 = ("-c:v", "mpeg4", "-g", "10", "-bf", "2", "-q:v", "3")
MJPEG = ("-c:v", "mjpeg", "-q:v", "3")
PNG = ("-c:v", "png")

# A clip that stands still in the middle: frames 10 to 19 last three times as long.
SLOW = "setpts=if(lt(N\\,10)\\,N\\,if(lt(N\\,20)\\,10+3*(N-10)\\,40+N-20))/25/TB"
SLOWED = [*range(10), *(n for n in range(10, 20) for _ in range(3)), *range(20, 40)]


def _pasted(path: Path, parts: list[Path]) -> Path:
    """Packets of several files one after the other, as a recorder writes them whose camera changes."""
    script = path.with_suffix(".txt")
    script.write_text("".join(f"file '{part}'\n" for part in parts))
    run_ffmpeg("-f", "concat", "-safe", "0", "-i", script, "-c", "copy", "-y", path)
    return path


def _joined(path: Path, parts: list[Path]) -> Path:
    """What `cat` makes of files."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def _parts(folder: Path, suffix: str, codec: tuple[str, ...], *lengths: int, sizes: bool = False) -> list[Path]:
    shapes = [(176, 144), (352, 288), (144, 96)] if sizes else [(176, 144)] * 3
    made, first = [], 0
    for i, length in enumerate(lengths):
        numbers = range(first, first + length)
        made.append(make_coded(folder / f"part{i}.{suffix}", numbers, codec, shapes[i]))
        first += length
    return made


# The decoder keeps the last frame of a size to itself in MPEG-2: PyAV gives as many.
SIZES = {
    "vp8.webm": VP8, "vp9.webm": VP9, "h264.ts": X264, "h264.mkv": X264, "h264.mp4": X264, "hevc.ts": X265,
    "hevc.mkv": X265, "mjpeg.avi": MJPEG, "mjpeg.mov": MJPEG, "png.mov": PNG,
    "flv1.flv": ("-c:v", "flv", "-g", "10", "-q:v", "3"),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_a_size_that_changes_in_mid_stream_moves_no_frame(name: str, tmp_path: Path) -> None:
    """As calls in a browser do: all frames come at the first size, in their order."""
    suffix = name.split(".")[1]
    path = _pasted(tmp_path / name, _parts(tmp_path, suffix, SIZES[name], 15, 15, 10, sizes=True))
    assert check_ranges(path, range(40), n_ranges=10).size == (176, 144)


@pytest.mark.parametrize(("name", "codec"), [("av1.mkv", AV1), ("mpeg2.ts", MPEG2), ("mpeg2.mpg", MPEG2)])
def test_a_size_that_changes_where_decoders_lose_frames(name: str, codec: tuple[str, ...], tmp_path: Path) -> None:
    path = _pasted(tmp_path / name, _parts(tmp_path, name.split(".")[1], codec, 15, 15, 10, sizes=True))
    check_ranges(path, None, n_ranges=10)


FORMATS = {
    "h264.ts": (X264, "yuv420p", "yuv444p"), "h264.mkv": (X264, "yuv420p", "yuv420p10le"),
    "vp9.webm": (VP9, "yuv420p", "yuv444p"), "mjpeg.mov": (MJPEG, "yuvj420p", "yuvj444p"),
    "png.mov": (PNG, "rgb24", "gray"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_pixel_format_that_changes_moves_no_frame(name: str, tmp_path: Path) -> None:
    codec, *formats = FORMATS[name]
    suffix = name.split(".")[1]
    parts = [
        make_coded(tmp_path / f"{i}.{suffix}", range(15 * i, 15 * i + 15), [*codec, "-pix_fmt", formats[i]])
        for i in range(2)
    ]
    check_ranges(_pasted(tmp_path / name, parts), range(30), n_ranges=10)


OPEN = {
    "h264": ("-c:v", "libx264", "-g", "12", "-bf", "3", "-x264-params", "open-gop=1:b-pyramid=normal"),
    "hevc": ("-c:v", "libx265", "-g", "12", "-x265-params", "log-level=none:open-gop=1:bframes=4"),
    "refresh": ("-c:v", "libx264", "-g", "12", "-x264-params", "intra-refresh=1"),
    "mpeg2": ("-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-q:v", "3"),
    "mpeg4": MPEG4,
}


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("kind", OPEN)
def test_open_groups_of_pictures_whole_and_cut(kind: str, suffix: str, tmp_path: Path) -> None:
    """Frames may need some before their key frame (open GOP), or have no key frame at all (intra refresh)."""
    whole = make_coded(tmp_path / f"whole.{suffix}", range(60), OPEN[kind])
    check_ranges(whole, range(60))
    cut = tmp_path / f"cut.{suffix}"
    run_ffmpeg("-ss", "0.9", "-i", whole, "-c", "copy", "-y", cut)
    clip = check_ranges(cut, None)
    shown = [number_of(picture) for picture in clip.frames()]
    assert shown[-1] == 59


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_an_edit_list_hides_the_beginning(suffix: str, tmp_path: Path) -> None:
    whole = make_coded(tmp_path / f"whole.{suffix}", range(60), X264)
    path = tmp_path / f"cut.{suffix}"
    run_ffmpeg("-ss", "0.92", "-i", whole, "-c", "copy", "-y", path)
    check_ranges(path, range(23, 60))


@pytest.mark.parametrize(
    ("name", "codec"),
    [("h264.mkv", X264), ("hevc.mkv", X265), ("vp8.webm", (*VP8, "-g", "100")), ("vp9.webm", (*VP9, "-g", "100"))],
)
def test_what_lies_before_time_0_in_matroska_is_hidden(name: str, codec: tuple[str, ...], tmp_path: Path) -> None:
    """A cut without coding again keeps the frames before it, at negative times: they are not shown, the others are."""
    suffix = name.split(".")[1]
    whole = make_coded(tmp_path / f"whole.{suffix}", range(60), codec)
    path = tmp_path / name
    run_ffmpeg("-ss", "0.92", "-i", whole, "-c", "copy", "-avoid_negative_ts", "disabled", "-y", path)
    assert check_ranges(path, range(23, 60)).fps == 25


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_late_start_shifts_nothing(suffix: str, tmp_path: Path) -> None:
    whole = make_coded(tmp_path / f"whole.{suffix}", range(30), X264)
    path = tmp_path / f"late.{suffix}"
    run_ffmpeg("-itsoffset", "1.5", "-i", whole, "-c", "copy", "-y", path)
    check_ranges(path, range(30))


JOINED = {
    "two.ts": (X264, (20, 20)), "three.ts": (X264, (15, 15, 15)), "longer.ts": (X264, (10, 40)),
    "mpeg2.ts": (MPEG2, (20, 20)), "mpeg2.mpg": (MPEG2, (20, 20)), "two.mkv": (X264, (20, 20)),
}  # fmt: skip


@pytest.mark.parametrize("name", JOINED)
def test_streams_joined_with_cat_keep_all_their_frames(name: str, tmp_path: Path) -> None:
    codec, lengths = JOINED[name]
    path = _joined(tmp_path / name, _parts(tmp_path, name.split(".")[1], codec, *lengths))
    assert check_ranges(path, range(sum(lengths)), n_ranges=10).fps == 25


def test_a_joined_stream_of_another_size_keeps_all_its_frames(tmp_path: Path) -> None:
    path = _joined(tmp_path / "joined.ts", _parts(tmp_path, "ts", X264, 20, 20, sizes=True))
    check_ranges(path, range(40), n_ranges=10)


def test_a_clock_that_jumps_ahead_or_wraps_is_a_new_clock(tmp_path: Path) -> None:
    """A recorder's clock runs on between two recordings; a transport stream's starts again after 26.5 hours."""
    parts = [
        make_coded(tmp_path / "a.ts", range(20), X264),
        make_coded(tmp_path / "b.ts", range(20, 40), [*X264, "-output_ts_offset", "5000"]),
    ]
    assert check_ranges(_joined(tmp_path / "jump.ts", parts), range(40)).fps == 25
    wrap = make_coded(tmp_path / "wrap.ts", range(40), [*X264, "-output_ts_offset", "95441.5", "-mpegts_copyts", "1"])
    check_ranges(wrap, range(40))


VARYING = {
    "vfr.mp4": X264, "vfr.mkv": X264, "vfr.ts": X264, "vfr.flv": X264, "vfr.webm": VP8, "vfr.avi": MJPEG,
    "mpeg4.avi": (*MPEG4, "-bf", "0"), "vfr.wmv": ("-c:v", "wmv2", "-q:v", "3"), "vfr.gif": (), "vfr.apng": (),
    "vfr.webp": ("-c:v", "libwebp_anim", "-lossless", "1"),
}  # fmt: skip


@pytest.mark.parametrize("name", VARYING)
def test_varying_rates_keep_their_times(name: str, tmp_path: Path) -> None:
    """In AVI the gaps are null frames: chunks of no bytes, which mean the picture before."""
    cards = make_coded(tmp_path / "cards.mkv", range(40), ("-c:v", "ffv1"))
    path = tmp_path / name
    run_ffmpeg("-i", cards, "-vf", SLOW, "-fps_mode", "passthrough", *VARYING[name], "-y", path)
    clip = check_ranges(path, SLOWED)
    assert (clip.fps, clip.n_frames, clip.info.constant_rate) == (25, 60, False)


@pytest.mark.parametrize("rate", [30, 12, 25])
@pytest.mark.parametrize("lost", [(20, 40), (5,), tuple(range(1, 60, 2)), (10, 11, 12, 30)])
def test_null_frames_of_an_avi_do_not_change_its_rate(rate: int, lost: tuple[int, ...], tmp_path: Path) -> None:
    """60 frames by the header, of which some were dropped: the picture before stays, however many they are."""
    kept = [k for k in range(60) if k not in lost]
    cards = make_coded(tmp_path / "cards.mkv", kept, ("-c:v", "ffv1"), fps=str(rate))
    times = "+".join(f"{k}*eq(N\\,{n})" for n, k in enumerate(kept))
    path = tmp_path / "dropped.avi"
    run_ffmpeg("-i", cards, "-vf", f"setpts=({times})/{rate}/TB", "-fps_mode", "passthrough", *MJPEG, "-y", path)
    expected = [max(n for n in kept if n <= k) for k in range(kept[-1] + 1)]
    clip = check_ranges(path, expected, n_ranges=3)
    assert clip.fps == independent.rate(path) == Fraction(rate)
    assert len(clip.info.timeline.ticks) == len(kept)


@pytest.mark.parametrize("fps", ["1/2", "24000/1001", "30000/1001", "30", "120"])
@pytest.mark.parametrize("n", [7, 30])
def test_rates_of_short_clips_on_a_coarse_clock(n: int, fps: str, tmp_path: Path) -> None:
    """Matroska's times are milliseconds: what it says of its rate decides between those that fit."""
    path = make_coded(tmp_path / "clip.mkv", range(n), X264, fps=fps)
    assert check_ranges(path, range(n), n_ranges=2).fps == Fraction(fps)


def test_fragments_and_negative_offsets(tmp_path: Path) -> None:
    for flags in ("frag_keyframe+empty_moov", "negative_cts_offsets", "faststart"):
        path = make_coded(tmp_path / f"{flags}.mp4", range(40), [*X264, "-movflags", flags])
        check_ranges(path, range(40))


def test_a_cover_is_not_the_film(tmp_path: Path) -> None:
    film = make_coded(tmp_path / "film.mp4", range(30), X264)
    cover = make_coded(tmp_path / "cover.png", [999], ())
    path = tmp_path / "covered.mp4"
    covered = ("-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic")
    run_ffmpeg("-i", cover, "-i", film, *covered, "-y", path)
    check_ranges(path, range(30))


def test_a_recording_that_begins_between_key_frames(tmp_path: Path) -> None:
    """Its first pictures do not decode; what does is as much as another reader gives."""
    whole = make_coded(tmp_path / "whole.ts", range(60), X264).read_bytes()
    path = tmp_path / "late.ts"
    path.write_bytes(whole[len(whole) // 3 // 188 * 188 :])
    clip = check_ranges(path, None, n_ranges=10)
    shown = [number_of(picture) for picture in clip.frames()]
    assert shown == list(range(shown[0], 60))


@pytest.mark.parametrize("suffix", ["mp4", "ts", "flv", "mkv"])
def test_damage_shows_the_same_in_every_range(suffix: str, tmp_path: Path) -> None:
    """What a decoder makes of damaged pictures depends on what came before: ranges show what the whole pass shows."""
    read = 0
    for seed in range(6):
        path = make_coded(tmp_path / f"hurt{seed}.{suffix}", range(60), X264, size=(352, 288))
        data, draw = bytearray(path.read_bytes()), random.Random(seed)
        for _ in range(3):
            at = draw.randrange(len(data) // 3, len(data) * 8 // 10)
            data[at : at + 20] = draw.randbytes(20)
        path.write_bytes(data)
        try:
            check_ranges(path, None, n_ranges=4, counted=False)
            read += 1
        except TruncatedMediaError:  # too much of it is lost
            continue
    assert read


def _passes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Note, of every pass that starts, whether it decodes from the file's beginning."""
    seen: list[bool] = []
    matched: Callable[..., object] = decode._Reader._matched

    def noted(self: object, low: int, high: int, whole: bool) -> object:
        seen.append(whole)
        return matched(self, low, high, whole)

    monkeypatch.setattr(decode._Reader, "_matched", noted)
    return seen


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", X264), ("b.mkv", X265), ("c.webm", VP8), ("d.mov", MJPEG)])
def test_ranges_of_sound_clips_start_at_a_key_frame(
    name: str, codec: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are right at the first attempt: no pass from the beginning is needed, so long clips stay fast."""
    path = make_coded(tmp_path / name, range(60), codec)
    assert len(probe_video(path, LIMITS).key_ticks) > 3
    clip, passes = open_clip(path, LIMITS), _passes(monkeypatch)
    for first in range(5, 60, 11):
        assert [number_of(picture) for picture in clip.frames(first, 3)] == [first, first + 1, first + 2]
    assert passes == [False] * 5
