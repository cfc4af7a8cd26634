"""Paste-back against the plain formulation: three-channel float mask, whole picture, every frame anew."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lp_ray.face.crop import Rectangle, invert
from lp_ray.face.paste_back import CROP_SIZE, PasteBack, soft_mask
from lp_ray.face.protocol import Image

HEIGHT, WIDTH = 400, 600

# Centre, side and angle of the crop in the picture: inside, turned, over an edge, over all, tiny.
PLACES = (
    ((300, 200), 250, 0.0),
    ((300, 200), 300, 0.5),
    ((20, 380), 350, -0.2),
    ((300, 200), 1500, 0.1),
    ((310.3, 150.7), 30, 2.0),
)


def plain(original: Image, matrix: np.ndarray, frame: Image) -> Image:
    """The reference's formulation, word for word from the goldens' README and the spec."""
    size = original.shape[1::-1]
    mask = cv2.warpAffine(np.repeat(soft_mask()[..., None], 3, 2), matrix, size).astype(np.float32) / 255
    warped = cv2.warpAffine(frame, matrix, size)
    return np.clip(mask * warped + (1 - mask) * original, 0, 255).astype(np.uint8)


def _noise(seed: int, height: int, width: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _back(centre: tuple[float, float], side: float, angle: float) -> np.ndarray:
    return invert(Rectangle(centre, side, angle).to_crop(CROP_SIZE))


@pytest.mark.parametrize("place", PLACES)
def test_same_pixels_as_the_plain_formulation(place: tuple[tuple[float, float], float, float]) -> None:
    original, matrix = _noise(0, HEIGHT, WIDTH), _back(*place)
    paste = PasteBack(original, matrix)
    for seed in (1, 2):  # the second frame finds used buffers
        frame = _noise(seed, CROP_SIZE, CROP_SIZE)
        expected = plain(original, matrix, frame)
        assert (expected != original).any()
        assert np.abs(paste.apply(frame).astype(int) - expected).max() <= 1


def test_the_source_and_earlier_results_stay_as_they_are() -> None:
    """Every result is an array of its own, and the source may be read-only."""
    original = _noise(0, HEIGHT, WIDTH)
    before = original.copy()
    original.setflags(write=False)
    paste = PasteBack(original, _back(*PLACES[1]))
    first = paste.apply(_noise(1, CROP_SIZE, CROP_SIZE))
    kept = first.copy()
    paste.apply(_noise(2, CROP_SIZE, CROP_SIZE))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(original, before)


def test_outside_of_the_crop_nothing_changes() -> None:
    original = _noise(0, HEIGHT, WIDTH)
    pasted = PasteBack(original, _back((300, 200), 200, 0.0)).apply(_noise(1, CROP_SIZE, CROP_SIZE))
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[100:301, 200:401] = False
    np.testing.assert_array_equal(pasted[outside], original[outside])


def test_a_crop_of_the_source_itself_changes_next_to_nothing() -> None:
    """At the crop's own resolution the round trip is exact."""
    original = _noise(0, 700, 800)
    square = Rectangle((400, 350), CROP_SIZE)
    to_crop = square.to_crop(CROP_SIZE)
    frame = cv2.warpAffine(original, to_crop, (CROP_SIZE, CROP_SIZE))
    pasted = PasteBack(original, invert(to_crop)).apply(frame.astype(np.uint8))
    assert np.abs(pasted.astype(int) - original).max() <= 1


def test_a_crop_off_the_picture_leaves_it_alone() -> None:
    original = _noise(0, HEIGHT, WIDTH)
    pasted = PasteBack(original, _back((5000, -900), 200, 0.3)).apply(_noise(1, CROP_SIZE, CROP_SIZE))
    np.testing.assert_array_equal(pasted, original)
    assert pasted is not original


@pytest.mark.parametrize("shape", [(256, 256, 3), (512, 512), (512, 512, 4)])
def test_frames_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    paste = PasteBack(_noise(0, HEIGHT, WIDTH), _back(*PLACES[0]))
    with pytest.raises(ValueError, match="paste-back takes 512"):
        paste.apply(np.zeros(shape, np.uint8))
