"""`python -m benchmarks.engine.machine cuda`: the machine's name in those of results.

Such as nvidia-h200, or x86_64-16-cores.
"""

from __future__ import annotations

import os
import platform
import re

import torch

from lp_ray.engine.liveportrait.placement import choose_device

from ..command import command


def name(device: str) -> str:
    """Return a name for files. Raises RefusedError for a device that is not there."""
    place = choose_device(device)
    if place.type == "cuda":
        return re.sub(r"[^a-z0-9]+", "-", torch.cuda.get_device_name(place).lower()).strip("-")
    return f"{platform.machine()}-{os.cpu_count()}-cores"


if __name__ == "__main__":
    command(lambda words: print(name(" ".join(words))))
