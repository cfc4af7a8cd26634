"""The whole insightface path on models made for the tests; expected points are computed by hand."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lp_ray.base.errors import NoFaceError
from lp_ray.face.insightface.landmarker import MAX_FACES, DetectedFace, InsightFaceLandmarker
from lp_ray.face.portrait import find_face
from lp_ray.face.protocol import Face, Landmarker
from lp_ray.face.select import select_face
from lp_ray.face.track import fill_gaps, track_clip
from tests.face.insightface.drawn import Drawn, draw
from tests.face.insightface.models import model_files, write_models

FACE = Drawn(264, 200, 100, 200, 55)
CLOSE = 0.3
"""Pixels that interpolation may move a point by."""


def _only(faces: list[Face]) -> DetectedFace:
    (face,) = faces
    assert isinstance(face, DetectedFace)
    return face


def _off(face: Face | None, drawn: Drawn, degrees: float = 0.0) -> float:
    """The largest error of the 203 points, pixels."""
    assert face is not None
    assert face.points.shape == (203, 2)
    return float(np.abs(face.points - drawn.points(203, degrees)).max())


def test_is_a_landmarker(landmarker: InsightFaceLandmarker) -> None:
    typed: Landmarker = landmarker
    assert (typed.name, typed.n_points, len(typed.digest)) == ("insightface", 203, 16)


def test_one_face(landmarker: InsightFaceLandmarker) -> None:
    face = _only(landmarker.detect(draw(512, 512, FACE)))
    assert _off(face, FACE) < CLOSE
    assert np.abs(face.points_106 - FACE.points(106)).max() < CLOSE
    assert face.crop_points is face.points_106
    assert face.score == pytest.approx(200 / 255, abs=1e-6)
    assert face.box == pytest.approx((213.5, 149.5, 313.5, 249.5), abs=CLOSE)


def test_several_faces_come_best_first(landmarker: InsightFaceLandmarker) -> None:
    """Of other sizes and scores, in a picture twice as large as the detector's."""
    drawn = [
        Drawn(200, 200, 120, 130, 32),
        Drawn(712, 200, 200, 250, 52),
        Drawn(264, 648, 60, 60, 18),
        Drawn(776, 648, 160, 190, 42),
    ]
    found = landmarker.detect(draw(768, 1024, *drawn))
    assert [round(face.score * 255) for face in found] == [250, 190, 130, 60]
    for face, expected in zip(found, (drawn[1], drawn[3], drawn[0], drawn[2]), strict=True):
        assert _off(face, expected) < CLOSE
    assert _off(select_face(found, "large-small"), drawn[1]) < CLOSE
    assert _off(select_face(found, 0), drawn[0]) < CLOSE


def test_rules_compare_the_detectors_boxes(landmarker: InsightFaceLandmarker) -> None:
    """As the reference does, though the bounds of the points say the opposite."""
    small_box, large_box = Drawn(136, 200, 100, 200, 45), Drawn(392, 200, 60, 200, 70)
    image = draw(512, 512, small_box, large_box)
    found = landmarker.detect(image)
    boxes = sorted(face.detected_box for face in found if face.detected_box)
    assert boxes == [(128 - 45, 192 - 45, 128 + 45, 192 + 45), (384 - 70, 192 - 70, 384 + 70, 192 + 70)]
    assert select_face([replace(face, detected_box=None) for face in found], "large-small").box[0] < 128
    assert _off(select_face(found, "large-small"), large_box) < CLOSE
    assert _off(select_face(found, "small-large"), small_box) < CLOSE


def test_a_crowd_is_cut_off(landmarker: InsightFaceLandmarker) -> None:
    places = [(x, y) for x in range(36, 490, 48) for y in range(36, 490, 48)]
    crowd = [Drawn(x, y, 18, 100 + i, 14, dot=8) for i, (x, y) in enumerate(places)]
    found = landmarker.detect(draw(512, 512, *crowd))
    assert len(crowd) > MAX_FACES
    assert [round(face.score * 255) for face in found] == [100 + len(crowd) - 1 - i for i in range(MAX_FACES)]


