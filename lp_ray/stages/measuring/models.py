"""The carried models that measuring uses, loaded once per process."""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.face.identity import IdentityNetwork, align
from lp_ray.face.mediapipe.blendshapes import NAMES, BlendshapeNetwork
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker


class Models:
    """MediaPipe's landmarker and blendshapes and dlib's identity network. One thread at a time."""

    @cached_property
    def landmarker(self) -> MediaPipeLandmarker:
        """The landmarker, whichever detector the job uses."""
        return MediaPipeLandmarker()

    @cached_property
    def _blendshapes(self) -> BlendshapeNetwork:
        return BlendshapeNetwork()

    @cached_property
    def _identity(self) -> IdentityNetwork:
        return IdentityNetwork()

    def blendshapes_of(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the blendshapes, n x 52, of n x 478 x 3 landmarks; NaN where there is no face."""
        found = np.isfinite(points).all((1, 2))
        rows = np.full((len(points), len(NAMES)), np.nan, np.float32)
        rows[found] = self._blendshapes.many(points[found])
        return rows

    def embed(self, frames: list[Image], points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the embeddings, n x 128, of n pictures with landmarks n x 478 x 3."""
        chips = [align(frame, face) for frame, face in zip(frames, points, strict=True)]
        return self._identity(np.stack(chips) if chips else np.empty((0, 150, 150, 3), np.uint8))


@cache
def models_here() -> Models:
    """Return the models of this process."""
    return Models()
