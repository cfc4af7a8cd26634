"""Create landmarkers from their settings."""

from __future__ import annotations

from collections.abc import Callable

from lp_ray.base.device import Device
from lp_ray.base.registry import Registry
from lp_ray.face.protocol import Landmarker, LandmarkerIdentity, LandmarkerPlugin, LandmarkerSpec

__all__ = [
    "DETECTORS",
    "CreateLandmarker",
    "LandmarkerIdentity",
    "LandmarkerSpec",
    "create_landmarker",
    "identify_landmarker",
]

DETECTORS: Registry[LandmarkerPlugin] = Registry(
    "detector",
    "lp_ray.detectors",
    {
        "mediapipe": "lp_ray.face.mediapipe.plugin:PLUGIN",
        "insightface": "lp_ray.face.insightface.plugin:PLUGIN",
        "xpose": "lp_ray.face.xpose.plugin:PLUGIN",
    },
    extras={"insightface": "insightface", "xpose": "liveportrait"},
)
"""Landmarkers by name: the values of the settings `detector` and, for animals, `xpose`."""

CreateLandmarker = Callable[[LandmarkerSpec], Landmarker]
"""How stages create their landmarkers: `create_landmarker`, or something that keeps what it has created."""


def identify_landmarker(spec: LandmarkerSpec) -> LandmarkerIdentity:
    """Describe the landmarker that `create_landmarker` would build. Raises as `LandmarkerPlugin.identify` does."""
    plugin = DETECTORS.get_for_work(spec.name)
    Device.parse(spec.device, "detector.device")
    return plugin.identify(spec)


def create_landmarker(spec: LandmarkerSpec) -> Landmarker:
    """Build the landmarker and load its models. Raises as `LandmarkerPlugin.create` does."""
    plugin = DETECTORS.get_for_work(spec.name)
    Device.parse(spec.device, "detector.device")
    return plugin.create(spec)
