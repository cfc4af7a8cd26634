"""Track one face through a clip: its landmarks in every frame, and the frames without a face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lp_ray.base.arrays import Box, Image, Points
from lp_ray.base.errors import NoFaceError, TooManyMissingFacesError
from lp_ray.face.follow import MAX_GAP, FaceTracker
from lp_ray.face.protocol import Landmarker

_RANGES_SHOWN = 20


@dataclass(frozen=True)
class TrackedFrame:
    """Landmarks in one frame, K x (2|3) in its pixels.

    Without a face (`found` is False) there are no landmarks (0 x 3) until `fill_gaps` fills in others.
    """

    points: Points
    found: bool


def track_clip(
    frames: Iterable[Image],
    landmarker: Landmarker,
    rule: str | int,
    box: Box | None = None,
    max_gap: int = MAX_GAP,
) -> Iterator[TrackedFrame]:
    """Yield one TrackedFrame per frame; one picture is kept in memory.

    The first frame with faces chooses one by `rule` (see `select_face`); with a `box`, the first frame with a face in
    the box does. This face is then followed: see `FaceTracker`. A frame with fewer faces than the rule's index needs
    counts as a frame without a face.
    """
    tracker = FaceTracker(landmarker, rule, box, max_gap)
    for frame in frames:
        face = tracker.find(frame)
        yield TrackedFrame(np.empty((0, 3)), False) if face is None else TrackedFrame(face.points, True)


def fill_gaps(tracked: Iterable[TrackedFrame], missing: list[int]) -> Iterator[TrackedFrame]:
    """Yield the frames with gaps filled by the last good points, and append the gaps' frame numbers to `missing`.

    Frames before the first face get that face's points; until then, only their numbers are kept. Raises NoFaceError at
    the end of a clip without any face.
    """
    held: Points | None = None
    n_frames = 0
    for frame in tracked:
        n_frames += 1
        if frame.found and held is None:
            yield from (TrackedFrame(frame.points, False) for _ in missing)
        if not frame.found:
            missing.append(n_frames - 1)
        held = frame.points if frame.found else held
        if held is not None:
            yield TrackedFrame(held, frame.found)
    if held is None:
        raise NoFaceError(f"no face in any of the clip's {n_frames} frames; cut the clip to where one shows")


def check_missing(missing: Sequence[int], n_frames: int, max_fraction: float) -> None:
    """Raise TooManyMissingFacesError if more than `max_fraction` of a clip's frames have no face.

    Raises NoFaceError if none has one. The message names the frames, counted from 0.
    """
    if n_frames and len(missing) >= n_frames:
        raise NoFaceError(f"no face in any of the clip's {n_frames} frames; cut the clip to where one shows")
    if len(missing) > max_fraction * n_frames:
        raise TooManyMissingFacesError(
            f"no face in {len(missing)} of {n_frames} frames, {max_fraction:.0%} allowed "
            f"(frames {describe_ranges(missing)}); cut the clip, or raise max_missing_fraction"
        )


def describe_ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers as ranges: "3-7, 12". Of very many ranges, only the first are listed."""
    ends = np.asarray(numbers, np.int64)
    breaks = np.flatnonzero(np.diff(ends) != 1) + 1
    runs = [run for run in np.split(ends, breaks) if len(run)]
    texts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs[:_RANGES_SHOWN]]
    more = len(runs) - len(texts)
    return ", ".join(texts) + (f" and {more} more ranges" if more else "")
