"""The plugin of MediaPipe's face landmarker. Its models come with the package."""

from __future__ import annotations

from typing import ClassVar

from lp_ray.base.declared import Declared, Setting
from lp_ray.base.errors import RefusedError
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.protocol import LandmarkerIdentity, LandmarkerSpec

LICENCE = "MediaPipe face landmarker (Google): Apache-2.0"


class MediaPipePlugin:
    """Implements `lp_ray.face.protocol.LandmarkerPlugin`."""

    settings: ClassVar[Declared] = {"device": Setting("cpu", "cpu: it runs nowhere else")}

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
