"""Following one face through a clip, frame by frame, without keeping a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lp_ray.errors import NoFaceError, TooManyMissingFacesError
from lp_ray.face.protocol import Face, Image, Landmarker, Points
from lp_ray.face.select import select_face

MAX_NAMED_RANGES = 20


@dataclass(frozen=True)
class TrackedFrame:
    """Landmarks of one frame; `found` is False where another frame's had to stand in."""

    points: Points
    found: bool


def track_clip(frames: Iterable[Image], landmarker: Landmarker, rule: str | int) -> Iterator[Face | None]:
    """Yield the chosen face of each frame, or None where it is not to be seen.

    The rule chooses in the first frame that has a face; after that the face is followed, and when it was lost,
    the one nearest to where it was last seen is taken up again.
    """
    last: Face | None = None
    seen = False
    for frame in frames:
        face = landmarker.follow(frame, last) if last is not None and seen else None
        if face is None:
            face = _find(landmarker.detect(frame), last, rule)
        seen = face is not None
        last = face or last
        yield face


def _find(faces: Sequence[Face], last: Face | None, rule: str | int) -> Face | None:
    if not faces:
        return None
    if last is None:
        try:
            return select_face(faces, rule)
        except NoFaceError:  # an index beyond this frame's faces: another frame may hold more
            return None
    where = last.points[:, :2].mean(0)
    return min(faces, key=lambda face: float(np.linalg.norm(face.points[:, :2].mean(0) - where)))


def fill_gaps(faces: Iterable[Face | None], missing: list[int]) -> Iterator[TrackedFrame]:
    """Yield a tracked frame for each face, the last good one held over gaps (the first over a leading gap).

    The numbers of the frames without a face are appended to `missing`. Raises NoFaceError when there is none
    in the whole clip.
    """
    held: Points | None = None
    number = -1
    for number, face in enumerate(faces):
        if face is None:
            missing.append(number)
            if held is not None:
                yield TrackedFrame(held, found=False)
            continue
        if held is None:
            for _ in missing:
                yield TrackedFrame(face.points, found=False)
        held = face.points
        yield TrackedFrame(held, found=True)
    if held is None:
        raise NoFaceError(f"no face in any of the {number + 1} frames")


def check_missing(missing: Sequence[int], n_frames: int, max_fraction: float) -> None:
    """Raise TooManyMissingFacesError, naming the frames, when too many are without a face."""
    if len(missing) > max_fraction * n_frames:
        raise TooManyMissingFacesError(
            f"{len(missing)} of {n_frames} frames without a face, max_missing_fraction is {max_fraction:g}: "
            f"frames {describe_ranges(missing)}"
        )


def describe_ranges(numbers: Sequence[int]) -> str:
    """Return "3-7, 12" for 3, 4, 5, 6, 7, 12."""
    if not numbers:
        return ""
    breaks = [i for i, (a, b) in enumerate(pairwise(numbers), 1) if b != a + 1]
    starts, ends = [0, *breaks], [*breaks, len(numbers)]
    ranges = [
        str(numbers[a]) if b - a == 1 else f"{numbers[a]}-{numbers[b - 1]}" for a, b in zip(starts, ends, strict=True)
    ]
    more = len(ranges) - MAX_NAMED_RANGES
    return ", ".join(ranges[:MAX_NAMED_RANGES]) + (f" and {more} more ranges" if more > 0 else "")
