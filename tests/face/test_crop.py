"""Crop geometry by its own laws; the reference's numbers are in tests/golden/test_geometry.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.base.arrays import Image
from lp_ray.face.crop import (
    DrivingCrop,
    Rectangle,
    cut,
    cut_bordered,
    driving_boxes,
    invert,
    limit_size,
    shrink,
    transform_points,
)
from lp_ray.face.framing import SourceFraming
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.points import two_points


def _points(seed: int, n_frames: int = 1, n_points: int = 203) -> np.ndarray:
    return np.random.default_rng(seed).uniform(50, 250, (n_frames, n_points, 3))


@pytest.mark.parametrize("name", ["s9", "s12", "s3"])
def test_a_source_crop_stands_upright_around_the_face(
    landmarker: MediaPipeLandmarker, portrait: Callable[[str], Image], name: str
) -> None:
    """Eyes above the mouth in the middle, landmarks where the landmarker finds them in the crop itself."""
    image = portrait(name)
    face = landmarker.detect(image)[0]
    to_crop = SourceFraming().matrix(face.points, 512)
    crop, points = cut(image, to_crop, 512), transform_points(face.points, to_crop)
    eyes, mouth = two_points(points)
    assert eyes[0] == pytest.approx(mouth[0], abs=1e-6)
    assert 150 < eyes[1] < mouth[1] < 400
    again = landmarker.detect(crop)
    assert len(again) == 1
    assert np.linalg.norm((again[0].points - points)[:, :2], axis=1).mean() < 4
    assert np.ptp(points[:, 2]) == pytest.approx(np.ptp(again[0].points[:, 2]), rel=0.1)


@given(st.integers(0, 2**16), st.floats(0.5, 5), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_a_rectangle_fills_its_crop(seed: int, scale: float, vx: float, vy: float) -> None:
    square = Rectangle.of_points(_points(seed)[0], scale, vx, vy)
    corners = transform_points(square.corners, square.to_crop(256))
    np.testing.assert_allclose(corners, [(0, 0), (256, 0), (256, 256), (0, 256)], atol=1e-6)


def test_shifts_move_the_face_the_other_way() -> None:
    """vx and vy are shares of the side: the crop goes right and down, so the face goes left and up in it."""
    points = _points(1)[0]
    still, moved = (
        transform_points(points, Rectangle.of_points(points, 2, *shift).to_crop(100)) for shift in ((0, 0), (0.1, -0.2))
    )
    np.testing.assert_allclose((moved - still)[:, :2], np.broadcast_to((-10, 20), (203, 2)), atol=1e-6)


def test_there_and_back() -> None:
    points = _points(2)[0]
    matrix = SourceFraming().matrix(points, 512)
    np.testing.assert_allclose(transform_points(transform_points(points, matrix), invert(matrix)), points)


def test_transforming_leaves_its_input_alone() -> None:
    points = _points(3)[0]
    before = points.copy()
    transform_points(points, SourceFraming().matrix(points, 512))
    np.testing.assert_array_equal(points, before)


def test_driving_boxes_of_many_frames_are_those_of_each() -> None:
    points = _points(4, 6, 478)
    one_by_one = np.concatenate([driving_boxes(frame[None]) for frame in points])
    np.testing.assert_allclose(driving_boxes(points), one_by_one)


def test_a_clips_crop_is_the_mean_of_its_frames() -> None:
    """Also for a clip longer than what is read at once."""
    points = np.concatenate([_points(5, 1000, 5), _points(6, 500, 5) + 80])
    corners = transform_points(np.array([(0.0, 0), (512, 512)]), invert(DrivingCrop.of_clip(points, 256).matrix))
    x0, y0, x1, _ = driving_boxes(points).mean(0)
    np.testing.assert_allclose(corners, [(x0, y0), (x1, y0 + x1 - x0)], atol=1e-4)


def test_a_driving_crop_shows_the_face_in_every_frame(
    landmarker: MediaPipeLandmarker, clip: Callable[[str, float], list[Image]]
) -> None:
    frames = clip("d6", 0.5)[::4]
    points = np.stack([landmarker.detect(frame)[0].points for frame in frames])
    crop = DrivingCrop.of_clip(points, 256)
    for frame in frames:
        picture = crop.cut(frame)
        assert picture.shape == (256, 256, 3)
        (found,) = landmarker.detect(picture)
        x0, y0, x1, y1 = found.box
        assert 0 < x0 < 128 < x1 < 256
        assert 0 < y0 < 128 < y1 < 256


@given(st.integers(2, 300), st.integers(2, 300), st.integers(8, 400))
def test_limited_sizes_are_even_and_within(height: int, width: int, max_dim: int) -> None:
    limited = limit_size(np.zeros((height, width, 3), np.uint8), max_dim)
    assert max(limited.shape[:2]) <= max_dim
    if min(height, width) * max_dim >= 2 * max(height, width):
        assert limited.shape[0] % 2 == limited.shape[1] % 2 == 0


def test_small_even_pictures_pass_as_they_are() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    np.testing.assert_array_equal(limit_size(image, 60), image)


def test_shrinking_averages() -> None:
    """A checkerboard of single pixels becomes grey."""
    board = np.indices((512, 512)).sum(0) % 2 * 255
    small = shrink(np.repeat(board[..., None], 3, 2).astype(np.uint8), 256)
    assert small.shape == (256, 256, 3)
    assert np.abs(small.astype(int) - 128).max() <= 1


@pytest.mark.parametrize("side", [200, 512, 700, 1500])
def test_a_bordered_crop_lies_where_the_plain_one_does_and_has_no_black(side: int) -> None:
    """Of any size: a smooth picture gives the same pixels, and past its edge its border goes on."""
    y, x = np.mgrid[0:800, 0:1000]
    smooth = np.stack([60 + x * 0.15, 60 + y * 0.2, 200 - (x + y) * 0.05], 2).astype(np.uint8)
    inside = Rectangle((500.0, 400.0), min(side, 560), 0.2).to_crop(512)
    difference = cut_bordered(smooth, inside, 512).astype(int) - cut(smooth, inside, 512)
    assert np.abs(difference).max() <= 2 and abs(difference.mean()) < 0.3
    past = Rectangle((900.0, 700.0), float(side), 0.0).to_crop(512)
    crop = cut_bordered(smooth, past, 512)
    assert crop.min() >= 59
    if side > 300:
        assert np.ptp(crop[-10:, -10:].reshape(-1, 3), axis=0).max() <= 2


def test_a_shrunk_bordered_crop_is_an_average_and_not_a_sample() -> None:
    stripes = np.zeros((1200, 1200, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = cut_bordered(stripes, Rectangle((600.0, 600.0), 1100.0).to_crop(512), 512)[100:-100, 100:-100]
    assert np.abs(crop.astype(int) - 128).max() < 70
    assert np.ptp(cut(stripes, Rectangle((600.0, 600.0), 1100.0).to_crop(512), 512)) > 200
