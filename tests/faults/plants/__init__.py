"""What the fault tests plant in the processes of a job: see `sitecustomize.py` and `decoder.sh` here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lp_ray.base.arrays import Image

FOLDER = Path(__file__).parent

ENVIRONMENT = {"PYTHONPATH": str(FOLDER), "IMAGEIO_FFMPEG_EXE": str(FOLDER / "decoder.sh")}
"""Leads Python and ffmpeg to the plants; REAL_FFMPEG must name the real one."""

MAGIC = (201, 3, 77)
"""Colour of the upper left pixels of a picture on which the landmarker crashes."""


def plant(path: Path, picture: bytes, fault: str) -> Path:
    """Write a sound picture whose decoder will do as told: `segfault`, `hang`, or `memory`."""
    path.write_bytes(picture + f"PLANT:{fault}".encode())
    return path


def for_landmarker(picture: Image) -> Image:
    """Return a picture on which the landmarker crashes its whole process."""
    marked = picture.copy()
    marked[:4, :4] = np.array(MAGIC, np.uint8)
    return marked
