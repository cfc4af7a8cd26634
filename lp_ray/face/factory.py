"""From a name to a landmarker."""

from __future__ import annotations

from lp_ray.errors import RefusedError
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.protocol import Landmarker

LANDMARKERS = ("mediapipe",)


def create_landmarker(name: str) -> Landmarker:
    """Build a landmarker, models loaded. Raises RefusedError for an unknown name."""
    if name == "mediapipe":
        return MediaPipeLandmarker()
    raise RefusedError(f"detector={name!r} must be one of {', '.join(LANDMARKERS)}")
