"""Colour profiles of pictures: what they mean is what is seen."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL import ImageCms

from lp_ray.base.errors import InputTooLargeError
from lp_ray.base.limits import Limits
from lp_ray.media import profiles
from lp_ray.media.images import read_image

from .icc import GAMUTS, cmyk_profile, grey_profile, rgb_profile, rgb_to_xyz

LIMITS = Limits()
COLOURS = ((180, 90, 60), (70, 140, 80), (60, 80, 170), (128, 128, 128), (230, 200, 180), (20, 25, 30))


def _coded_in(gamut: str, srgb: tuple[int, int, int]) -> np.ndarray:
    """The values that an sRGB colour has in another gamut, by the definitions of both."""
    value = np.array(srgb) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    other = np.linalg.solve(rgb_to_xyz(gamut), rgb_to_xyz("sRGB") @ light)
    return np.rint(255 * np.clip(other, 0, 1) ** (1 / GAMUTS[gamut][2])).astype(np.uint8)


def _field(colour: np.ndarray | tuple[int, ...]) -> np.ndarray:
    return np.tile(np.array(colour, np.uint8), (16, 16, 1))


@pytest.mark.parametrize("kind", ["png", "tiff", "jpg", "webp"])
@pytest.mark.parametrize("gamut", ["Display P3", "Adobe RGB", "ProPhoto RGB"])
def test_wide_gamuts_show_their_srgb_colours(gamut: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{kind}"
    lossless = {"quality": 100, "subsampling": 0} if kind == "jpg" else {"lossless": True} if kind == "webp" else {}
    for colour in COLOURS:
        coded = _coded_in(gamut, colour)
        PIL.Image.fromarray(_field(coded)).save(path, icc_profile=rgb_profile(gamut), **lossless)
        assert np.abs(read_image(path, LIMITS)[8, 8].astype(int) - colour).max() <= (4 if kind == "jpg" else 3)


def test_transparency_and_palettes_keep_their_profile(tmp_path: Path) -> None:
    path, profile = tmp_path / "picture.png", rgb_profile("Display P3")
    coded = _field((*_coded_in("Display P3", (180, 90, 60)), 255))
    coded[8:, :, 3] = 0
    PIL.Image.fromarray(coded).save(path, icc_profile=profile)
    shown = read_image(path, LIMITS)
    assert np.abs(shown[4, 8].astype(int) - (180, 90, 60)).max() <= 3
    assert (shown[12, 8] == 255).all()
    PIL.Image.fromarray(coded[..., :3]).quantize(4).save(path, icc_profile=profile)
    assert np.abs(read_image(path, LIMITS)[4, 8].astype(int) - (180, 90, 60)).max() <= 3


def test_grey_values_follow_their_own_gamma(tmp_path: Path) -> None:
    for kind, dtype, scale in (("png", np.uint8, 1), ("tiff", np.uint16, 257)):
        path = tmp_path / f"grey.{kind}"
        PIL.Image.fromarray(np.full((16, 16), 100 * scale, dtype)).save(path, icc_profile=grey_profile(1.0))
        expected = 255 * (1.055 * (100 / 255) ** (1 / 2.4) - 0.055)
        assert np.abs(read_image(path, LIMITS)[8, 8].astype(int) - expected).max() <= 3


def test_cmyk_is_shown_as_its_printer_prints_it(tmp_path: Path) -> None:
    """Its inks have its colours, not those of Pillow's formula; bare paper is white, black is black."""
    path = tmp_path / "print.jpg"
    paper = PIL.Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    paper.save(path, quality=100)
    assert (read_image(path, LIMITS)[8, 8] >= 254).all()
    cyan, magenta = (63, -28, -15), (58.5, 62, 15)
    for inks, lab in (
        ((255, 0, 0, 0), cyan),
        ((0, 255, 0, 0), magenta),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0,) * 4, (100, 0, 0)),
    ):
        PIL.Image.new("CMYK", (16, 16), inks).save(path, quality=100, icc_profile=cmyk_profile((90, 2, 20)))
        shown = PIL.Image.fromarray(read_image(path, LIMITS))
        found = np.asarray(_to_lab(shown), np.int16)[8, 8]
        assert np.abs(found - np.array([lab[0] * 2.55, lab[1], lab[2]])).max() <= 9, (inks, found)


def _to_lab(picture: PIL.Image.Image) -> np.ndarray:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB", 5000)
    made = ImageCms.profileToProfile(picture, srgb, lab, outputMode="LAB")
    values = np.asarray(made).astype(np.int16)
    values[..., 1:] = np.where(values[..., 1:] > 127, values[..., 1:] - 256, values[..., 1:])
    return values


def test_srgb_in_other_words_changes_no_pixel(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    path = tmp_path / "picture.png"
    profile = io.BytesIO(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()).getvalue()
    PIL.Image.fromarray(noise).save(path, icc_profile=profile)
    assert np.array_equal(read_image(path, LIMITS), noise)


@pytest.mark.parametrize("profile", [b"rubbish" * 40, rgb_profile("Adobe RGB")[:200], cmyk_profile((90, 0, 0))])
def test_a_profile_that_is_damaged_or_of_other_pixels_is_ignored(profile: bytes, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    path = tmp_path / "picture.png"
    PIL.Image.fromarray(noise).save(path, icc_profile=profile)
    assert np.array_equal(read_image(path, LIMITS), noise)


def test_a_profile_s_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "picture.tiff"
    PIL.Image.new("RGB", (4, 4)).save(path, icc_profile=rgb_profile("Adobe RGB"))
    monkeypatch.setattr(profiles, "MAX_BYTES", 100)
    with pytest.raises(InputTooLargeError, match=r"picture\.tiff: a colour profile of \d+ bytes; at most 100 are read"):
        read_image(path, LIMITS)


def test_the_orientation_of_a_picture_with_a_profile(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    coded = _coded_in("Display P3", (180, 90, 60))
    PIL.Image.fromarray(np.tile(coded, (16, 32, 1))).save(
        path, quality=100, exif=exif, icc_profile=rgb_profile("Display P3")
    )
    shown = read_image(path, LIMITS)
    assert shown.shape == (32, 16, 3)
    assert np.abs(shown[8, 8].astype(int) - (180, 90, 60)).max() <= 4
