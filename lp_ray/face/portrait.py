"""From a whole picture to the upright crop of one face."""

from __future__ import annotations

from lp_ray.errors import NoFaceError
from lp_ray.face.crop import SOURCE_SCALE, Matrix, cut, source_matrix, transform_points
from lp_ray.face.protocol import Face, Image, Landmarker, Points
from lp_ray.face.select import select_face

Box = tuple[float, float, float, float]


def find_face(image: Image, landmarker: Landmarker, rule: str, box: Box | None) -> Face:
    """Return the face in the user's box, or the one that the rule chooses. Raises NoFaceError."""
    if box is None:
        return select_face(landmarker.detect(image), rule)
    face = landmarker.detect_in_box(image, box)
    if face is None:
        raise NoFaceError(f"no face in the given box {list(box)}")
    return face


def crop_portrait(
    image: Image, landmarker: Landmarker, rule: str, box: Box | None, size: int, scale: float = SOURCE_SCALE
) -> tuple[Image, Points, Matrix]:
    """Return the crop (size x size x 3), its landmarks in crop pixels, and the original -> crop matrix.

    Raises NoFaceError.
    """
    face = find_face(image, landmarker, rule, box)
    matrix = source_matrix(face.crop_points, size, scale)
    return cut(image, matrix, size), transform_points(face.points, matrix), matrix
