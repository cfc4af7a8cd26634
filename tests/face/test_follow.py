"""One person through a clip: fast, blurred, behind and before others, gone, cut away. Real faces on made clips."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from lp_ray.base.arrays import Image
from lp_ray.face.follow import MAX_HIDDEN, FaceTracker
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.protocol import Face
from tests.face.film import HEIGHT, SIDE, WIDTH, Head, background, middle

NEAR = 0.05
Heads = Sequence[Head]


def _track(landmarker: MediaPipeLandmarker, frames: Sequence[Image], rule: str = "left-right") -> list[Face | None]:
    tracker = FaceTracker(landmarker, rule, None)
    return [tracker.find(frame) for frame in frames]


def _off(landmarker: MediaPipeLandmarker, face: Face | None, frame: Image) -> float:
    """How far a face is from the nearest of a fresh detection, over its side."""
    assert face is not None
    return min(face.move_from(fresh) for fresh in landmarker.detect(frame))


@pytest.mark.parametrize(("own", "other", "step"), [(0, 6, 30), (5, 4, 32), (2, 6, 16), (5, 6, 11), (6, 5, 48)])
def test_who_passes_in_front_is_not_taken(
    landmarker: MediaPipeLandmarker, heads: Heads, own: int, other: int, step: int
) -> None:
    """`step` pixels a frame from right to left, over a face that hardly moves: hidden meanwhile, and found again."""
    theirs = np.arange(530.0, 110.0, -step)
    ours = np.linspace(280, 340, len(theirs))
    frames = [
        heads[other].paste(heads[own].paste(background(1), x, 180), there, 186)
        for x, there in zip(ours, theirs, strict=True)
    ]
    found = _track(landmarker, frames)
    apart = np.abs(ours - theirs) > 0.2 * SIDE
    for face, x, there, clear in zip(found, ours, theirs, apart, strict=True):
        if face is not None and clear:
            assert abs(middle(face.points) - x) < abs(middle(face.points) - there)
    assert any(face is None for face in found)
    for face, x in ((found[0], ours[0]), (found[-1], ours[-1])):
        assert face is not None and middle(face.points) == pytest.approx(x, abs=0.1 * SIDE)


@pytest.mark.parametrize(("own", "other"), [(0, 3), (6, 1)])
def test_who_passes_behind_does_not_matter(landmarker: MediaPipeLandmarker, heads: Heads, own: int, other: int) -> None:
    theirs = np.arange(530.0, 110.0, -20)
    ours = np.linspace(220, 380, len(theirs))
    frames = [
        heads[own].paste(heads[other].paste(background(1), there, 190), x, 180)
        for x, there in zip(ours, theirs, strict=True)
    ]
    for face, x in zip(_track(landmarker, frames), ours, strict=True):
        assert face is not None and middle(face.points) == pytest.approx(x, abs=0.1 * SIDE)


@pytest.mark.parametrize(("step", "blur"), [(32, 24), (48, 0)])
def test_a_fast_face_is_where_a_fresh_detection_finds_it(
    landmarker: MediaPipeLandmarker, heads: Heads, step: int, blur: int
) -> None:
    """Up to 0.3 face sizes a frame, sharp and smeared by its motion, to and fro."""
    there = np.arange(120.0, 530.0, step)
    frames = [heads[6].paste(background(2), x, 180, blur) for x in (*there, *there[::-1])]
    for face, frame in zip(_track(landmarker, frames), frames, strict=True):
        assert _off(landmarker, face, frame) < NEAR


def test_one_leaves_and_another_enters(landmarker: MediaPipeLandmarker, heads: Heads) -> None:
    """Nobody is invented between them, and who enters is taken as soon as a detection sees a face."""
    out = [heads[6].paste(background(3), x, 180) for x in np.arange(320.0, 760, 40)]
    empty = [background(3)] * 3
    enters = [heads[2].paste(background(3), x, 180) for x in np.arange(-100.0, 320, 40)]
    found = _track(landmarker, [*out, *empty, *enters])
    assert found[0] is not None and found[-1] is not None
    assert found[len(out) : len(out) + len(empty)] == [None] * len(empty)
    assert middle(found[-1].points) == pytest.approx(300, abs=0.1 * SIDE)
    first = next(i for i, frame in enumerate(enters) if landmarker.detect(frame))
    assert all(face is not None for face in found[len(out) + len(empty) + first :])


@pytest.mark.parametrize("place", [(300, 180), (470, 200)], ids=["same place", "elsewhere"])
def test_a_cut_to_another_face(landmarker: MediaPipeLandmarker, heads: Heads, place: tuple[int, int]) -> None:
    """From the first frame of the new scene on the points are on the new face."""
    before = [heads[6].paste(background(4), 300 + 2 * i, 180) for i in range(3)]
    after = [heads[2].paste(background(5), place[0] + 2 * i, place[1]) for i in range(3)]
    found = _track(landmarker, [*before, *after])
    for face, frame in zip(found, [*before, *after], strict=True):
        assert _off(landmarker, face, frame) < NEAR


def test_after_a_cut_the_rule_chooses(landmarker: MediaPipeLandmarker, heads: Heads) -> None:
    """As in the clip's first frame: the leftmost, though one of the new faces is nearer to the old one's place."""
    before = [heads[6].paste(background(4), 420, 180)] * 2
    after = [heads[2].paste(heads[1].paste(background(5), 140, 180), 500, 180)] * 2
    last = _track(landmarker, [*before, *after])[-1]
    assert last is not None and middle(last.points) == pytest.approx(140, abs=0.1 * SIDE)


def test_a_dissolve_ends_on_the_new_face(landmarker: MediaPipeLandmarker, heads: Heads) -> None:
    one, two = heads[6].paste(background(4), 280, 180), heads[2].paste(background(5), 330, 170)
    frames = [cv2.addWeighted(one, 1 - w, two, w, 0).astype(np.uint8) for w in np.linspace(0, 1, 9)]
    found = _track(landmarker, [*frames, two])
    assert _off(landmarker, found[0], one) < NEAR and _off(landmarker, found[-1], two) < NEAR


def _hidden(group: Image, face: Face) -> Image:
    """The group photo with one face painted over."""
    x0, y0, x1, y1 = (round(value) for value in face.box)
    painted = group.copy()
    painted[y0 - 30 : y1 + 10, x0 - 10 : x1 + 10] = 60
    return painted


def test_a_neighbour_is_not_taken_for_a_hidden_face(landmarker: MediaPipeLandmarker, group_photo: Image) -> None:
    (first,) = _track(landmarker, [group_photo], "2")
    assert first is not None
    hidden = _hidden(group_photo, first)
    found = _track(landmarker, [group_photo, hidden, hidden, hidden, group_photo], "2")
    assert found[1:4] == [None] * 3
    assert found[4] is not None and found[4].move_from(first) < NEAR


def test_a_face_that_stays_hidden_is_given_up(landmarker: MediaPipeLandmarker, group_photo: Image) -> None:
    """After MAX_HIDDEN frames, the rule chooses again among the visible faces."""
    three = group_photo[:, 600:]
    (first,) = _track(landmarker, [three], "right-left")
    assert first is not None
    hidden = _hidden(three, first)
    (next_one,) = _track(landmarker, [hidden], "right-left")
    found = _track(landmarker, [three, *[hidden] * (MAX_HIDDEN + 1)], "right-left")
    assert found[1:-1] == [None] * MAX_HIDDEN
    assert next_one is not None and found[-1] is not None
    assert found[-1].move_from(next_one) < NEAR


def test_a_flash_changes_nothing(landmarker: MediaPipeLandmarker, heads: Heads) -> None:
    """Brighter, black and white frames are no cuts: the face right of another is kept."""
    frame = heads[6].paste(heads[2].paste(background(6), 180, 180), 460, 180)
    bright = np.clip(frame.astype(np.int16) * 3 // 2, 0, 255).astype(np.uint8)
    blank = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    moved = heads[6].paste(heads[2].paste(background(6), 160, 180), 430, 180)
    tracker = FaceTracker(landmarker, "right-left", None)
    found = [tracker.find(each) for each in (frame, bright, moved, blank, blank + 255, frame)]
    assert [face is None for face in found] == [False, False, False, True, True, False]
    assert found[-1] is not None and middle(found[-1].points) == pytest.approx(460, abs=0.1 * SIDE)
