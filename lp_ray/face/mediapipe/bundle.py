"""The model file in the package, `face_landmarker.task`: a zip of TensorFlow Lite networks and a mesh."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path

from lp_ray.base.errors import WeightsError

BUNDLE = Path(__file__).with_name("face_landmarker.task")
BUNDLE_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"

DETECTOR = "face_detector.tflite"
LANDMARKS = "face_landmarks_detector.tflite"
BLENDSHAPES = "face_blendshapes.tflite"

_REMEDY = "install lp_ray again, its wheel carries the file"


@cache
def read_member(name: str, bundle: Path = BUNDLE) -> bytes:
    """Return one member of the model file. Raises WeightsError as `read_carried` does."""
    with zipfile.ZipFile(io.BytesIO(read_carried(bundle, BUNDLE_SHA256))) as archive:
        return archive.read(name)


def read_carried(file: Path, sha256: str) -> bytes:
    """Return the content of a file in the package after a check of its hash.

    Raises WeightsError if it is missing or altered.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise WeightsError(f"{file}: {error.strerror}; {_REMEDY}") from error
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise WeightsError(f"{file}: sha256 {found} where {sha256} belongs; {_REMEDY}")
    return raw
