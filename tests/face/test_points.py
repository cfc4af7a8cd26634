"""What landmarks say of eyes and mouth, on real faces and at the edges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lp_ray.base.arrays import Image
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.mediapipe.mesh import canonical_mesh
from lp_ray.face.points import extent_points, eye_ratios, lip_ratio, two_points

Portrait = Callable[[str], Image]


def test_two_points_of_a_real_face(landmarker: MediaPipeLandmarker, portrait: Portrait) -> None:
    """The middle of the pupils and the mouth of s7, read by eye."""
    points = landmarker.detect(portrait("s7"))[0].points
    eyes, mouth = two_points(points)
    assert eyes == pytest.approx((424, 410), abs=12)
    assert mouth == pytest.approx((430, 615), abs=15)


def test_two_points_of_many_frames_are_those_of_each() -> None:
    points = np.random.default_rng(0).normal(size=(5, 203, 3))
    for lips in (True, False):
        np.testing.assert_array_equal(two_points(points, lips), [two_points(frame, lips) for frame in points])


@pytest.mark.parametrize("n_points", [0, 1, 21, 100])
def test_unknown_landmark_sets_are_refused(n_points: int) -> None:
    with pytest.raises(ValueError, match=f"{n_points} landmarks"):
        two_points(np.zeros((n_points, 2)))


def test_the_forehead_does_not_count() -> None:
    """MediaPipe's hairline (10) is left out, the chin (152), ears and brows stay in."""
    points = np.zeros((478, 3))
    points[10, 1] = -100
    points[152, 1], points[234, 0], points[454, 0], points[105, 1] = 50, -40, 40, -30
    extent = extent_points(points)
    assert extent.min(0).tolist() == [-40, -30]
    assert extent.max(0).tolist() == [40, 50]
    assert extent_points(points[:203]).shape == (203, 2)


def test_left_and_right_are_measured_alike() -> None:
    """MediaPipe's mean face is its own mirror image to the bit: so are the points of it that we use."""
    face = np.concatenate([canonical_mesh().vertices * (100, -100, 100), np.zeros((10, 3))])  # then the irises
    mirrored = face * (-1, 1, 1)
    for part in (extent_points(face), extent_points(mirrored)):
        assert len(np.unique(part, axis=0)) == len(part), "none stands there twice"
    np.testing.assert_array_equal(*(np.unique(extent_points(each), axis=0) for each in (face, mirrored)))
    left, right = eye_ratios(face[None])[0]
    assert left == right
    eyes, mouth = two_points(face)
    assert eyes[0] == mouth[0] == 0 and eyes[1] < mouth[1]
    left_eye, below = two_points(face, use_lips=False)
    assert left_eye[0] < 0 and below[0] == pytest.approx(left_eye[0]) and below[1] - left_eye[1] == -2 * left_eye[0]


def test_open_and_closed_eyes_and_lips(landmarker: MediaPipeLandmarker, portrait: Portrait) -> None:
    """Wide open eyes and a shut mouth (s7); the statue's eyes are slits (s6)."""
    wide, slits = (landmarker.detect(portrait(name))[0].points for name in ("s7", "s6"))
    eyes = eye_ratios(np.stack([wide, slits]))
    assert eyes.shape == (2, 2)
    assert eyes[0].min() > 0.35
    assert eyes[1].max() < 0.8 * eyes[0].min()
    lips = lip_ratio(np.stack([wide, slits]))
    assert lips.shape == (2, 1)
    assert lips.max() < 0.05


def test_ratios_do_not_depend_on_size_or_turn(landmarker: MediaPipeLandmarker, portrait: Portrait) -> None:
    points = landmarker.detect(portrait("s12"))[0].points[None]
    cos, sin = np.cos(0.7), np.sin(0.7)
    turned = 3 * points @ np.array([(cos, sin, 0), (-sin, cos, 0), (0, 0, 1)]) + 50
    np.testing.assert_allclose(eye_ratios(turned), eye_ratios(points), rtol=1e-5)
    np.testing.assert_allclose(lip_ratio(turned), lip_ratio(points), rtol=1e-5)


@pytest.mark.parametrize("ratio", [eye_ratios, lip_ratio])
def test_ratios_need_lids_and_lips(ratio: Callable[[np.ndarray], np.ndarray]) -> None:
    with pytest.raises(ValueError, match="203 or 478 landmarks, not 106"):
        ratio(np.zeros((2, 106, 2)))
