"""Read frames of a clip by any indices (loops, ping-pong, repeats, jumps); each frame is decoded once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.media.clip import Footage

MAX_GAP = 64
"""Up to so many unused frames are decoded and dropped; above, a new decoder starts at a key frame."""


def gather(clip: Footage, indices: NDArray[np.intp], transform: Callable[[Image], Image]) -> list[Image]:
    """Return `transform` of the clip's frames at `indices` (n, each 0 to clip.n_frames - 1), in that order.

    Each needed frame is decoded and transformed once, in the clip's order. A repeated index gives the same array again.
    All transformed pictures are kept in memory (a view keeps its whole frame), so ask for one chunk at a time.
    `transform` must not write into its frame. Raises ValueError for indices outside the clip, and what `Clip.frames`
    raises.
    """
    if len(indices) == 0:
        return []
    wanted = np.unique(indices)
    if wanted[0] < 0 or wanted[-1] >= clip.n_frames:
        raise ValueError(f"frames {wanted[0]} to {wanted[-1]} asked of {clip.n_frames}")
    made: dict[int, Image] = {}
    for run in _runs(wanted):
        _gather_run(clip, run, transform, made)
    return [made[int(index)] for index in indices]


def _runs(wanted: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Split sorted indices where more than MAX_GAP unused frames lie between two of them."""
    return np.split(wanted, np.flatnonzero(np.diff(wanted) > MAX_GAP) + 1)


def _gather_run(
    clip: Footage, run: NDArray[np.intp], transform: Callable[[Image], Image], made: dict[int, Image]
) -> None:
    first = int(run[0])
    needed = {int(index) for index in run}
    with closing(clip.frames(first, int(run[-1]) - first + 1)) as frames:
        for index, frame in enumerate(frames, first):
            if index in needed:
                made[index] = transform(frame)
