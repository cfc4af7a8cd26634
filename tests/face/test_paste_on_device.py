"""Paste-back with torch gives the CPU form's pixels. Tensors lie on the CPU here, or on a GPU where there is one."""

from __future__ import annotations

import numpy as np
import pytest

from lp_ray.base.arrays import Image, Matrix
from lp_ray.face.crop import Rectangle, invert
from lp_ray.face.paste_back import CROP_SIZE, PasteBack, place_of

torch = pytest.importorskip("torch")

from lp_ray.face.paste_on_device import PasteBackOnDevice, pictures_of  # noqa: E402

HEIGHT, WIDTH = 401, 603
"""Odd sides."""

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

RANDOM = 24
"""Random matrices tried."""


def _noise(seed: int, *shape: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def _random_place(seed: int) -> Matrix:
    """A crop anywhere on the picture or beyond its border, from a tiny one to one over all, at any angle."""
    rng = np.random.default_rng(seed)
    centre = (float(rng.uniform(-100, WIDTH + 100)), float(rng.uniform(-100, HEIGHT + 100)))
    return invert(Rectangle(centre, float(np.exp(rng.uniform(3, 7.2))), float(rng.uniform(-4, 4))).to_crop(CROP_SIZE))


def _on_cpu(picture: Image, faces: list[tuple[Image, Matrix]]) -> Image:
    made = picture.copy()
    for frame, matrix in faces:
        PasteBack(made.shape[:2], matrix).blend(frame, made)
    return made


def _on_device(picture: Image, faces: list[tuple[Image, Matrix]]) -> Image:
    made = pictures_of(picture, 1, DEVICE)
    for frame, matrix in faces:
        PasteBackOnDevice(picture.shape[:2], matrix, DEVICE).blend(torch.from_numpy(frame[None]).to(DEVICE), made)
    pasted: Image = made[0].cpu().numpy()
    return pasted


def test_same_pixels_within_1_on_random_matrices() -> None:
    changed = 0
    for seed in range(RANDOM):
        picture, face = _noise(seed, HEIGHT, WIDTH), (_noise(100 + seed, CROP_SIZE, CROP_SIZE), _random_place(seed))
        expected, made = _on_cpu(picture, [face]), _on_device(picture, [face])
        difference = np.abs(made.astype(int) - expected)
        assert difference.max() <= 1, f"matrix {seed}"
        assert (difference > 0).mean() < 0.01, "they round alike, so hardly a pixel differs"
        changed += bool((expected != picture).any())
    assert changed > RANDOM // 2, "most matrices reach the picture"


@pytest.mark.parametrize("centre", [(0, 0), (WIDTH, HEIGHT), (WIDTH / 2, 0), (0, HEIGHT), (5000, 200), (-900, -900)])
def test_same_pixels_at_borders_and_beyond(centre: tuple[float, float]) -> None:
    face = (_noise(1, CROP_SIZE, CROP_SIZE), invert(Rectangle(centre, 300, 0.3).to_crop(CROP_SIZE)))
    picture = _noise(0, HEIGHT, WIDTH)
    expected = _on_cpu(picture, [face])
    assert np.abs(_on_device(picture, [face]).astype(int) - expected).max() <= 1


def test_several_faces_that_overlap() -> None:
    """A level for each face is allowed: each is mixed with what the one before it left."""
    places = (((250, 200), 200, 0.1), ((330, 220), 180, -0.3), ((250, 210), 200, 0.1))
    faces = [
        (_noise(i, CROP_SIZE, CROP_SIZE), invert(Rectangle(*place).to_crop(CROP_SIZE)))
        for i, place in enumerate(places)
    ]
    picture = _noise(9, HEIGHT, WIDTH)
    difference = np.abs(_on_device(picture, faces).astype(int) - _on_cpu(picture, faces))
    assert difference.max() <= len(faces) and (difference > 1).mean() < 1e-3


def test_pixels_that_the_cpu_form_leaves_alone_stay() -> None:
    matrix, picture = _random_place(3), _noise(0, HEIGHT, WIDTH)
    place = place_of(matrix, (HEIGHT, WIDTH))
    assert place is not None
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[place.window] = place.weights > 0
    assert 0 < inside.mean() < 1
    for value in (0, 255):
        frame = np.full((CROP_SIZE, CROP_SIZE, 3), value, np.uint8)
        made = _on_device(picture, [(frame, matrix)])
        np.testing.assert_array_equal(made[~inside], picture[~inside])
        assert np.abs(made.astype(int) - _on_cpu(picture, [(frame, matrix)])).max() <= 1


def test_many_frames_at_once_are_each_alone() -> None:
    matrix, picture = _random_place(5), _noise(0, HEIGHT, WIDTH)
    frames = np.stack([_noise(i, CROP_SIZE, CROP_SIZE) for i in range(5)])
    together = pictures_of(picture, 5, DEVICE)
    PasteBackOnDevice((HEIGHT, WIDTH), matrix, DEVICE).blend(torch.from_numpy(frames).to(DEVICE), together)
    for made, frame in zip(together.cpu().numpy(), frames, strict=True):
        np.testing.assert_array_equal(made, _on_device(picture, [(frame, matrix)]))


def test_tensors_of_other_shapes_are_refused() -> None:
    paste = PasteBackOnDevice((HEIGHT, WIDTH), _random_place(5), DEVICE)
    frames, pictures = torch.zeros(2, 512, 512, 3).byte(), torch.zeros(2, HEIGHT, WIDTH, 3).byte()
    for given in ((frames[:1], pictures), (frames[:, :256], pictures), (frames.float(), pictures)):
        with pytest.raises(ValueError, match=r"expected uint8, \(2, 512, 512, 3\)"):
            paste.blend(*given)
    with pytest.raises(ValueError, match=r"expected uint8, \(2, 401, 603, 3\)"):
        paste.blend(frames, pictures[:, :, :600])
