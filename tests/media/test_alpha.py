"""Transparency that is kept: two forms of a picture, and what files give and hold of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.base.arrays import AlphaImage
from lp_ray.contract.formats import FORMATS, holds_alpha
from lp_ray.media import ffmpeg, isolated
from lp_ray.media.alpha import joined, on_white, opaque, over_white, straight
from lp_ray.media.clip import open_clip
from lp_ray.media.formats.protocol import Encoding, OutputFormat
from lp_ray.media.formats.webm import EFFORTS, quality
from lp_ray.media.frames_zip import read_frames, write_frames
from lp_ray.media.images import read_image, write_image
from lp_ray.media.join import AudioCut
from lp_ray.media.probe import probe_video

from .cards import LIMITS, RATES, card, make_clip, number_of, remake

LEVELS = np.arange(256, dtype=np.uint8)
EVERY = np.stack([*[np.repeat(LEVELS[:, None], 256, 1)] * 3, np.repeat(LEVELS[None], 256, 0)], -1)
"""Every level of colour with every level of opacity, 256 x 256 x 4."""
LOSSY = 6
ODD_RATES = [*RATES, Fraction(50), Fraction(25, 2), Fraction(1201, 50)]


def cutout(number: int, width: int = 80, height: int = 48) -> AlphaImage:
    """A card whose lower half fades out from left to right; where nothing is left, it is white."""
    fade = np.full((height, width), 255, np.uint8)
    fade[height // 2 :] = np.linspace(255, 0, width).astype(np.uint8)
    return straight(on_white(joined(card(number, width, height), fade)))


def written(
    made: OutputFormat, folder: Path, fps: Fraction, lengths: tuple[int, ...], alpha: bool = True
) -> list[Path]:
    """Cards written in segments."""
    edges, paths = np.cumsum((0, *lengths)), []
    for i in range(len(lengths)):
        paths.append(folder / f"{i}{made.segment_suffix}")
        pictures = ((cutout if alpha else card)(n) for n in range(edges[i], edges[i + 1]))
        made.write_segment(paths[-1], pictures, Encoding(fps, int(edges[i]), 10, "veryfast", "x264"))
    return paths


def test_straight_undoes_on_white_for_every_colour_and_opacity() -> None:
    """Over white and over black nothing changes by more than a level; what is opaque stays to the bit."""
    again = straight(on_white(EVERY))
    np.testing.assert_array_equal(again[..., 3], EVERY[..., 3])
    np.testing.assert_array_equal(over_white(again), over_white(EVERY))
    np.testing.assert_array_equal(again[:, 255], EVERY[:, 255])
    assert (again[:, 0, :3] == 255).all(), "what cannot be seen is white, whatever was hidden there"
    black = [picture[..., :3] * (picture[..., 3:] / 255) for picture in (again, EVERY)]
    assert np.abs(black[0] - black[1]).max() <= 1


def test_over_white_is_what_pillow_makes_of_it() -> None:
    paper = PIL.Image.new("RGBA", (256, 256), (255, 255, 255, 255))
    theirs = PIL.Image.alpha_composite(paper, PIL.Image.fromarray(EVERY)).convert("RGB")
    np.testing.assert_array_equal(over_white(EVERY), np.asarray(theirs))


@given(st.integers(0, 255), st.integers(0, 255))
def test_colours_that_white_cannot_explain_become_the_nearest_there_are(colour: int, alpha: int) -> None:
    """A filter's overshoot: darker than the white that shines through."""
    made = straight(np.array([[[colour] * 3 + [alpha]]], np.uint8))
    shown = int(over_white(made)[0, 0, 0])
    assert shown == max(colour, 255 - alpha) or (alpha == 0 and shown == 255)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "palette.png"])
def test_a_picture_is_read_with_its_transparency(name: str, tmp_path: Path) -> None:
    """In a child process, too; over white it is what is read without."""
    picture = PIL.Image.fromarray(cutout(5))
    if name.startswith("palette"):
        picture = picture.quantize(32)
    picture.save(tmp_path / name, lossless=True)
    read = read_image(tmp_path / name, LIMITS, alpha=True)
    np.testing.assert_array_equal(read, isolated.read_image(tmp_path / name, LIMITS, alpha=True))
    np.testing.assert_array_equal(read[..., 3], np.asarray(picture.convert("RGBA"))[..., 3])
    np.testing.assert_array_equal(over_white(read), read_image(tmp_path / name, LIMITS))


def test_what_has_no_transparency_is_opaque(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", card(5))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", LIMITS, alpha=True), opaque(card(5)))
    clip = open_clip(make_clip(tmp_path / "a.mp4", Fraction(25), range(3)), LIMITS)
    for plain, kept in zip(clip.frames(), clip.frames(alpha=True), strict=True):
        np.testing.assert_array_equal(kept, opaque(plain))


def test_formats_say_whether_they_hold_transparency() -> None:
    assert [name for name in FORMATS.names() if holds_alpha(name)] == ["frames", "png", "webm", "mov"]
    assert holds_alpha("auto")


