"""Everybody through a clip: who crosses, hides, leaves or comes stays the same person. Real faces on made clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from lp_ray.base.arrays import Box, Image
from lp_ray.face.follow import SAME
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.people import PeopleTracker
from lp_ray.face.protocol import Face
from tests.face.film import SIDE, Head, background, middle

Heads = Sequence[Head]


def _track(landmarker: MediaPipeLandmarker, frames: Sequence[Image]) -> list[list[Face | None]]:
    """Return the faces of each frame, one for each person of the whole clip."""
    tracker = PeopleTracker(landmarker)
    found = [tracker.find(frame) for frame in frames]
    return [[*faces, *[None] * (len(found[-1]) - len(faces))] for faces in found]


def _at(face: Face | None, x: float, off: float = 0.1) -> bool:
    return face is not None and abs(middle(face.points) - x) < off * SIDE


def _crossing(heads: Heads, one: int, other: int, step: float) -> tuple[list[Image], np.ndarray, np.ndarray]:
    """`one` goes to the right, `other` to the left in front of it. Returns the frames and where both are."""
    ours = np.arange(120.0, 520.0, step)
    theirs = 640 - ours
    frames = [
        heads[other].paste(heads[one].paste(background(1), x, 180), there, 186)
        for x, there in zip(ours, theirs, strict=True)
    ]
    return frames, ours, theirs


@pytest.mark.parametrize(("one", "other", "step"), [(0, 6, 16), (5, 4, 6), (3, 1, 12), (6, 2, 32)])
def test_two_who_cross_stay_who_they_are(
    landmarker: MediaPipeLandmarker, heads: Heads, one: int, other: int, step: float
) -> None:
    """Slow (half hidden for many frames) and fast; who is hidden is missing meanwhile, and nobody is invented."""
    frames, ours, theirs = _crossing(heads, one, other, step)
    found = _track(landmarker, frames)
    assert {len(faces) for faces in found} == {2}
    for (mine, your), x, there in zip(found, ours, theirs, strict=True):
        assert your is not None and _at(your, there)
        assert mine is None or mine.move_from(your) > SAME, "two people are never one face"
        if abs(x - there) > SIDE:
            assert _at(mine, x)
        else:
            assert mine is None or _at(mine, x, 0.15)  # half a face
    assert any(mine is None for mine, _ in found)


@pytest.mark.parametrize(("one", "other"), [(2, 6), (4, 1)])
def test_two_who_are_exchanged_between_two_frames_are_told_apart_by_their_looks(
    landmarker: MediaPipeLandmarker, heads: Heads, one: int, other: int
) -> None:
    """They touch, and in the next frame each is where the other was: no motion of points tells that."""
    places = [(237, 393)] * 4 + [(393, 237)] * 4
    frames = [heads[other].paste(heads[one].paste(background(2), x, 180), there, 180) for x, there in places]
    found = _track(landmarker, frames)
    assert all(_at(face, x) for faces, xs in zip(found, places, strict=True) for face, x in zip(faces, xs, strict=True))


def test_who_comes_later_is_a_new_person_and_who_comes_back_is_not(
    landmarker: MediaPipeLandmarker, heads: Heads
) -> None:
    """The first leaves to the left and comes back from the right, after the second has come."""
    alone = [heads[6].paste(background(3), x, 180) for x in np.arange(320.0, -120, -40)]
    others = [heads[2].paste(background(3), 200, 180)] * 25
    both = [heads[6].paste(others[0], x, 180) for x in np.arange(760.0, 440, -40)]
    found = _track(landmarker, [*alone, *others, *both])
    assert {len(faces) for faces in found} == {2}
    assert _at(found[0][0], 320) and found[0][1] is None
    assert found[len(alone) + 24][0] is None and _at(found[len(alone) + 24][1], 200)
    assert _at(found[-1][0], 480) and _at(found[-1][1], 200)


class Drifting:
    """Follows every face a little towards the last one, as a landmarker may do where that one hides it."""

    name, digest, n_points = "drifting", "", 4

    def __init__(self, faces: list[Face]) -> None:
        self.faces = faces

    def detect(self, image: Image) -> list[Face]:
        return self.faces

    def detect_in_box(self, image: Image, box: Box) -> Face | None:
        return None

    def follow(self, image: Image, previous: Face) -> Face | None:
        return Face(0.7 * previous.points + 0.3 * self.faces[-1].points, 1.0)


def test_two_who_are_followed_to_one_face_are_looked_for_again() -> None:
    """Nothing is known of their looks here: places alone tell whose the one face is that is left."""
    square = np.array([[0.0, 0.0], [0.0, 100.0], [100.0, 0.0], [100.0, 100.0]])
    hidden, hiding = Face(square + 100, 1.0), Face(square + np.array([112.0, 100.0]), 1.0)
    landmarker = Drifting([hidden, hiding])
    tracker = PeopleTracker(landmarker, embed=lambda image, face: np.empty(0, np.float32))
    assert tracker.find(background(1)) == [hidden, hiding]
    landmarker.faces = [hiding]
    assert tracker.find(background(1)) == [None, hiding]


def test_after_a_cut_people_are_known_by_their_looks(landmarker: MediaPipeLandmarker, heads: Heads) -> None:
    """They have changed places in the new scene, in which a third sits at the left."""
    before = [heads[6].paste(heads[0].paste(background(4), 160, 180), 480, 180)] * 3
    after = [heads[4].paste(heads[0].paste(heads[6].paste(background(5), 330, 180), 530, 180), 120, 180)] * 3
    found = _track(landmarker, [*before, *after])
    assert _at(found[0][0], 160) and _at(found[0][1], 480) and found[0][2] is None
    assert _at(found[-1][0], 530) and _at(found[-1][1], 330) and _at(found[-1][2], 120)
