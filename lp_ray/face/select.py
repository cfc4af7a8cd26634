"""Choosing one face of a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lp_ray.errors import NoFaceError
from lp_ray.face.protocol import Face


def _area(face: Face) -> float:
    x0, y0, x1, y1 = face.box
    return (x1 - x0) * (y1 - y0)


_FIRST_BY: dict[str, Callable[[Face], float]] = {
    "large-small": lambda face: -_area(face),
    "small-large": _area,
    "left-right": lambda face: face.box[0] + face.box[2],
    "right-left": lambda face: -face.box[0] - face.box[2],
    "top-bottom": lambda face: face.box[1] + face.box[3],
    "bottom-top": lambda face: -face.box[1] - face.box[3],
}

FACE_RULES = tuple(_FIRST_BY)
"""Rules for choosing a face; the first one is the default."""


def select_face(faces: Sequence[Face], rule: str | int) -> Face:
    """Return the first face by a rule, or the face of an index (from 0) counted from left to right.

    Raises NoFaceError when there is none, or not that many.
    """
    if not faces:
        raise NoFaceError("no face found in the picture")
    text = str(rule)
    if text in _FIRST_BY:
        return min(faces, key=_FIRST_BY[text])
    index = int(text)
    if index >= len(faces):
        raise NoFaceError(f"face={index}, but only {len(faces)} found (counted from 0, left to right)")
    return sorted(faces, key=_FIRST_BY["left-right"])[index]
