"""Choose one of several faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lp_ray.base.arrays import Box
from lp_ray.base.errors import NoFaceError, RefusedError
from lp_ray.contract.face_rules import FACE_RULES
from lp_ray.face.protocol import Face

_ORDERS: dict[str, Callable[[Box, float], float]] = {
    "large-small": lambda box, _: -(box[2] - box[0]) * (box[3] - box[1]),
    "small-large": lambda box, _: (box[2] - box[0]) * (box[3] - box[1]),
    "left-right": lambda box, _: box[0],
    "right-left": lambda box, _: -box[0],
    "top-bottom": lambda box, _: box[1],
    "bottom-top": lambda box, _: -box[1],
    "best": lambda _, score: -score,
}


def select_face(faces: Sequence[Face], rule: str | int) -> Face:
    """Return the face that `rule` chooses.

    `rule` is one of FACE_RULES, or an index from 0 into the left-to-right order (an int or its digits). As in the
    reference, faces are ordered by the area of their `choice_box`, by its left edge (also from right to left), by its
    upper edge (also from bottom to top), or by their score. Of equal faces, the one found first comes first. Raises
    NoFaceError if there is no face or the index is too high, RefusedError for an unknown rule.
    """
    order, index = _parse(rule)
    if not faces:
        raise NoFaceError("no face was found in the picture; give one that shows a face, or its box")
    if index >= len(faces):
        found = "1 face was" if len(faces) == 1 else f"{len(faces)} faces were"
        raise NoFaceError(f"face {index} was asked for (counting from 0), but {found} found")
    return ordered(faces, order)[index]


def ordered(faces: Sequence[Face], order: str) -> list[Face]:
    """Return all faces in one of the orders FACE_RULES."""
    return sorted(faces, key=lambda face: _ORDERS[order](face.choice_box, face.score))


def _parse(rule: str | int) -> tuple[str, int]:
    """Return the order by which a rule sorts, and the index that it takes."""
    if rule in _ORDERS:
        return str(rule), 0
    if str(rule).isdecimal():
        return "left-right", int(rule)
    raise RefusedError(f"face={rule!r} must be an index from 0 or one of {', '.join(FACE_RULES)}")
