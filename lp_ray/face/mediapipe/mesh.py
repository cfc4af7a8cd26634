"""MediaPipe's canonical face: the mesh behind the first 468 of the 478 landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lp_ray.face.mediapipe.bundle import MESH, read_member
from lp_ray.face.mediapipe.wire import Message, parse

# Field numbers of MediaPipe's geometry_pipeline_metadata.proto and mesh_3d.proto.
_CANONICAL_MESH, _PROCRUSTES_BASIS = 1, 2
_VERTEX_BUFFER, _INDEX_BUFFER = 3, 4
_LANDMARK_ID, _WEIGHT = 1, 2

N_VERTICES = 468


@dataclass(frozen=True)
class CanonicalMesh:
    """A neutral face in centimetres: x to the picture's right, y up, z towards the camera.

    Arrays are read-only. `vertices` 468 x 3, `uv` 468 x 2 (v up), `triangles` 898 x 3 vertex indices;
    `rigid_indices` (33) and `rigid_weights` (33) are the points of the rigid fit and how much each counts.
    """

    vertices: NDArray[np.float64]
    uv: NDArray[np.float64]
    triangles: NDArray[np.intp]
    rigid_indices: NDArray[np.intp]
    rigid_weights: NDArray[np.float64]


@cache
def canonical_mesh() -> CanonicalMesh:
    """Read the mesh from the model file. Raises WeightsError when that file is missing or altered."""
    metadata = parse(read_member(MESH))
    mesh = parse(_raw(metadata, _CANONICAL_MESH))
    vertices = _floats(mesh, _VERTEX_BUFFER).reshape(N_VERTICES, 5)
    basis = [parse(point) for point in metadata[_PROCRUSTES_BASIS] if isinstance(point, bytes)]
    arrays = (
        vertices[:, :3].copy(),
        vertices[:, 3:].copy(),
        np.array(mesh[_INDEX_BUFFER], np.intp).reshape(-1, 3),
        np.array([point[_LANDMARK_ID][0] for point in basis], np.intp),
        np.concatenate([_floats(point, _WEIGHT) for point in basis]),
    )
    for array in arrays:
        array.setflags(write=False)
    return CanonicalMesh(*arrays)


def _raw(message: Message, field: int) -> bytes:
    value = message[field][0]
    if not isinstance(value, bytes):
        raise ValueError(f"protobuf field {field} is a number where a message belongs")
    return value


def _floats(message: Message, field: int) -> NDArray[np.float64]:
    raw = b"".join(value for value in message[field] if isinstance(value, bytes))
    return np.frombuffer(raw, "<f4").astype(np.float64)
