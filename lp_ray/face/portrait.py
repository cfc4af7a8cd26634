"""Cut the upright crops of faces from a whole picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lp_ray.base.arrays import Box, Image, Matrix, Points
from lp_ray.base.errors import NoFaceError, UnsupportedError
from lp_ray.contract.casts import MAX_FACES
from lp_ray.face.crop import transform_points
from lp_ray.face.framing import SourceFraming
from lp_ray.face.protocol import Face, Landmarker
from lp_ray.face.select import ordered, select_face

FULL_SIZE = 512
"""Side in pixels of the crop that matrices and landmarks refer to."""

NO_POINTS: Points = np.empty((0, 3))
"""The landmarks of a face that is only known by its box: none."""


@dataclass(frozen=True)
class Portrait:
    """One face: its crop S x S x 3, its landmarks in pixels of a crop of FULL_SIZE, and the matrix from picture to
    crop."""

    crop: Image
    points: Points
    to_crop: Matrix


def find_face(image: Image, landmarker: Landmarker, rule: str, box: Box | None) -> Face:
    """Return the face in the user's box, or the face that the rule chooses. Raises NoFaceError."""
    if box is None:
        return select_face(landmarker.detect(image), rule)
    face = landmarker.detect_in_box(image, box)
    if face is None:
        raise NoFaceError(f"no face in the given box {list(box)}")
    return face


def crop_portrait(
    image: Image, landmarker: Landmarker, rule: str, box: Box | None, framing: SourceFraming, size: int
) -> Portrait:
    """Return the chosen face of a picture, with a crop of size x size x 3.

    A picture that is a crop already may show no face; it then has no landmarks. Raises NoFaceError.
    """
    if not framing.crop:
        return _whole(image, landmarker, rule, box, framing, size)
    return crop_face(image, find_face(image, landmarker, rule, box), framing, size)


def crop_portraits(image: Image, faces: Sequence[Face], framing: SourceFraming, size: int) -> list[Portrait]:
    """Return all faces of a picture, from left to right. Raises NoFaceError, or UnsupportedError above MAX_FACES."""
    if not faces:
        raise NoFaceError("no face was found in the picture; give one that shows faces")
    if len(faces) > MAX_FACES:
        raise UnsupportedError(
            f"{len(faces)} faces in the picture, at most {MAX_FACES} are animated together: give a part of it"
        )
    return [crop_face(image, face, framing, size) for face in ordered(faces, "left-right")]


def crop_box(image: Image, box: Box, framing: SourceFraming, size: int) -> Portrait:
    """Return a face (an animal's) that is only known by its box, with an upright crop and no landmarks."""
    matrix = framing.matrix_of_box(box, FULL_SIZE)
    return Portrait(framing.cut(image, matrix, FULL_SIZE, size), NO_POINTS, matrix)


def crop_whole(image: Image, framing: SourceFraming, size: int) -> Portrait:
    """Return a picture that is a crop already, without landmarks."""
    matrix = framing.matrix_of_whole(image, FULL_SIZE)
    return Portrait(framing.cut(image, matrix, FULL_SIZE, size), NO_POINTS, matrix)


def crop_face(image: Image, face: Face, framing: SourceFraming, size: int) -> Portrait:
    """Return one face, with its crop rotated and placed by the face's points."""
    matrix = framing.matrix(face.crop_points, FULL_SIZE)
    return Portrait(framing.cut(image, matrix, FULL_SIZE, size), transform_points(face.points, matrix), matrix)


def _whole(
    image: Image, landmarker: Landmarker, rule: str, box: Box | None, framing: SourceFraming, size: int
) -> Portrait:
    whole = crop_whole(image, framing, size)
    try:
        points = transform_points(find_face(image, landmarker, rule, box).points, whole.to_crop)
    except NoFaceError:
        return whole
    return replace(whole, points=points)
