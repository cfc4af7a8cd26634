"""Only what the engine changed reaches the picture; everything else keeps its own pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lp_ray.base.arrays import Image
from lp_ray.face.crop import Rectangle, cut_bordered
from lp_ray.face.paste_back import CROP_SIZE
from lp_ray.face.paste_changes import CELL, GROW, NOISE, SOFT, PasteChanges, changed

HEIGHT, WIDTH = 400, 600

# Centre, side and angle of the crop in the picture: inside, turned, over an edge, over two, over all, tiny.
PLACES = (
    ((300, 200), 250, 0.0),
    ((300, 200), 300, 0.5),
    ((590, 200), 350, 0.0),
    ((20, 380), 350, -0.2),
    ((300, 200), 1500, 0.1),
    ((310.3, 150.7), 30, 2.0),
)


def _noise(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _placed(picture: Image, place: tuple[tuple[float, float], float, float]) -> tuple[Image, np.ndarray]:
    to_crop = Rectangle(*place).to_crop(CROP_SIZE)
    return cut_bordered(picture, to_crop, CROP_SIZE), to_crop


@pytest.mark.parametrize("place", PLACES)
def test_a_frame_that_equals_its_crop_leaves_the_picture_alone(
    place: tuple[tuple[float, float], float, float],
) -> None:
    """To the byte, also where the crop reaches past the picture, and with noise of an encoder's size."""
    picture = _noise(0)
    crop, to_crop = _placed(picture, place)
    pasted = picture.copy()
    PasteChanges(crop, to_crop).blend(crop, pasted)
    np.testing.assert_array_equal(pasted, picture)
    noisy = np.clip(crop.astype(int) + NOISE, 0, 255).astype(np.uint8)
    PasteChanges(crop, to_crop).blend(noisy, pasted)
    np.testing.assert_array_equal(pasted, picture)


@pytest.mark.parametrize("place", PLACES[:4])
def test_what_the_engine_changed_is_written_and_nothing_further_off(
    place: tuple[tuple[float, float], float, float],
) -> None:
    picture = cv2.GaussianBlur(_noise(0), (0, 0), 8)
    crop, to_crop = _placed(picture, place)
    frame = crop.copy()
    frame[200:300, 150:260] = (255, 0, 255)
    pasted = picture.copy()
    PasteChanges(crop, to_crop).blend(frame, pasted)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    u, v = np.einsum("ij,jhw->ihw", to_crop[:, :2], np.stack([x, y])) + to_crop[:, 2][:, None, None]
    painted = (np.abs(u - 204.5) < 53) & (np.abs(v - 249.5) < 48)
    assert painted.any()
    assert np.abs(pasted[painted].astype(int) - (255, 0, 255)).max() <= 1
    reach = GROW + (SOFT + 4) * CELL + 2 * place[1] / CROP_SIZE
    far = (np.abs(u - 204.5) > 55 + reach) | (np.abs(v - 249.5) > 50 + reach)
    np.testing.assert_array_equal(pasted[far], picture[far])


def test_a_face_leaves_the_other_in_its_crop_as_it_was_animated() -> None:
    """Crops of neighbours overlap: the second is not put over what the first has changed."""
    picture = cv2.GaussianBlur(_noise(0), (0, 0), 8)
    pasted = picture.copy()
    pastes = []
    for centre in ((250, 200), (350, 200)):
        crop, to_crop = _placed(picture, (centre, 256, 0.0))
        frame = crop.copy()
        frame[236:276, 236:276] = 255 if centre[0] == 250 else 0
        pastes.append((PasteChanges(crop, to_crop), frame))
    for paste, frame in pastes:
        paste.blend(frame, pasted)
    assert pasted[200, 250].min() >= 254 and pasted[200, 350].max() <= 1


def test_a_frame_that_differs_at_the_crops_border_ends_in_no_step() -> None:
    picture = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    crop, to_crop = _placed(picture, ((300, 200), 256, 0.0))
    pasted = picture.copy()
    PasteChanges(crop, to_crop).blend(np.full_like(crop, 200), pasted)
    row = pasted[200].astype(int)
    assert row[300].min() >= 199 and np.abs(np.diff(row, axis=0)).max() < 20
    assert (row[:171] == 100).all() and (row[430:] == 100).all()


@pytest.mark.parametrize("centre", [(5000, 200), (-900, 200), (300, 5000), (300, -900)])
def test_a_crop_off_the_picture_leaves_it_alone(centre: tuple[float, float]) -> None:
    picture = _noise(0)
    crop, to_crop = _placed(picture, (centre, 200, 0.3))
    pasted = picture.copy()
    PasteChanges(crop, to_crop).blend(255 - crop, pasted)
    np.testing.assert_array_equal(pasted, picture)


def test_other_shapes_are_refused() -> None:
    picture = _noise(0)
    crop, to_crop = _placed(picture, PLACES[0])
    with pytest.raises(ValueError, match="paste-back takes 512"):
        PasteChanges(crop[:256], to_crop)
    with pytest.raises(ValueError, match="paste-back takes"):
        PasteChanges(crop, to_crop).blend(crop[:256], picture)
    locked = picture.copy()
    locked.setflags(write=False)
    with pytest.raises(ValueError, match="writable"):
        PasteChanges(crop, to_crop).blend(255 - crop, locked)


@pytest.mark.parametrize("place", [(256, 256), (131, 402), (60, 255), (302, 33)])
def test_one_changed_pixel_takes_its_surroundings_along(place: tuple[int, int]) -> None:
    """So that texture which moved by less than it shows leaves no islands of the unmoved picture."""
    crop = np.full((CROP_SIZE, CROP_SIZE, 3), 100, np.uint8)
    frame = crop.copy()
    frame[place][1] += NOISE + 1
    weights = changed(frame, crop)
    y, x = np.mgrid[0:CROP_SIZE, 0:CROP_SIZE]
    away = np.hypot(y - place[0], x - place[1])
    assert weights[away <= GROW].min() == 255
    assert weights[away > GROW + (SOFT + 4) * CELL].max() == 0


@pytest.mark.parametrize("place", PLACES[:4])
def test_a_fourth_channel_is_written_where_any_of_them_changes(
    place: tuple[tuple[float, float], float, float],
) -> None:
    """White hair before white moves in its opacity alone."""
    picture = cv2.GaussianBlur(_noise(0), (0, 0), 8)
    crop, to_crop = _placed(picture, place)
    whole = [np.ascontiguousarray(np.dstack([image, image[..., 0]])) for image in (picture, crop)]
    frame = whole[1].copy()
    frame[200:300, 150:260, 3] = 255
    pasted = whole[0].copy()
    PasteChanges(whole[1], to_crop).blend(whole[1], pasted)
    np.testing.assert_array_equal(pasted, whole[0])
    PasteChanges(whole[1], to_crop).blend(frame, pasted)
    assert (pasted[..., 3] != whole[0][..., 3]).any()
    assert np.abs(pasted[..., :3].astype(int) - picture).max() < 60, "colours are the same, drawn again"
    with pytest.raises(ValueError, match="H x W x 4"):
        PasteChanges(whole[1], to_crop).blend(frame, picture.copy())