@pytest.mark.parametrize("degrees", [12.0, -80.0])
def test_a_tilted_face_is_seen_upright(tmp_path: Path, degrees: float) -> None:
    """The 106 points say how the face stands; the 203-point model then answers in its upright crop."""
    tilted = InsightFaceLandmarker(model_files(write_models(tmp_path, tilt_106=degrees)), "cpu")
    assert _off(_only(tilted.detect(draw(512, 512, FACE))), FACE, degrees) < CLOSE


@pytest.mark.parametrize("shape", [(300, 400), (1, 1), (1, 500), (2000, 3), (1, 513), (5000, 4)])
def test_no_face_where_there_is_none(landmarker: InsightFaceLandmarker, shape: tuple[int, int]) -> None:
    """Neither in an empty picture nor in one of an odd shape."""
    assert landmarker.detect(draw(*shape)) == []
    with pytest.raises(NoFaceError):
        find_face(draw(*shape), landmarker, "large-small", None)


def test_colours_are_read_as_rgb(landmarker: InsightFaceLandmarker) -> None:
    """Red is the score and blue the face: with the two exchanged nothing is left of it."""
    image = draw(512, 512, FACE)
    red_only, blue_only = image.copy(), image.copy()
    red_only[..., 2], blue_only[..., 0] = 0, 0
    assert landmarker.detect(red_only) == []
    assert landmarker.detect(blue_only) == []
    assert landmarker.detect(np.ascontiguousarray(image[..., ::-1])) == []


def test_a_box_without_a_face_in_it_is_none(landmarker: InsightFaceLandmarker) -> None:
    """What the detector takes for a face, but no landmarks are found on, or only tiny ones."""
    assert landmarker.detect(draw(512, 512, Drawn(264, 200, 0, 200, 55))) == []
    assert landmarker.detect(draw(512, 512, Drawn(264, 200, 6, 200, 55))) == []


def test_same_picture_same_points(landmarker: InsightFaceLandmarker, folder: Path) -> None:
    image = draw(512, 512, FACE)
    first, again = _only(landmarker.detect(image)), _only(landmarker.detect(image))
    other = _only(InsightFaceLandmarker(model_files(folder), "cpu", threads=2).detect(image))
    assert np.array_equal(first.points, again.points)
    assert np.abs(first.points - other.points).max() < 1e-3


def test_a_box_needs_no_detection(landmarker: InsightFaceLandmarker) -> None:
    """The face in the given box is found though the detector sees none, and another one is not taken for it."""
    unseen = Drawn(400, 300, 80)
    image = draw(600, 800, unseen, Drawn(100, 100, 60, 255, 25))
    face = landmarker.detect_in_box(image, (355, 265, 445, 340))
    assert face is not None
    assert _off(face, unseen) < CLOSE
    assert np.abs(face.crop_points - unseen.points(106)).max() < CLOSE
    assert face.score == 1


@pytest.mark.parametrize(
    "box",
    [
        (500, 400, 560, 460),
        (-300, -300, -100, -100),
        (5000, 5000, 5100, 5100),
        (400, 300, 400, 300),
        (440, 340, 360, 260),
    ],
    ids=["empty place", "left of it", "far off", "no area", "inside out"],
)
def test_a_box_without_a_face(landmarker: InsightFaceLandmarker, box: tuple[float, float, float, float]) -> None:
    assert landmarker.detect_in_box(draw(600, 800, Drawn(400, 300, 80)), box) is None


