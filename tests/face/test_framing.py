"""How the user's choices change the crops of sources and drivings."""

from __future__ import annotations

import numpy as np
import pytest

from lp_ray.base.arrays import Image, Points
from lp_ray.base.errors import NoFaceError, UnsupportedError
from lp_ray.contract.options import PairOptions
from lp_ray.face.crop import invert, transform_points
from lp_ray.face.framing import DrivingFraming, SourceFraming, WholeFrame, crop_of
from lp_ray.face.portrait import FULL_SIZE, MAX_FACES, NO_POINTS, crop_box, crop_portrait, crop_portraits, crop_whole
from lp_ray.face.protocol import Face
from lp_ray.plan.framing import source_framing

PICTURE = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)


class _Faces:
    """A landmarker that knows where the faces are."""

    n_points = 203

    def __init__(self, *faces: Face) -> None:
        self.faces = list(faces)

    def detect(self, image: Image) -> list[Face]:
        return self.faces

    def detect_in_box(self, image: Image, box: tuple[float, float, float, float]) -> Face | None:
        return None


def _face(x: float, y: float, angle: float = 0.0) -> Face:
    """A face of 203 points about (x, y), turned by `angle` radians."""
    points = np.random.default_rng(1).normal(0, 12, (203, 2))
    points[[0, 6, 12, 18]] = (-20, -10)
    points[[24, 30, 36, 42]] = (20, -10)
    points[[48, 66]] = (0, 25)
    cos, sin = np.cos(angle), np.sin(angle)
    turned = points @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
    whole: Points = np.concatenate([turned, np.zeros((203, 1))], 1)
    return Face(whole, 1.0)


def _eyes(points: Points) -> tuple[np.ndarray, np.ndarray]:
    return points[[0, 6, 12, 18], :2].mean(0), points[[24, 30, 36, 42], :2].mean(0)


@pytest.mark.parametrize("angle", [0.0, 0.4, -0.7])
def test_a_turned_face_stands_upright_in_its_crop(angle: float) -> None:
    portrait = crop_portrait(PICTURE, _Faces(_face(200, 150, angle)), "large-small", None, SourceFraming(), 256)
    assert portrait.crop.shape == (256, 256, 3)
    left, right = _eyes(portrait.points)
    assert left[1] == pytest.approx(right[1], abs=1e-6) and left[0] < right[0]


def test_a_turned_face_stays_turned_on_request() -> None:
    framing = SourceFraming(rotate=False)
    portrait = crop_portrait(PICTURE, _Faces(_face(200, 150, 0.4)), "large-small", None, framing, 256)
    left, right = _eyes(portrait.points)
    assert np.arctan2(*(right - left)[::-1]) == pytest.approx(0.4, abs=1e-6)


def test_landmarks_and_matrix_agree() -> None:
    face = _face(200, 150, 0.3)
    portrait = crop_portrait(PICTURE, _Faces(face), "large-small", None, SourceFraming(), 256)
    back = transform_points(portrait.points, invert(portrait.to_crop))
    np.testing.assert_allclose(back[:, :2], face.points[:, :2], atol=1e-6)


def test_all_faces_come_from_left_to_right() -> None:
    portraits = crop_portraits(PICTURE, [_face(300, 150), _face(100, 150)], SourceFraming(), 256)
    centres = [transform_points(p.points, invert(p.to_crop))[:, 0].mean() for p in portraits]
    assert len(centres) == 2 and centres[0] < centres[1]


def test_no_face_and_too_many_say_so() -> None:
    with pytest.raises(NoFaceError, match="no face"):
        crop_portraits(PICTURE, [], SourceFraming(), 256)
    assert len(crop_portraits(PICTURE, [_face(200, 150)] * 16, SourceFraming(), 8)) == MAX_FACES
    with pytest.raises(UnsupportedError, match="17 faces in the picture, at most 16"):
        crop_portraits(PICTURE, [_face(200, 150)] * 17, SourceFraming(), 256)
    with pytest.raises(NoFaceError, match=r"no face in the given box \[1, 2, 3, 4\]"):
        crop_portrait(PICTURE, _Faces(_face(200, 150)), "large-small", (1, 2, 3, 4), SourceFraming(), 256)


def test_a_crop_already_may_be_without_a_face() -> None:
    portrait = crop_portrait(PICTURE, _Faces(), "large-small", None, SourceFraming(crop=False), 256)
    assert portrait.points is NO_POINTS and portrait.crop.shape == (256, 256, 3)


