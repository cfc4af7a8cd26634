"""Metrics of identity: does the result still show the same person?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lp_ray.face.identity.compare import cosine, distance
from lp_ray.quality.running import Largest, Mean
from lp_ray.quality.table import Level

FAST_FRAMES = 8
"""Number of frames that "fast" looks at, because identity hardly changes from one frame to the next."""


def frames_to_embed(n_frames: int, level: Level) -> NDArray[np.intp]:
    """Return the frames to embed, ascending: all of them, or FAST_FRAMES spread evenly, ends included."""
    count = n_frames if level == "full" else min(n_frames, FAST_FRAMES)
    return np.unique(np.linspace(0, max(n_frames - 1, 0), count).round().astype(np.intp))


class IdentityMeter:
    """identity_mean, identity_worst, identity_l2_mean, identity_l2_worst."""

    def __init__(self, source: NDArray[np.floating]) -> None:
        """`source` is the embedding (128) of the source's face."""
        self._source = source
        self._cosine, self._worst = Mean(), Largest()
        self._distance, self._furthest = Mean(), Largest()

    def add(self, embeddings: NDArray[np.floating]) -> None:
        """Add the embeddings of frames, n x 128."""
        alike, apart = cosine(embeddings, self._source), distance(embeddings, self._source)
        self._cosine.add(alike)
        self._worst.add(-alike)
        self._distance.add(apart)
        self._furthest.add(apart)

    def merge(self, later: IdentityMeter) -> None:
        """Add what another meter of the same source has measured."""
        self._cosine.merge(later._cosine)
        self._worst.merge(later._worst)
        self._distance.merge(later._distance)
        self._furthest.merge(later._furthest)

    def row(self) -> dict[str, float | None]:
        """Return the values by metric."""
        worst = self._worst.value
        return {
            "identity_mean": self._cosine.value,
            "identity_worst": None if worst is None else -worst,
            "identity_l2_mean": self._distance.value,
            "identity_l2_worst": self._furthest.value,
        }


class ArcFaceMeter:
    """identity_arcface."""

    def __init__(self, source: NDArray[np.floating]) -> None:
        """`source` is ArcFace's embedding (512) of the source's face."""
        self._source, self._cosine = source, Mean()

    def add(self, embeddings: NDArray[np.floating]) -> None:
        """Add the embeddings of frames, n x 512."""
        self._cosine.add(cosine(embeddings, self._source))

    def merge(self, later: ArcFaceMeter) -> None:
        """Add what another meter of the same source has measured."""
        self._cosine.merge(later._cosine)

    def row(self) -> dict[str, float | None]:
        """Return the value by metric."""
        return {"identity_arcface": self._cosine.value}
