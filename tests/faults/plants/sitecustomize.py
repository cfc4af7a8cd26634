"""Faults for every Python process that finds this file on its path: Pillow and the landmarker crash on marked files.

Nothing of the product knows of it: Python imports a module of this name by itself at the start, if there is one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.faults.planter import plant

MAGIC = (201, 3, 77)
EATEN_AT_MOST = 3 << 30  # an unbounded process survives it, and the test then fails


def crash() -> None:
    ctypes.string_at(0)  # SIGSEGV


def hang() -> None:
    while True:
        ctypes.CDLL(None).pause()


def eat() -> None:
    eaten = []
    while len(eaten) << 26 < EATEN_AT_MOST:
        eaten.append(bytearray(1 << 26))


FAULTS: dict[bytes, Callable[[], None]] = {b"segfault": crash, b"hang": hang, b"memory": eat}


def plant_in_decoder(module: ModuleType) -> None:
    load = module.ImageFile.load

    def planted(self: Any) -> Any:
        _, marker, fault = Path(self.filename).read_bytes()[-32:].rpartition(b"PLANT:")
        if marker:
            FAULTS[fault]()
        return load(self)

    module.ImageFile.load = planted


def plant_in_landmarker(module: ModuleType) -> None:
    kind = module.MediaPipeLandmarker
    detect = kind.detect

    def planted(self: Any, picture: Any) -> Any:
        if (picture[:4, :4] == MAGIC).all():
            crash()
        return detect(self, picture)

    kind.detect = planted


PLANTS = {"PIL.ImageFile": plant_in_decoder, "lp_ray.face.mediapipe.landmarker": plant_in_landmarker}

plant(PLANTS)
