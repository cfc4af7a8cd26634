"""The device of each part of a job. The sizes of the pools depend on it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from lp_ray.base.device import Device


class Part(StrEnum):
    """A part of a stage that may need a GPU. Its value is the setting that names its device."""

    ENGINE = "engine.device"
    DETECTOR = "detector.device"
    ANIMAL_DETECTOR = "xpose.device"
    ENCODER = "encoder"
    METRICS = "metrics_device"


Devices = Mapping[Part, Device]
"""The device of each part. A part that is missing needs no device."""

ON_CPU = {Part.ENCODER: "x264"}
"""The setting's value for the CPU, where it is not `cpu`."""

NVENC = Device("cuda")
"""The device of the encoder nvenc."""