def test_follow_starts_from_the_last_points(landmarker: InsightFaceLandmarker) -> None:
    """Without detection: the face moves and grows, another beside it does not matter, and the score stays."""
    before = _only(landmarker.detect(draw(512, 512, FACE)))
    moved = Drawn(278, 190, 108)
    face = landmarker.follow(draw(512, 512, moved, Drawn(60, 200, 60, 255, 30)), before)
    assert face is not None
    assert _off(face, moved) < CLOSE
    assert face.score == before.score
    assert face.crop_points is face.points


@pytest.mark.parametrize("shift", [45, 60])
def test_follow_looks_again_where_a_face_has_gone(landmarker: InsightFaceLandmarker, shift: int) -> None:
    """One look sees a part of it at the crop's edge; the next, about that part, more of it."""
    before = _only(landmarker.detect(draw(512, 512, FACE)))
    moved = Drawn(FACE.x + shift, FACE.y, FACE.side)
    assert _off(landmarker.follow(draw(512, 512, moved), before), moved) < CLOSE


def test_follow_loses_a_face(landmarker: InsightFaceLandmarker) -> None:
    """That is gone, has moved out of the crop, shrunk to nothing or left most of the picture."""
    before = _only(landmarker.detect(draw(512, 512, FACE)))
    assert landmarker.follow(draw(512, 512), before) is None
    assert landmarker.follow(draw(512, 512, Drawn(450, 200, 100)), before) is None
    assert landmarker.follow(draw(512, 512, Drawn(264, 200, 6)), before) is None


@pytest.mark.parametrize(("x", "kept"), [(10, True), (-20, False)])
def test_follow_keeps_a_face_while_half_of_it_is_in_the_picture(
    landmarker: InsightFaceLandmarker, x: int, kept: bool
) -> None:
    """Of a square of 100 about x = 10 three fifths show, about -20 three tenths."""
    leaving = Drawn(x, 200, 100)
    face = landmarker.follow(draw(512, 512, leaving), Face(leaving.points(203), 0.9))
    assert (face is not None) == kept


@pytest.mark.parametrize(
    "points",
    [
        np.full((203, 2), np.nan),
        np.full((203, 2), 200.0),
        Drawn(264, 200, 4).points(203),
        Drawn(-500, 200, 100).points(203),
        Drawn(264, 200, 100).points(203) * (1, 0) + (0, 200),
    ],
    ids=["not finite", "one place", "tiny", "outside", "a line"],
)
def test_follow_survives_useless_points(landmarker: InsightFaceLandmarker, points: np.ndarray) -> None:
    assert landmarker.follow(draw(512, 512, FACE), Face(points, 0.9)) is None


def test_a_clip_is_tracked_through_a_gap(landmarker: InsightFaceLandmarker) -> None:
    """Detected, followed while it moves, lost, and found again elsewhere; held meanwhile."""
    path = [Drawn(264 + 8 * i, 200 + 4 * i, 100 + 2 * i, 200 if i == 0 else 0, 55) for i in range(10)]
    back = [Drawn(136, 328, 80, 90, 45), Drawn(140, 330, 80)]
    frames = [draw(512, 512, face) for face in path] + [draw(512, 512)] * 3 + [draw(512, 512, face) for face in back]
    missing: list[int] = []
    tracked = list(fill_gaps(track_clip(frames, landmarker, "large-small"), missing))
    assert missing == [10, 11, 12]
    for frame, drawn in zip(tracked, path + [path[-1]] * 3 + back, strict=True):
        assert np.abs(frame.points - drawn.points(203)).max() < CLOSE


def test_nothing_is_downloaded_or_written(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """insightface's own entry point fetches models and unpacks them below the home folder."""

    def refuse(*args: object) -> None:
        raise AssertionError(f"a connection to {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HOME", str(tmp_path))
    before = sorted(folder.rglob("*"))
    assert len(InsightFaceLandmarker(model_files(folder), "cpu").detect(draw(512, 512, FACE))) == 1
    assert list(tmp_path.iterdir()) == []
    assert sorted(folder.rglob("*")) == before
