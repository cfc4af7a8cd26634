"""insightface's and LivePortrait's model files: their names in a weight store, and their paths on this machine."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path

from lp_ray.base.errors import WeightsError
from lp_ray.models.cache import cached_file
from lp_ray.models.store import WeightStore

# Names in a weight store; `lp_ray.models.artefacts` knows where they come from.
DETECTOR = "shared/det_10g.onnx"
POINTS_106 = "shared/2d106det.onnx"
POINTS_203 = "shared/landmark.onnx"
FILES = (DETECTOR, POINTS_106, POINTS_203)
ARCFACE = "shared/w600k_r50.onnx"
"""The recognition network; the detector does without it."""

REMEDY = "run `lp-ray weights pull` to fetch it"


@dataclass(frozen=True)
class ModelFiles:
    """Local paths of the three models: buffalo_l's detector and 106 points, LivePortrait's 203 points."""

    detector: Path
    points_106: Path
    points_203: Path

    @classmethod
    def of_store(cls, store: WeightStore) -> ModelFiles:
        """Fetch the models of a weight store to this machine. Raises WeightsError if one is missing or altered."""
        return cls(*(cached_file(store, name) for name in FILES))

    def hashes(self) -> list[str]:
        """Return the SHA-256 of each file. Raises WeightsError if one is missing or unreadable."""
        return [_sha256(file) for file in astuple(self)]


def stored_hashes(store: WeightStore) -> list[str]:
    """Return what `ModelFiles.of_store(store).hashes()` would, but from the store's lock only. Raises WeightsError."""
    return [store.entry(name).sha256 for name in FILES]


def arcface_name(store: WeightStore) -> str:
    """Return what identifies the recognition network of a store, by its lock alone. Raises WeightsError."""
    return f"w600k_r50:{store.entry(ARCFACE).sha256[:16]}"


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{file}: {error.strerror}; {REMEDY}") from error
