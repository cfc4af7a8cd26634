"""MediaPipe's face landmarker as a detector of a job. Its models are carried in the package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lp_ray.base.errors import RefusedError
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.protocol import LandmarkerIdentity, LandmarkerSpec

LICENCE = "MediaPipe face landmarker (Google): Apache-2.0"


class MediaPipePlugin:
    """Implements `lp_ray.face.protocol.LandmarkerPlugin`."""

    defaults: ClassVar[Mapping[str, object]] = {"device": "cpu"}

    def identify(self, spec: LandmarkerSpec) -> LandmarkerIdentity:
        _check(spec)
        kind = MediaPipeLandmarker
        return LandmarkerIdentity(kind.name, kind.digest, kind.n_points, (LICENCE,))

    def create(self, spec: LandmarkerSpec) -> MediaPipeLandmarker:
        _check(spec)
        return MediaPipeLandmarker()


def _check(spec: LandmarkerSpec) -> None:
    if spec.device != "cpu":
        raise RefusedError(f"detector.device={spec.device!r}: the mediapipe detector runs on cpu only")


PLUGIN = MediaPipePlugin()
