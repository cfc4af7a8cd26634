"""Which parts of a job run on which device: what pools are sized by."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from lp_ray.base.device import Device


class Part(StrEnum):
    """A part of a stage that may need a GPU; its value is the setting that says where it runs."""

    ENGINE = "engine.device"
    DETECTOR = "detector.device"
    ANIMAL_DETECTOR = "xpose.device"
    ENCODER = "encoder"


Devices = Mapping[Part, Device]
"""Where the parts of a job run; a part that is not there needs nothing."""

ON_CPU = {Part.ENCODER: "x264"}
"""What a setting says in place of `cpu`."""

NVENC = Device("cuda")
"""Where the encoder nvenc runs."""
