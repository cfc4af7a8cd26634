"""An animal through a clip: followed by the picture, found again by the detector, lost where it is."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import skimage.data

from lp_ray.base.arrays import Image, Matrix
from lp_ray.face.animal_track import LOOK_EVERY, track_animal, track_box
from lp_ray.face.crop import transform_points
from lp_ray.face.protocol import Face
from tests.face.film import background

BOX = (115.0, 45.0, 290.0, 220.0)
MIDDLE = np.array([[202.5, 132.5]])
POINTS = np.array([[160, 100], [245, 95], [200, 150], [170, 190], [235, 190], [202, 200]], float)
"""Eyes, nose and mouth of the cat, more or less."""


def _way(n: int) -> list[Matrix]:
    """A cat that leans, comes nearer and wanders: up to 4 pixels, 1 degree and 2 % a frame."""
    ways = []
    for i in range(n):
        way = cv2.getRotationMatrix2D((202, 132), 8 * np.sin(i / 9), 1 + 0.15 * np.sin(i / 8))
        way[:, 2] += 25 * np.sin(i / 8), 12 * np.sin(i / 5)
        ways.append(way)
    return ways


def _film(ways: Sequence[Matrix]) -> list[Image]:
    cat = skimage.data.chelsea()
    return [np.asarray(cv2.warpAffine(cat, way, (451, 300), borderMode=cv2.BORDER_REFLECT)) for way in ways]


def test_a_box_is_followed_in_place_and_size_and_stays_upright() -> None:
    """Over sixty frames, never off by more than a pixel, nor by more than 1 % in size."""
    ways = _way(60)
    for tracked, way in zip(track_box(_film(ways), BOX), ways, strict=True):
        assert tracked.found
        np.testing.assert_allclose(tracked.points.mean(0), transform_points(MIDDLE, way)[0], atol=1.0)
        width, height = np.ptp(tracked.points, axis=0)
        assert width == pytest.approx(height) == pytest.approx(175 * np.sqrt(np.linalg.det(way[:, :2])), rel=0.01)


class Detector:
    """Knows where the face is in frames that it is shown, and errs; says nothing where it is told to."""

    def __init__(self, film: Sequence[Image], ways: Sequence[Matrix], blind: range = range(0)) -> None:
        self.film, self.ways, self.blind = film, ways, blind
        self.asked: list[int] = []

    def look(self, image: Image) -> list[Face]:
        (at,) = (i for i, frame in enumerate(self.film) if frame is image)
        self.asked.append(at)
        if at in self.blind:
            return []
        off = np.random.default_rng(at).normal(0, 1.5, POINTS.shape)
        away = Face(POINTS + 900, 0.99)
        return [away, Face(transform_points(POINTS, self.ways[at]) + off, 0.5)]


def test_it_is_looked_for_every_twelfth_frame_and_followed_between_without_a_jump() -> None:
    """Another animal, which the detector likes better from the second look on, is not taken for it."""
    ways = _way(40)
    film = _film(ways)
    detector = Detector(film, ways)
    found = list(track_animal(film, detector.look, "left-right"))
    assert detector.asked == [0, LOOK_EVERY, 2 * LOOK_EVERY, 3 * LOOK_EVERY]
    truth = [transform_points(POINTS, way) for way in ways]
    assert all(one.found and np.abs(one.points - true).max() < 6 for one, true in zip(found, truth, strict=True))
    steps, due = (np.diff(list(track), axis=0) for track in ([one.points for one in found], truth))
    assert np.abs(steps - due).max() < 1.0, "what a look corrects is spread over the frames before it"


def test_where_the_detector_is_blind_it_is_followed_on() -> None:
    ways = _way(30)
    film = _film(ways)
    found = list(track_animal(film, Detector(film, ways, range(LOOK_EVERY, 30)).look, "left-right"))
    assert all(one.found for one in found)
    assert np.abs(found[-1].points - transform_points(POINTS, ways[-1])).max() < 6


def test_hidden_it_is_lost_and_found_at_the_next_look() -> None:
    """Nothing is followed across a cut, and nothing is invented while it is away."""
    ways = _way(3 * LOOK_EVERY)
    film = _film(ways)
    gone = range(5, LOOK_EVERY + 6)
    for i in gone:
        film[i] = background(i % 2, 451, 300)
    found = list(track_animal(film, Detector(film, ways, gone).look, "left-right"))
    assert [i for i, one in enumerate(found) if not one.found] == [*range(5, 2 * LOOK_EVERY)]
    assert np.abs(found[-1].points - transform_points(POINTS, ways[-1])).max() < 6
    lost = list(track_box(film, BOX))
    assert [one.found for one in lost] == [True] * 5 + [False] * (len(film) - 5)
