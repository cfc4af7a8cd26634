"""The networks one by one: box decoding, thresholds, suppression, and where points come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lp_ray.face.insightface.files import DETECTOR, POINTS_106, POINTS_203
from lp_ray.face.insightface.networks import FaceDetector, Network106, Network203
from lp_ray.face.insightface.sessions import open_session
from tests.face.insightface.drawn import Drawn, draw
from tests.face.insightface.models import pattern, turned


@pytest.fixture(scope="module")
def detector(folder: Path) -> FaceDetector:
    return FaceDetector(folder / DETECTOR, open_session(folder / DETECTOR, "cpu", 1))


@pytest.fixture(scope="module")
def network_106(folder: Path) -> Network106:
    return Network106(folder / POINTS_106, open_session(folder / POINTS_106, "cpu", 1))


@pytest.fixture(scope="module")
def network_203(folder: Path) -> Network203:
    return Network203(folder / POINTS_203, open_session(folder / POINTS_203, "cpu", 1))


def test_boxes_stand_about_their_anchors(detector: FaceDetector) -> None:
    """The first anchor under the dot is its corner, 8 pixels before its middle."""
    ((box, score),) = detector(draw(512, 512, Drawn(264, 200, 80, 204, 40)))
    assert box == pytest.approx((216, 152, 296, 232), abs=1e-3)
    assert score == pytest.approx(204 / 255, abs=1e-6)


@pytest.mark.parametrize(("height", "width"), [(768, 1024), (1024, 768), (256, 128), (1024, 1024)])
def test_pictures_of_other_sizes_are_fitted_into_512(detector: FaceDetector, height: int, width: int) -> None:
    """Boxes are found in a picture shrunk or enlarged to 512 on its longer side, at its upper left."""
    face = Drawn(64, 64, 48, 255, 30)
    box, score = detector(draw(height, width, face))[0]
    assert score == pytest.approx(1, abs=1e-3)
    factor = max(height, width) / 512
    middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    assert box[2] - box[0] == pytest.approx(60 * factor, rel=0.01)
    # Some anchor under the dot: one that interpolation leaves at its full brightness.
    assert np.abs(middle - (64, 64)).max() <= 8


@pytest.mark.parametrize(("level", "found"), [(38, 0), (39, 1)])
def test_threshold(detector: FaceDetector, level: int, found: int) -> None:
    """0.15 x 255 = 38.25."""
    assert len(detector(draw(512, 512, Drawn(264, 264, 80, level, 40)))) == found


@pytest.mark.parametrize(("apart", "found"), [(32, 1), (64, 2)])
def test_the_lesser_of_two_boxes_that_overlap_is_dropped(detector: FaceDetector, apart: int, found: int) -> None:
    """Boxes of 100: 32 pixels apart they share 0.52 of their union, 64 apart 0.22."""
    faces = Drawn(200, 264, 80, 153, 50), Drawn(200 + apart, 264, 80, 255, 50)
    boxes = detector(draw(512, 512, *faces))
    assert [score for _, score in boxes] == pytest.approx([1.0, 0.6][:found], abs=1e-6)
    assert boxes[0][0][0] == pytest.approx(200 + apart - 8 - 50, abs=1e-3)


def test_an_empty_picture_has_no_boxes(detector: FaceDetector) -> None:
    assert detector(draw(300, 400)) == []


def test_106_points_come_from_the_box(network_106: Network106) -> None:
    """The crop is 1.5 times the box: what it finds there lies where it was drawn, whatever the box."""
    face = Drawn(200, 150, 60)
    for box in ((170, 120, 230, 180), (160, 125, 240, 165)):
        points = network_106(draw(400, 300, face), box)
        assert np.abs(points - face.points(106)).max() < 0.3


def test_106_points_see_nothing_beyond_their_crop(network_106: Network106) -> None:
    """A box of 40 is read from 60 pixels around: a face from 31 pixels off on is not in it."""
    image = draw(400, 400, Drawn(271, 200, 80))  # begins at x = 231
    assert not np.isfinite(network_106(image, (180, 180, 220, 220))).any()
    assert np.isfinite(network_106(image, (184, 180, 224, 220))).all()


@pytest.mark.parametrize("degrees", [0.0, 30.0, -100.0, 180.0])
def test_203_points_stand_as_the_points_that_place_them(network_203: Network203, degrees: float) -> None:
    face = Drawn(220, 190, 66)
    placed_by = (220, 190) + 90 * turned(pattern(106), degrees)
    points = network_203(draw(400, 400, face), placed_by)
    assert np.abs(points - face.points(203, degrees)).max() < 0.3


def test_203_points_see_the_reference_crop(network_203: Network203) -> None:
    """Points of extent 100 about (200, 200): a square of 150 about (200, 185), so rows 110 to 260."""
    placed_by = (200, 200) + 100 * pattern(106)
    for y, seen in ((100, False), (106, True), (264, True), (270, False)):
        points = network_203(draw(400, 400, Drawn(200, y, 16)), placed_by)
        assert np.isfinite(points).all() == seen
    for x, seen in ((115, False), (121, True), (279, True), (285, False)):
        points = network_203(draw(400, 400, Drawn(x, 200, 16)), placed_by)
        assert np.isfinite(points).all() == seen