def test_default_crops_are_the_reference_s() -> None:
    """As numbers: 2.3 and -0.125 of a source, 2.2 and -0.1 of a driving, however they are asked for."""
    source, driving = SourceFraming(), DrivingFraming()
    assert (source.scale, source.vx, source.vy) == (2.3, 0.0, -0.125)
    assert (driving.scale, driving.vx, driving.vy) == (2.2, 0.0, -0.1)
    assert (source.rotate, source.max_dim, source.division) == (True, 1280, 2)
    options = PairOptions()
    assert (options.crop_scale, options.crop_vx, options.crop_vy) == (2.3, 0.0, -0.125)
    assert (options.driving_crop_scale, options.driving_crop_vx, options.driving_crop_vy) == (2.2, 0.0, -0.1)
    assert source_framing(options) == source


def test_default_crops_place_a_face_where_the_reference_does() -> None:
    """A face of 100 pixels about (200, 150), eyes level: sides and middles worked out by hand."""
    points = np.tile((200.0, 150.0), (203, 1))
    points[[0, 6, 12, 18]], points[[24, 30, 36, 42]], points[[48, 66]] = (180, 140), (220, 140), (200, 180)
    points[1], points[2] = (150, 100), (250, 200)
    corners = transform_points(np.array([(0.0, 0), (512, 512)]), invert(SourceFraming().matrix(points, 512)))
    np.testing.assert_allclose(corners, [(200 - 115, 150 - 0.125 * 230 - 115), (200 + 115, 150 - 0.125 * 230 + 115)])
    crop = DrivingFraming(crop_square=True).place(points[None], 400, 400, 256)
    assert crop.matrix is not None
    corners = transform_points(np.array([(0.0, 0), (512, 512)]), invert(crop.matrix))
    np.testing.assert_allclose(corners, [(200 - 110, 150 - 0.1 * 220 - 110), (200 + 110, 150 - 0.1 * 220 + 110)])


def test_a_box_is_cut_upright_about_its_middle() -> None:
    portrait = crop_box(PICTURE, (150.0, 100.0, 250.0, 200.0), SourceFraming(vy=0.0), 256)
    centre = transform_points(np.array([[200.0, 150.0]]), portrait.to_crop)[0]
    np.testing.assert_allclose(centre, (FULL_SIZE / 2, FULL_SIZE / 2), atol=1.0)
    assert portrait.to_crop[0, 1] == pytest.approx(0) and portrait.to_crop[1, 0] == pytest.approx(0)


def test_a_kept_crop_is_the_one_that_was_made() -> None:
    """What a template keeps is the matrix; frames are cut by it as they were when motion was extracted."""
    made = DrivingFraming(crop_square=True).place(_face(200, 150).points[None], 400, 300, 64)
    kept = crop_of(made.matrix, 64)
    np.testing.assert_array_equal(kept.cut(PICTURE), made.cut(PICTURE))
    whole = crop_of(None, 64)
    assert isinstance(whole, WholeFrame) and whole.cut(PICTURE).shape == (64, 64, 3)
    assert (whole.cut(PICTURE) != kept.cut(PICTURE)).any()


@pytest.mark.parametrize(("width", "height"), [(400, 200), (200, 400)])
def test_a_box_shrinks_as_its_picture_does(width: int, height: int) -> None:
    """By the longer side; a picture within the limit keeps its size."""
    box = (10.0, 20.0, 110.0, 60.0)
    assert SourceFraming(max_dim=100).limit_box(box, width, height) == (2.5, 5.0, 27.5, 15.0)
    assert SourceFraming(max_dim=400).limit_box(box, width, height) == box
    assert SourceFraming(max_dim=1280).limit_box(box, width, height) == box


def test_a_crop_already_is_mapped_whole() -> None:
    """Corners to corners, though its sides differ; the crop is the picture resized."""
    portrait = crop_whole(PICTURE, SourceFraming(crop=False), 256)
    corners = transform_points(np.array([(0.0, 0.0), (400.0, 300.0), (400.0, 0.0)]), portrait.to_crop)
    np.testing.assert_allclose(corners, [(0, 0), (FULL_SIZE, FULL_SIZE), (FULL_SIZE, 0)])
    assert portrait.crop.shape == (256, 256, 3) and portrait.points is NO_POINTS
    assert len(NO_POINTS) == 0


def test_a_crop_of_a_box_moves_as_one_of_landmarks_does() -> None:
    """By shares of its side, right and down: the box's middle goes left and up in it."""
    framing = SourceFraming(scale=2.0, vx=0.1, vy=-0.2)
    matrix = framing.matrix_of_box((150.0, 100.0, 250.0, 160.0), 512)
    middle = transform_points(np.array([(200.0, 130.0)]), matrix)[0]
    np.testing.assert_allclose(middle, (256 - 0.1 * 512, 256 + 0.2 * 512), atol=1e-6)
