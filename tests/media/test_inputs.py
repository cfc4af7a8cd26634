"""Videos as people have them: turned, of oblong pixels, of varying rate, transparent, of ten bits."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lp_ray.base.arrays import Image
from lp_ray.media.decode import frames
from lp_ray.media.encode import encode_segment
from lp_ray.media.images import read_image
from lp_ray.media.probe import probe_video

from .cards import LIMITS, make_clip, number_of, numbers, remake

N = 30
FPS = Fraction(25)
COLOURS = ((200, 60, 30), (20, 160, 60), (40, 50, 210), (128, 128, 128))
LOSSY = 4
"""Grey levels that coding, or ten bits, may change."""

# The lower right quarter of every card becomes transparent; what hides there stays grey.
CLEAR = "a='if(gt(Y,H/2)*gt(X,W/2),{},255)'"
YUVA = f"geq=lum='lum(X,Y)':cb='cb(X,Y)':cr='cr(X,Y)':{CLEAR}"
RGBA = f"format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':{CLEAR}"
ALPHA = {
    "vp9.webm": (f"format=yuva420p,{YUVA}", "-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-b:v", "4M", "-g", "10"),
    "vp8.webm": (f"format=yuva420p,{YUVA}", "-c:v", "libvpx", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0"),
    "prores.mov": (f"format=yuva444p,{YUVA}", "-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le"),
    "animation.mov": (RGBA, "-c:v", "qtrle", "-pix_fmt", "argb"),
    "png.mov": (RGBA, "-c:v", "png", "-pix_fmt", "rgba"),
    "ffv1.mkv": (RGBA, "-c:v", "ffv1", "-pix_fmt", "bgra"),
}
DEEP = {
    "h264.mp4": ("-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p10le"),
    "h264-422.mkv": ("-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv422p10le"),
    "hevc.mp4": ("-c:v", "libx265", "-crf", "12", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-profile:v", "2", "-pix_fmt", "yuv420p10le", "-crf", "12", "-b:v", "0"),
    "prores.mov": ("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"),
}


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("inputs") / "cards.mp4", FPS, range(N))


def _decoded(path: Path) -> list[Image]:
    info = probe_video(path, LIMITS)
    pictures = list(frames(path, info, LIMITS))
    assert len(pictures) == info.n_frames
    assert {picture.shape for picture in pictures} == {(info.height, info.width, 3)}
    return pictures


@pytest.mark.parametrize("opacity", [0, 128])
@pytest.mark.parametrize("name", ALPHA)
def test_transparency_is_laid_over_white(name: str, opacity: int, cards: Path, tmp_path: Path) -> None:
    look, *coded = ALPHA[name]
    path = remake(cards, tmp_path / name, "-vf", look.format(opacity), *coded)
    assert probe_video(path, LIMITS).has_alpha
    pictures = _decoded(path)
    assert [number_of(picture) for picture in pictures] == list(range(N))
    expected = round(90 * opacity / 255 + 255 - opacity)
    for picture in pictures:
        assert np.abs(picture[30:, 50:].astype(int) - expected).max() <= LOSSY
        assert np.abs(picture[30:, :30].astype(int) - 90).max() <= LOSSY
    assert numbers(path, first=13, count=9) == list(range(13, 22))


def test_a_transparent_gif_and_a_transparent_png_look_alike(cards: Path, tmp_path: Path) -> None:
    look = f"{RGBA.format(0)},split[a][b];[a]palettegen[p];[b][p]paletteuse"
    pictures = _decoded(remake(cards, tmp_path / "clear.gif", "-vf", look))
    assert [number_of(picture) for picture in pictures] == list(range(N))
    still = read_image(remake(cards, tmp_path / "still.png", "-vf", RGBA.format(0), "-frames:v", "1"), LIMITS)
    assert (still[30:, 50:] == 255).all()
    assert np.abs(pictures[0].astype(int) - still).max() <= LOSSY


def test_opaque_video_is_not_taken_for_transparent(cards: Path, tmp_path: Path) -> None:
    titled = remake(cards, tmp_path / "titled.mkv", "-c", "copy", "-metadata", "alpha_mode=1")
    assert not probe_video(cards, LIMITS).has_alpha
    assert not probe_video(titled, LIMITS).has_alpha  # the file's tag, not the track's
    opaque = remake(cards, tmp_path / "opaque.mkv", "-vf", "format=rgba", "-c:v", "ffv1", "-pix_fmt", "bgra")
    same = remake(cards, tmp_path / "same.mkv", "-vf", "format=rgba", "-c:v", "ffv1", "-pix_fmt", "bgr0")
    for ours, theirs in zip(_decoded(opaque), _decoded(same), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", DEEP)
def test_ten_bits_become_eight_with_the_same_colours(name: str, tmp_path: Path) -> None:
    fields = np.zeros((3 * len(COLOURS), 64, 96, 3), np.uint8)
    for k in range(len(fields)):
        fields[k] = COLOURS[k // 3]
    encode_segment(tmp_path / "fields.mp4", fields, FPS, 0, "veryfast")
    path = remake(tmp_path / "fields.mp4", tmp_path / name, *DEEP[name])
    pictures = _decoded(path)
    assert len(pictures) == len(fields)
    for picture, field in zip(pictures, fields, strict=True):
        assert np.abs(picture.astype(int) - field)[8:-8, 8:-8].max() <= LOSSY


@pytest.mark.parametrize("name", DEEP)
def test_ten_bits_keep_count_and_order(name: str, cards: Path, tmp_path: Path) -> None:
    path = remake(cards, tmp_path / name, *DEEP[name])
    info = probe_video(path, LIMITS)
    assert (info.fps, info.n_frames, info.has_alpha) == (FPS, N, False)
    assert numbers(path) == list(range(N))
    assert numbers(path, first=11, count=12) == list(range(11, 23))


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_flags_turn_the_pictures(degrees: int, suffix: str, cards: Path, tmp_path: Path) -> None:
    """A phone stores what its sensor saw, and how it was held."""
    path = remake(cards, tmp_path / f"turned{suffix}", "-c", "copy", before=("-display_rotation", str(degrees)))
    info = probe_video(path, LIMITS)
    assert info.rotation == degrees
    assert (info.width, info.height) == ((80, 48) if degrees == 180 else (48, 80))
    stored = _decoded(cards)
    for picture, upright in zip(_decoded(path), stored, strict=True):
        np.testing.assert_array_equal(picture, np.rot90(upright, degrees // 90))


def test_a_mirror_flag_mirrors_the_pictures(cards: Path, tmp_path: Path) -> None:
    path = remake(cards, tmp_path / "mirrored.mp4", "-c", "copy", before=("-display_hflip",))
    for picture, stored in zip(_decoded(path), _decoded(cards), strict=True):
        np.testing.assert_array_equal(picture, stored[:, ::-1])


@pytest.mark.parametrize(
    ("aspect", "degrees", "size"),
    [
        ("4/3", 0, (107, 48)),
        ("16/15", 0, (85, 48)),
        ("1/2", 0, (40, 48)),
        ("4/3", 90, (48, 107)),
        ("2/1", 180, (160, 48)),
    ],
)
def test_oblong_pixels_become_square(
    aspect: str, degrees: int, size: tuple[int, int], cards: Path, tmp_path: Path
) -> None:
    oblong = remake(cards, tmp_path / "oblong.mp4", "-vf", f"setsar={aspect}", "-crf", "12")
    path = remake(oblong, tmp_path / "turned.mp4", "-c", "copy", before=("-display_rotation", str(degrees)))
    info = probe_video(path, LIMITS)
    assert (info.width, info.height) == size
    pictures = [np.rot90(picture, -(degrees // 90)) for picture in _decoded(path)]
    assert [number_of(picture) for picture in pictures] == list(range(N))


def test_a_circle_on_oblong_pixels_is_round(media: Path) -> None:
    """d9.mp4 is stored 512 x 480 with pixels of 15:16; shrinking keeps the shape."""
    path = media / "driving" / "d9.mp4"
    info = probe_video(path, LIMITS)
    assert (info.coded_width, info.coded_height, info.width, info.height) == (512, 480, 480, 480)
    assert next(frames(path, info, LIMITS)).shape == (480, 480, 3)
    assert next(frames(path, info, LIMITS, max_dim=100)).shape == (100, 100, 3)


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mkv", "vfr.webm", "vfr.gif"])
def test_varying_rates_keep_their_times(name: str, tmp_path: Path) -> None:
    """Frames 10 to 19 last three times as long: at the constant rate they come three times."""
    cards = make_clip(tmp_path / "cards.mp4", FPS, range(40))
    slow = "setpts=if(lt(N\\,10)\\,N\\,if(lt(N\\,20)\\,10+3*(N-10)\\,40+N-20))/25/TB"
    path = remake(cards, tmp_path / name, "-vf", slow, "-fps_mode", "passthrough", "-q:v", "3")
    info = probe_video(path, LIMITS)
    expected = [*range(10), *(n for n in range(10, 20) for _ in range(3)), *range(20, 40)]
    assert (info.fps, info.n_frames, info.constant_rate) == (FPS, 60, False)
    assert numbers(path) == expected
    assert numbers(path, first=15, count=30) == expected[15:45]


def test_a_gap_holds_the_picture(tmp_path: Path) -> None:
    """A screen recording writes nothing while nothing moves: here for two seconds."""
    cards = make_clip(tmp_path / "cards.mp4", FPS, range(40))
    gap = "setpts=if(lt(N\\,20)\\,N\\,N+50)/25/TB"
    path = remake(cards, tmp_path / "gap.mkv", "-vf", gap, "-fps_mode", "passthrough", "-crf", "18")
    assert numbers(path) == [*range(19), *([19] * 51), *range(20, 40)]


def test_a_moving_picture_of_one_frame_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    still = make_clip(tmp_path / "one.mp4", FPS, [7])
    path = remake(still, tmp_path / "one.gif")
    assert numbers(path) == [7]
