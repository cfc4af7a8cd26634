"""Track an animal through a clip: looked for in every n-th frame, followed between.

The detector of animals takes seconds a picture. So a face that it has found is followed by the picture (`flow`), and
where it is found again the way between is bent, frame by frame, to end there: nothing jumps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Box, Image, Points
from lp_ray.base.errors import NoFaceError
from lp_ray.face.continuity import match
from lp_ray.face.crop import transform_points
from lp_ray.face.flow import moved
from lp_ray.face.protocol import Face
from lp_ray.face.select import select_face
from lp_ray.face.track import TrackedFrame

LOOK_EVERY = 12
"""In frames: so often the animal is looked for, about twice a second. Raise the detector's code version with it."""

Look = Callable[[Image], list[Face]]
_LOST = TrackedFrame(np.empty((0, 2)), False)


def track_animal(frames: Iterable[Image], look: Look, rule: str) -> Iterator[TrackedFrame]:
    """Yield one TrackedFrame per frame, K x 2 points. At most LOOK_EVERY frames' points are held back, and one picture.

    The first frame that is looked at and shows animals chooses one by `rule` (see `select_face`). Later it is the one
    that is nearest to where it was followed to. Lost, it is looked for every LOOK_EVERY frames.
    """
    before: Image | None = None
    last: Points | None = None
    waiting: list[TrackedFrame] = []
    for n, frame in enumerate(frames):
        last = None if last is None or before is None else _followed(before, frame, last)
        before = frame
        if n % LOOK_EVERY:
            waiting.append(_LOST if last is None else TrackedFrame(last, True))
            continue
        found = _choose(look(frame), last, rule)
        yield from _bent(waiting, last, found)
        last, waiting = last if found is None else found, []
        yield _LOST if last is None else TrackedFrame(last, True)
    yield from waiting


def track_box(frames: Iterable[Image], box: Box) -> Iterator[TrackedFrame]:
    """Yield one TrackedFrame per frame: two corners, 2 x 2, of the box of the animal in `box` of the first frame.

    The box stays upright; its place and its size follow the picture. Lost, it is lost: nothing finds it again.
    """
    before: Image | None = None
    corners: Points | None = np.array(box, np.float64).reshape(2, 2)
    for frame in frames:
        if before is not None and corners is not None:
            matrix = moved(before, frame, corners)
            corners = None if matrix is None else _upright(corners, matrix)
        before = frame
        yield _LOST if corners is None else TrackedFrame(corners, True)


def _followed(before: Image, after: Image, points: Points) -> Points | None:
    matrix = moved(before, after, points)
    return None if matrix is None else transform_points(points, matrix)


def _upright(corners: Points, matrix: NDArray[np.float64]) -> Points:
    """Return the corners of a box moved and resized by a similarity, without its turn."""
    middle = corners.mean(0)
    size = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    there: Points = transform_points(middle[None], matrix) + size * (corners - middle)
    return there


def _choose(faces: list[Face], last: Points | None, rule: str) -> Points | None:
    """Return the points of the face that was followed, or of the one that the rule chooses if none was."""
    if last is not None:
        place = match([Face(last, 1.0)], faces).get(0)
        return None if place is None else faces[place].points[:, :2]
    try:
        return select_face(faces, rule).points[:, :2]
    except NoFaceError:  # another frame may show more
        return None


def _bent(waiting: list[TrackedFrame], last: Points | None, found: Points | None) -> Iterator[TrackedFrame]:
    """Yield the frames since the last look. If the face was followed to where it is found again, the way ends there."""
    if last is None or found is None:
        yield from waiting
        return
    off = found - last
    for i, frame in enumerate(waiting, 1):
        yield TrackedFrame(frame.points + off * (i / (len(waiting) + 1)), True)
