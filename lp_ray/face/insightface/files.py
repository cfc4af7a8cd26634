"""The three official model files: where they lie, that they are there, what they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lp_ray.errors import WeightsError

# Paths in the official hub repository, KlingTeam/LivePortrait.
DETECTOR = "insightface/models/buffalo_l/det_10g.onnx"
POINTS_106 = "insightface/models/buffalo_l/2d106det.onnx"
POINTS_203 = "liveportrait/landmark.onnx"
FILES = (DETECTOR, POINTS_106, POINTS_203)

REMEDY = "run `python -m jobs.weights pull` to fetch it"


def file_digests(folder: Path) -> list[str]:
    """Return the sha256 of each of FILES in a folder of the official layout.

    Raises WeightsError when one is missing or unreadable.
    """
    return [_sha256(folder / name) for name in FILES]


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{file}: {error.strerror}; {REMEDY}") from error
