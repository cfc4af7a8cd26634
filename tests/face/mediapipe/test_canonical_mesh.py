"""The carried model file, its wire format and the canonical mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lp_ray.base.errors import WeightsError
from lp_ray.face.mediapipe import wire
from lp_ray.face.mediapipe.bundle import BUNDLE, DETECTOR, read_member
from lp_ray.face.mediapipe.mesh import canonical_mesh


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


def test_wire_reads_every_kind_of_field() -> None:
    """Bytes from the format's own documentation: field 1 = 150, field 2 = "testing"; then fixed widths."""
    message = b"\x08\x96\x01" + b"\x12\x07testing" + b"\x1d\x00\x00\x80\x3f" + b"\x21" + bytes(8) + b"\x08\x01"
    assert wire.parse(message) == {1: [150, 1], 2: [b"testing"], 3: [b"\x00\x00\x80\x3f"], 4: [bytes(8)]}


@pytest.mark.parametrize(
    "broken", [b"\x08", b"\x08\x96", b"\x12\x07test", b"\x1d\x00", b"\x0b", b"\x08" + b"\xff" * 20]
)
def test_wire_refuses_broken_messages(broken: bytes) -> None:
    with pytest.raises(ValueError, match="protobuf"):
        wire.parse(broken)
