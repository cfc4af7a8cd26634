"""The carried model file, and the canonical mesh that was taken from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lp_ray.base.errors import WeightsError
from lp_ray.face.mediapipe.bundle import BUNDLE, DETECTOR, read_member
from lp_ray.face.mediapipe.mesh import FILE, canonical_mesh
from scripts.canonical_mesh import read_mesh


def test_mesh_has_the_documented_sizes() -> None:
    mesh = canonical_mesh()
    assert mesh.vertices.shape == (468, 3)
    assert mesh.uv.shape == (468, 2)
    assert mesh.triangles.shape == (898, 3)
    assert mesh.rigid_indices.shape == mesh.rigid_weights.shape == (33,)
    assert set(np.unique(mesh.triangles)) == set(range(468))
    assert mesh.uv.min() >= 0 and mesh.uv.max() <= 1
    assert (mesh.rigid_weights > 0).all()


def test_mesh_is_a_face() -> None:
    """Left and right mirror each other, the chin is below the brow, the nose tip is nearest."""
    mesh = canonical_mesh()
    mirrored = mesh.vertices * (-1, 1, 1)
    distances = np.linalg.norm(mirrored[:, None] - mesh.vertices[None], axis=2).min(1)
    assert distances.max() < 0.05
    assert mesh.vertices[152, 1] < mesh.vertices[1, 1] < mesh.vertices[10, 1]
    assert mesh.vertices[:, 2].argmax() in (1, 4)


def test_mesh_is_shared_and_read_only() -> None:
    assert canonical_mesh() is canonical_mesh()
    with pytest.raises(ValueError, match="read-only"):
        canonical_mesh().vertices[0, 0] = 1


def test_mesh_is_that_of_the_model_file() -> None:
    """Array by array, as a protobuf runtime reads it there."""
    carried = canonical_mesh()
    for name, array in read_mesh().items():
        np.testing.assert_array_equal(getattr(carried, name), array, err_msg=name)


def test_altered_mesh_is_refused(tmp_path: Path) -> None:
    altered = tmp_path / FILE.name
    altered.write_bytes(FILE.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"sha256 .* belongs; install lp_ray again"):
        canonical_mesh(altered)
    with pytest.raises(WeightsError, match=r"No such file.*install lp_ray again"):
        canonical_mesh(tmp_path / "gone.npz")


def test_altered_model_file_is_refused(tmp_path: Path) -> None:
    altered = tmp_path / BUNDLE.name
    raw = bytearray(BUNDLE.read_bytes())
    raw[len(raw) // 2] ^= 1
    altered.write_bytes(raw)
    with pytest.raises(WeightsError, match=r"sha256 .* belongs; install lp_ray again"):
        read_member(DETECTOR, altered)


def test_missing_model_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"No such file.*install lp_ray again"):
        read_member(DETECTOR, tmp_path / "gone.task")
