"""The carried models that measuring uses, loaded once per process."""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.base.device import Device
from lp_ray.face.identity import IdentityNetwork, align
from lp_ray.face.mediapipe.blendshapes import NAMES, BlendshapeNetwork
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.models.store import WeightStore
from lp_ray.plan.settings import Settings

if TYPE_CHECKING:
    from lp_ray.face.insightface.recognition import ArcFace


class Models:
    """MediaPipe's landmarker and blendshapes, dlib's identity network, and ArcFace where a weight store has it. One
    thread at a time."""

    def __init__(self, device: str = "cpu", arcface: str = "") -> None:
        """`device` is where faces are embedded, `arcface` the weight store with ArcFace; "": without it."""
        self._device, self._store = device, arcface

    @cached_property
    def landmarker(self) -> MediaPipeLandmarker:
        """The landmarker, whichever detector the job uses."""
        return MediaPipeLandmarker()

    @cached_property
    def _blendshapes(self) -> BlendshapeNetwork:
        return BlendshapeNetwork()

    @cached_property
    def _identity(self) -> IdentityNetwork:
        return IdentityNetwork(self._device)

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

    @cached_property
    def _arcface(self) -> ArcFace:
        # onnxruntime and insightface take seconds and hundreds of megabytes to import
        from lp_ray.face.insightface.recognition import ArcFace

        return ArcFace.of_store(WeightStore(self._store), Device(self._device).kind)

    def embed_arcface(self, frames: list[Image], points: NDArray[np.floating]) -> NDArray[np.float32] | None:
        """Return ArcFace's embeddings, n x 512, of n pictures with landmarks n x 478 x 3; None without ArcFace."""
        return self._arcface(frames, points) if self._store else None


@cache
def models_here(device: str = "cpu", arcface: str = "") -> Models:
    """Return the models of this process."""
    return Models(device, arcface)


def models_for(settings: Settings) -> Models:
    """Return the models of this process that a job measures with."""
    return models_here(settings.metrics_device, settings.metrics_arcface)