def test_frames_and_pictures_keep_it_to_the_bit(tmp_path: Path) -> None:
    write_frames(tmp_path / "a.zip", map(cutout, range(4)))
    for number, (kept, shown) in enumerate(
        zip(read_frames(tmp_path / "a.zip", alpha=True), read_frames(tmp_path / "a.zip"), strict=True)
    ):
        np.testing.assert_array_equal(kept, cutout(number))
        np.testing.assert_array_equal(shown, over_white(cutout(number)))
    png = FORMATS.get("png")
    png.write_segment(tmp_path / "a.png", iter([cutout(3)]), Encoding(Fraction(25), 0, 18, "veryfast", "x264"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", LIMITS, alpha=True), cutout(3))
    with pytest.raises(ValueError, match="expected uint8 like"):
        write_frames(tmp_path / "b.zip", [cutout(1), card(1)])


@pytest.mark.parametrize("fps", ODD_RATES, ids=str)
@pytest.mark.parametrize("name", ["webm", "mov"])
def test_joined_segments_keep_every_frame_its_transparency_and_the_exact_rate(
    name: str, fps: Fraction, tmp_path: Path
) -> None:
    """Of WebM, whose clock counts milliseconds: no rounding adds up over segments."""
    made, output = FORMATS.get(name), tmp_path / f"out.{name}"
    lengths = (37, 37, 1, 30)
    facts = made.join(written(made, tmp_path, fps, lengths), output, fps, 105, None)
    assert (facts.n_frames, facts.fps, facts.width, facts.height, facts.has_audio) == (105, fps, 80, 48, False)
    assert facts.duration_s == pytest.approx(105 / fps)
    info = probe_video(output, LIMITS)
    assert info.has_alpha and info.constant_rate and info.n_frames == 105
    ticks = info.timeline.ticks * float(info.timeline.time_base)
    assert np.abs(ticks - np.arange(105) / float(fps)).max() <= 0.00051
    clip = open_clip(output, LIMITS)
    for number, kept in enumerate(clip.frames(alpha=True)):
        assert number_of(kept[..., :3]) == number
        assert np.abs(kept[..., 3].astype(int) - cutout(number)[..., 3]).max() <= LOSSY
    assert [number_of(picture) for picture in made.pictures(output)] == list(range(105))


@pytest.mark.parametrize("name", ["webm", "mov"])
def test_the_same_pictures_are_the_same_bytes_and_a_range_is_a_slice(name: str, tmp_path: Path) -> None:
    """A segment may be written twice; key frames of colours and of transparency stand at the same places."""
    made, fps = FORMATS.get(name), Fraction(25)
    folders = [tmp_path / side for side in "ab"]
    outputs = [folder / f"out.{name}" for folder in folders]
    for folder, output in zip(folders, outputs, strict=True):
        folder.mkdir()
        made.join(written(made, folder, fps, (150, 5)), output, fps, 155, None, origin="trainedAlgorithmicMedia")
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    clip = open_clip(outputs[0], LIMITS)
    whole = list(clip.frames(alpha=True))
    if name == "webm":
        keys = clip.info.key_ticks * float(clip.info.timeline.time_base * fps)
        assert keys.round().astype(int).tolist() == [0, 64, 128, 150]
    for first in (1, 63, 64, 65, 100, 149, 150, 151):
        for kept, expected in zip(clip.frames(first, 4, alpha=True), whole[first : first + 4], strict=True):
            np.testing.assert_array_equal(kept, expected)


@pytest.mark.parametrize("name", ["webm", "mov"])
def test_opaque_pictures_are_written_without_transparency(name: str, tmp_path: Path) -> None:
    made, output = FORMATS.get(name), tmp_path / f"out.{name}"
    made.join(written(made, tmp_path, Fraction(25), (5, 4), alpha=False), output, Fraction(25), 9, None)
    assert not probe_video(output, LIMITS).has_alpha
    assert [number_of(picture) for picture in made.pictures(output)] == list(range(9))


@pytest.mark.parametrize("name", ["webm", "mov"])
def test_sound_comes_with_them(name: str, tmp_path: Path) -> None:
    made, fps, output = FORMATS.get(name), Fraction(25), tmp_path / f"out.{name}"
    tone = ("-f", "lavfi", "-i", "sine=frequency=440:duration=3")
    beside = remake(
        make_clip(tmp_path / "c.mp4", fps, range(75)), tmp_path / "d.mp4", *("-map", "1:v", "-map", "0:a"), before=tone
    )
    facts = made.join(written(made, tmp_path, fps, (40, 35)), output, fps, 75, AudioCut(beside, 0.0, 3.0))
    assert facts.has_audio and facts.n_frames == 75 and facts.fps == fps
    assert probe_video(output, LIMITS).has_alpha


def test_a_copied_webm_is_still_transparent(tmp_path: Path) -> None:
    """Copied streams carry the tag in capitals."""
    made = FORMATS.get("webm")
    (segment,) = written(made, tmp_path, Fraction(25), (5,))
    copied = tmp_path / "copied.webm"
    opened = ffmpeg.input_args(segment, "matroska,webm")
    ffmpeg.run([*opened, "-c", "copy", "-y", ffmpeg.file_url(copied)], 60, "copying")
    again = tmp_path / "again.webm"
    opened = ffmpeg.input_args(copied, "matroska,webm")
    ffmpeg.run([*opened, "-c", "copy", "-metadata:s:v:0", "ALPHA_MODE=1", "-y", ffmpeg.file_url(again)], 60, "copying")
    assert probe_video(copied, LIMITS).has_alpha and probe_video(again, LIMITS).has_alpha


def test_quality_and_effort_are_those_of_the_options(tmp_path: Path) -> None:
    assert (quality(0), quality(51)) == (0, 63) and quality(18) == 22
    assert list(EFFORTS.values()) == sorted(EFFORTS.values(), reverse=True)
    made, sizes = FORMATS.get("webm"), []
    rng = np.random.default_rng(1)
    noisy = [straight(rng.integers(0, 256, (96, 96, 4), dtype=np.uint8)) for _ in range(3)]
    for crf, preset in ((5, "veryfast"), (45, "veryfast"), (5, "slower")):
        path = tmp_path / f"{crf}-{preset}.webm"
        made.write_segment(path, iter(noisy), Encoding(Fraction(25), 0, crf, preset, "x264"))
        sizes.append(path.read_bytes())
    assert len(sizes[1]) < len(sizes[0]) and sizes[0] != sizes[2]
