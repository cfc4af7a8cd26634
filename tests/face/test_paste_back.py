"""Paste-back against the plain formulation: three-channel float mask, whole picture, every frame anew."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lp_ray.base.arrays import Image
from lp_ray.face.crop import Rectangle, invert
from lp_ray.face.paste_back import CROP_SIZE, PasteBack, soft_mask

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


def _pasted(paste: PasteBack, original: Image, frame: Image) -> Image:
    picture = original.copy()
    paste.blend(frame, picture)
    return picture


@pytest.mark.parametrize("place", PLACES)
def test_same_pixels_as_the_plain_formulation(place: tuple[tuple[float, float], float, float]) -> None:
    matrix = _back(*place)
    paste = PasteBack((HEIGHT, WIDTH), matrix)
    for seed in (1, 2):  # the second frame finds used buffers, and another picture
        original, frame = _noise(10 + seed, HEIGHT, WIDTH), _noise(seed, CROP_SIZE, CROP_SIZE)
        expected = plain(original, matrix, frame)
        assert (expected != original).any()
        assert np.abs(_pasted(paste, original, frame).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("place", PLACES)
def test_a_fourth_channel_is_pasted_like_the_others(place: tuple[tuple[float, float], float, float]) -> None:
    matrix = _back(*place)
    original, frame = _noise(10, HEIGHT, WIDTH), _noise(1, CROP_SIZE, CROP_SIZE)
    expected = _pasted(PasteBack((HEIGHT, WIDTH), matrix), original, frame)
    paste = PasteBack((HEIGHT, WIDTH), matrix, channels=4)
    made = _pasted(paste, np.dstack([original, original[..., 1]]), np.dstack([frame, frame[..., 1]]))
    np.testing.assert_array_equal(made, np.dstack([expected, expected[..., 1]]))
    with pytest.raises(ValueError, match="512 x 512 x 4"):
        paste.blend(frame, original)


def test_several_faces_go_into_one_picture_over_each_other() -> None:
    """Rims of the second face lie on pixels of the first, and are mixed with those."""
    picture = _noise(0, HEIGHT, WIDTH)
    expected = picture.copy()
    for seed, place in enumerate((((250, 200), 200, 0.1), ((330, 220), 180, -0.3), ((250, 200), 200, 0.1))):
        matrix, frame = _back(*place), _noise(seed, CROP_SIZE, CROP_SIZE)
        expected = plain(expected, matrix, frame)
        PasteBack((HEIGHT, WIDTH), matrix).blend(frame, picture)
    assert np.abs(picture.astype(int) - expected).max() <= 3  # one level for each


def test_frames_and_pictures_may_be_read_only_or_slices_where_that_does_no_harm() -> None:
    frame = _noise(1, CROP_SIZE, CROP_SIZE)
    paste = PasteBack((HEIGHT, WIDTH), _back(*PLACES[1]))
    expected = _pasted(paste, _noise(0, HEIGHT, WIDTH), frame)
    held = np.repeat(frame, 2, 1)[:, ::2]
    held.setflags(write=False)
    np.testing.assert_array_equal(_pasted(paste, _noise(0, HEIGHT, WIDTH), held), expected)
    wide = np.zeros((HEIGHT, 2 * WIDTH, 3), np.uint8)
    locked = _noise(0, HEIGHT, WIDTH)
    locked.setflags(write=False)
    for picture in (wide[:, :WIDTH], locked):
        with pytest.raises(ValueError, match="writable array in one piece"):
            paste.blend(frame, picture)


def test_outside_of_the_crop_nothing_changes() -> None:
    original = _noise(0, HEIGHT, WIDTH)
    paste = PasteBack((HEIGHT, WIDTH), _back((300, 200), 200, 0.0))
    pasted = _pasted(paste, original, _noise(1, CROP_SIZE, CROP_SIZE))
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[100:301, 200:401] = False
    np.testing.assert_array_equal(pasted[outside], original[outside])
    assert (pasted != original).any()


def test_a_crop_of_the_source_itself_changes_next_to_nothing() -> None:
    """At the crop's own resolution the round trip is exact."""
    original = _noise(0, 700, 800)
    square = Rectangle((400, 350), CROP_SIZE)
    to_crop = square.to_crop(CROP_SIZE)
    frame = cv2.warpAffine(original, to_crop, (CROP_SIZE, CROP_SIZE))
    pasted = _pasted(PasteBack((700, 800), invert(to_crop)), original, frame.astype(np.uint8))
    assert np.abs(pasted.astype(int) - original).max() <= 1


@pytest.mark.parametrize("centre", [(5000, 200), (-900, 200), (300, 5000), (300, -900), (5000, -900)])
def test_a_crop_off_the_picture_leaves_it_alone(centre: tuple[float, float]) -> None:
    """On whichever side it lies."""
    original = _noise(0, HEIGHT, WIDTH)
    paste = PasteBack((HEIGHT, WIDTH), _back(centre, 200, 0.3))
    np.testing.assert_array_equal(_pasted(paste, original, _noise(1, CROP_SIZE, CROP_SIZE)), original)


@pytest.mark.parametrize("shape", [(256, 256, 3), (512, 512), (512, 512, 4)])
def test_frames_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    paste = PasteBack((HEIGHT, WIDTH), _back(*PLACES[0]))
    with pytest.raises(ValueError, match="paste-back takes 512"):
        paste.blend(np.zeros(shape, np.uint8), _noise(0, HEIGHT, WIDTH))


def test_pictures_of_other_shapes_are_refused() -> None:
    paste = PasteBack((HEIGHT, WIDTH), _back(*PLACES[0]))
    with pytest.raises(ValueError, match=r"expected uint8, \(400, 600, 3\)"):
        paste.blend(_noise(0, CROP_SIZE, CROP_SIZE), _noise(0, WIDTH, HEIGHT))
