"""Choosing one of several faces."""

from __future__ import annotations

import numpy as np
import pytest

from lp_ray.base.arrays import Image
from lp_ray.base.errors import NoFaceError, RefusedError
from lp_ray.contract.face_rules import FACE_RULES
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.protocol import Face
from lp_ray.face.select import select_face


def _face(x0: float, y0: float, side: float) -> Face:
    return Face(np.array([(x0, y0), (x0 + side, y0 + side)]), 1.0)


LEFT, LOW, LARGE = _face(0, 100, 40), _face(200, 300, 50), _face(90, 0, 90)
FACES = (LOW, LARGE, LEFT)


@pytest.mark.parametrize(
    ("rule", "face"),
    [
        ("large-small", LARGE),
        ("small-large", LEFT),
        ("left-right", LEFT),
        ("right-left", LOW),
        ("top-bottom", LARGE),
        ("bottom-top", LOW),
        (0, LEFT),
        (1, LARGE),
        ("2", LOW),
    ],
)
def test_rules(rule: str | int, face: Face) -> None:
    """The rules do not depend on the order in which the landmarker returned the faces."""
    for faces in (FACES, FACES[::-1]):
        assert select_face(faces, rule) is face


def _boxed(*box: float, score: float = 1.0) -> Face:
    """A face whose box the detector gave; its points lie elsewhere, all faces' in one place."""
    return Face(np.array([(0.0, 0.0), (500.0, 500.0)]), score, detected_box=box)


WIDE, TALL = _boxed(10, 40, 110, 80), _boxed(30, 20, 80, 150)
"""The wider one has the smaller area (4,000 against 6,500)."""


@pytest.mark.parametrize(
    ("rule", "face"), [("large-small", TALL), ("small-large", WIDE)], ids=["large-small", "small-large"]
)
def test_size_is_the_area_of_the_box(rule: str, face: Face) -> None:
    """Neither its width nor, where the detector gives a box, the bounds of the points."""
    assert select_face([WIDE, TALL], rule) is face
    assert select_face([TALL, WIDE], rule) is face


@pytest.mark.parametrize("place", [(0, 0), (700, 0), (0, 700)])
def test_size_is_the_same_everywhere(place: tuple[float, float]) -> None:
    """A small face far to the right or far down is no larger for it."""
    x, y = place
    small, large = _boxed(x, y, x + 40, y + 40), _boxed(5, 6, 55, 56)
    assert select_face([small, large], "large-small") is large
    assert select_face([large, small], "small-large") is small


INNER, OUTER = _boxed(100, 100, 120, 120), _boxed(90, 90, 300, 300)
"""One's edges lie left of and above the other's, its middle right of and below it."""


@pytest.mark.parametrize(
    ("rule", "face"),
    [
        ("left-right", OUTER),
        ("right-left", INNER),
        ("top-bottom", OUTER),
        ("bottom-top", INNER),
        (0, OUTER),
        ("1", INNER),
    ],
)
def test_places_are_those_of_the_left_and_upper_edge(rule: str | int, face: Face) -> None:
    """As in the reference, in both directions; not of the middle."""
    assert select_face([INNER, OUTER], rule) is face
    assert select_face([OUTER, INNER], rule) is face


def test_best_is_the_score() -> None:
    sure, large = _boxed(0, 0, 10, 10, score=0.9), _boxed(0, 0, 90, 90, score=0.4)
    assert select_face([large, sure], "best") is sure


def test_of_equals_the_first_is_taken() -> None:
    twin = _boxed(*(WIDE.detected_box or ()))
    for rule in FACE_RULES:
        assert select_face([WIDE, twin], rule) is WIDE
        assert select_face([twin, WIDE], rule) is twin


def test_the_first_rule_is_the_default_of_the_reference() -> None:
    assert FACE_RULES[0] == "large-small"


def test_no_face_says_so() -> None:
    with pytest.raises(NoFaceError, match="no face was found"):
        select_face([], "large-small")


@pytest.mark.parametrize(("faces", "found"), [(FACES, "3 faces were"), (FACES[:1], "1 face was")])
def test_an_index_too_far_says_how_many_there_were(faces: tuple[Face, ...], found: str) -> None:
    with pytest.raises(NoFaceError, match=f"face 3 .*{found} found"):
        select_face(faces, 3)


@pytest.mark.parametrize("rule", ["biggest", "-1", -1, "", "1.5"])
def test_an_unknown_rule_is_refused(rule: str | int) -> None:
    with pytest.raises(RefusedError, match="large-small"):
        select_face(FACES, rule)


def test_left_to_right_in_a_group(landmarker: MediaPipeLandmarker, group_photo: Image) -> None:
    faces = landmarker.detect(group_photo)
    across = [select_face(faces, i).points[1, 0] for i in range(6)]
    assert across == sorted(across)
    assert across == pytest.approx([120, 310, 513, 790, 935, 1180], abs=30)
