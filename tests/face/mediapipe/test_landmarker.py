"""MediaPipe's landmarker on real pictures: paintings, a statue, a cartoon, photographs, a group, clips."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from lp_ray.base.arrays import Image, Points
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.protocol import Face, Landmarker

Portrait = Callable[[str], Image]

# Left and right pupil of each portrait, pixels, read by eye from enlargements.
PUPILS = {
    "s0": ((298, 114), (339, 116)),
    "s3": ((256, 165), (305, 167)),
    "s5": ((321, 242), (389, 242)),
    "s6": ((319, 310), (400, 308)),
    "s7": ((318, 408), (536, 408)),
    "s9": ((306, 296), (394, 295)),
    "s12": ((154, 162), (210, 158)),
}
IRISES = (468, 473)

# Noses of the group photo's six faces, pixels, left to right.
GROUP_NOSES = ((120, 340), (310, 215), (513, 352), (790, 425), (935, 135), (1180, 345))


def _size(face: Face) -> float:
    return float(np.ptp(face.points[:, :2], axis=0).max())


def _gap(a: Points, b: Points) -> float:
    """Mean distance of two sets of points, pixels."""
    return float(np.linalg.norm(a[:, :2] - b[:, :2], axis=1).mean())


def _only(faces: list[Face]) -> Face:
    assert len(faces) == 1
    return faces[0]


def test_is_a_landmarker(landmarker: MediaPipeLandmarker) -> None:
    typed: Landmarker = landmarker
    assert (typed.name, typed.n_points, len(typed.digest)) == ("mediapipe", 478, 16)


@pytest.mark.parametrize("name", PUPILS)
def test_finds_the_one_face_of_a_portrait(landmarker: MediaPipeLandmarker, portrait: Portrait, name: str) -> None:
    """One face, its irises on the pupils, and nothing else: hands (s9) and clothes (s5) are no faces."""
    face = _only(landmarker.detect(portrait(name)))
    assert face.points.shape == (478, 3)
    assert 0.95 < face.score <= 1
    offsets = np.linalg.norm(face.points[IRISES, :2] - np.array(PUPILS[name]), axis=1)
    assert offsets.max() < 0.03 * _size(face)


def test_finds_six_people_once_each(landmarker: MediaPipeLandmarker, group_photo: Image) -> None:
    noses = np.array([face.points[1, :2] for face in landmarker.detect(group_photo)])
    assert len(noses) == 6
    distances = np.linalg.norm(noses[:, None] - np.array(GROUP_NOSES)[None], axis=2)
    assert sorted(distances.argmin(1)) == list(range(6))
    assert distances.min(1).max() < 30


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_no_face_where_there_is_none(landmarker: MediaPipeLandmarker, seed: int | None) -> None:
    """A flat picture, and noise."""
    flat = np.full((300, 400, 3), 127, np.uint8)
    noise = np.random.default_rng(seed).integers(0, 256, flat.shape, np.uint8)
    assert landmarker.detect(flat if seed is None else noise) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (2000, 3)])
def test_pictures_of_odd_shapes_are_survived(landmarker: MediaPipeLandmarker, shape: tuple[int, int]) -> None:
    assert landmarker.detect(np.zeros((*shape, 3), np.uint8)) == []


def test_same_points_every_time(landmarker: MediaPipeLandmarker, portrait: Portrait) -> None:
    """Replayed chunks must not differ, whatever the landmarker saw in between, in this process or another."""
    first = _only(landmarker.detect(portrait("s9")))
    landmarker.detect(portrait("s12"))
    for other in (landmarker, MediaPipeLandmarker()):
        again = _only(other.detect(portrait("s9")))
        np.testing.assert_array_equal(first.points, again.points)
        assert first.score == again.score


@pytest.mark.parametrize("angle", [-45, 30])
def test_turned_heads(landmarker: MediaPipeLandmarker, portrait: Portrait, angle: float) -> None:
    """The points turn with the picture."""
    image = portrait("s9")
    centre = (image.shape[1] / 2, 340.0)
    turn = cv2.getRotationMatrix2D(centre, angle, 1)
    turned = cv2.warpAffine(image, turn, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    upright, found = _only(landmarker.detect(image)), _only(landmarker.detect(turned.astype(np.uint8)))
    expected = cv2.transform(upright.points[None, :, :2], turn)[0]
    assert _gap(found.points, expected) < 0.02 * _size(upright)


@pytest.mark.parametrize("scale", [0.25, 3.0])
def test_points_scale_with_the_picture(landmarker: MediaPipeLandmarker, portrait: Portrait, scale: float) -> None:
    """A face of 58 pixels and one of 700 give the same points: large ones are shrunk without aliasing."""
    image = portrait("s9")
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    original, found = _only(landmarker.detect(image)), _only(landmarker.detect(resized.astype(np.uint8)))
    expected = (original.points[:, :2] + 0.5) * scale - 0.5
    assert _gap(found.points, expected) < 0.01 * scale * _size(original)


def test_fine_stripes_over_a_large_face_do_not_alias(landmarker: MediaPipeLandmarker, portrait: Portrait) -> None:
    """Stripes one pixel wide vanish at the network's size, so they must not move the points."""
    image = cv2.resize(portrait("s9"), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    image = np.clip(image.astype(np.int16), 25, 230)
    striped = image.copy()
    striped[::2] += 25
    striped[1::2] -= 25
    clean, found = (_only(landmarker.detect(picture.astype(np.uint8))) for picture in (image, striped))
    assert _gap(found.points, clean.points) < 0.01 * _size(clean)


def test_a_small_face_in_a_large_picture(landmarker: MediaPipeLandmarker, portrait: Portrait) -> None:
    """Found by a tile: 65 of 1,280 pixels are six at the detector's size."""
    small = cv2.resize(portrait("s12"), None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    image = np.full((720, 1280, 3), 90, np.uint8)
    image[400:600, 800:950] = small
    face = _only(landmarker.detect(image))
    assert _size(face) == pytest.approx(65, abs=4)
    assert face.points[IRISES, :2] - (800, 400) == pytest.approx(0.4 * np.array(PUPILS["s12"]), abs=2)


def test_detect_in_box(landmarker: MediaPipeLandmarker, group_photo: Image) -> None:
    """A box names one face of the six, also when it is loose; a box without one, or off the picture, none."""
    faces = landmarker.detect(group_photo)
    for face in faces:
        x0, y0, x1, y1 = face.box
        margin = 0.1 * (x1 - x0)
        found = landmarker.detect_in_box(group_photo, (x0 - margin, y0 - margin, x1 + margin, y1 + margin))
        assert found is not None
        assert _gap(found.points, face.points) < 0.03 * _size(face)
    for nothing in ((600, 40, 760, 200), (5000, 5000, 5100, 5100), (300, 300, 300, 300)):
        assert landmarker.detect_in_box(group_photo, nothing) is None


def test_follow_agrees_with_detection(
    landmarker: MediaPipeLandmarker, clip: Callable[[str, float], list[Image]]
) -> None:
    frames = clip("d0", 1)
    face = _only(landmarker.detect(frames[0]))
    for frame in frames[1:]:
        followed = landmarker.follow(frame, face)
        assert followed is not None
        face = followed
    detected = _only(landmarker.detect(frames[-1]))
    assert _gap(face.points, detected.points) < 0.01 * _size(face)


@pytest.mark.parametrize("shift", [(0.3, 0.0), (-0.2, 0.2), (0.0, -0.35)])
def test_follow_settles_on_a_face_that_leapt(
    landmarker: MediaPipeLandmarker, portrait: Portrait, shift: tuple[float, float]
) -> None:
    """One look from where it was half a face ago is believed by nobody: it sees the edge of a face."""
    image = portrait("s9")
    face = _only(landmarker.detect(image))
    right, down = (round(share * _size(face)) for share in shift)
    moved = cv2.warpAffine(image, np.float64([[1, 0, right], [0, 1, down]]), image.shape[1::-1], borderMode=1)
    followed = landmarker.follow(moved.astype(np.uint8), face)
    assert followed is not None
    assert _gap(followed.points, face.points[:, :2] + (right, down)) < 0.01 * _size(face)


def test_follow_loses_what_is_gone(landmarker: MediaPipeLandmarker, portrait: Portrait) -> None:
    image = portrait("s9")
    face = _only(landmarker.detect(image))
    assert landmarker.follow(np.full_like(image, 127), face) is None
    assert landmarker.follow(image[:50, :50], face) is None
