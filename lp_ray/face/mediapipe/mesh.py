"""MediaPipe's canonical face: the mesh behind the first 468 of the 478 landmarks."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lp_ray.face.mediapipe.bundle import read_carried

FILE = Path(__file__).with_name("canonical_mesh.npz")
"""Made from the model file by `python -m scripts.canonical_mesh`."""

SHA256 = "8047bc00c09a5ee7001d8ac0634415cb05c402cdd6ccb985797cf2ad90e1b78a"

_KINDS: dict[str, type] = {
    "vertices": np.float64,
    "uv": np.float64,
    "triangles": np.intp,
    "rigid_indices": np.intp,
    "rigid_weights": np.float64,
}

N_VERTICES = 468


@dataclass(frozen=True)
class CanonicalMesh:
    """A neutral face in centimetres: x to the picture's right, y up, z towards the camera.

    Arrays are read-only. `vertices` 468 x 3, `uv` 468 x 2 (v up), `triangles` 898 x 3 vertex indices. `rigid_indices`
    (33) and `rigid_weights` (33) are the points of the rigid fit and their weights.
    """

    vertices: NDArray[np.float64]
    uv: NDArray[np.float64]
    triangles: NDArray[np.intp]
    rigid_indices: NDArray[np.intp]
    rigid_weights: NDArray[np.float64]


@cache
def canonical_mesh(file: Path = FILE) -> CanonicalMesh:
    """Read the mesh in the package. Raises WeightsError if its file is missing or altered."""
    with np.load(io.BytesIO(read_carried(file, SHA256)), allow_pickle=False) as stored:
        arrays = {name: stored[name].astype(kind) for name, kind in _KINDS.items()}
    for array in arrays.values():
        array.setflags(write=False)
    return CanonicalMesh(**arrays)
