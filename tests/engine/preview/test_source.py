"""The mesh lies flat over the portrait, also where a part of the face is hidden."""

from __future__ import annotations

import numpy as np
import pytest

from lp_ray.base.errors import UnsupportedError
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.preview.topology import N_VERTICES
from lp_ray.engine.protocol import FRAME_SIZE, SourceCrops
from lp_ray.face.mediapipe.mesh import canonical_mesh
from lp_ray.face.pose import angles_of


def _area(positions: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = positions[triangles].transpose(1, 0, 2)
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2


def test_the_background_covers_the_crop_and_stays_inside(prepared: PreparedSource) -> None:
    mesh = prepared.mesh
    assert mesh.rest.min() >= -1e-6
    assert mesh.rest.max() <= FRAME_SIZE - 1 + 1e-6
    face = _area(mesh.rest, mesh.triangles[mesh.n_background :]).sum()
    around = np.abs(_area(mesh.rest, mesh.triangles[: mesh.n_background])).sum()
    assert abs(face) + around == pytest.approx((FRAME_SIZE - 1) ** 2, rel=0.01)


def test_anchors_project_to_where_their_texture_is(prepared: PreparedSource) -> None:
    mesh = prepared.mesh
    rings = slice(N_VERTICES + 2 + 14, len(mesh.anchor))
    np.testing.assert_allclose(mesh.projected[rings], mesh.rest[rings], atol=1e-6)


def test_a_hidden_cheek_is_unfolded(engine: PreviewEngine, closed_mouth: SourceCrops) -> None:
    prepared = engine.prepare(closed_mouth)[0]
    assert abs(angles_of(prepared.rotation)[1]) > 12
    mesh = prepared.mesh
    front = mesh.triangles[mesh.n_background :]
    overlap = []
    for positions in (mesh.projected, mesh.rest):
        area = _area(positions, front)
        overlap.append(-np.minimum(area * np.sign(np.median(area)), 0).sum())
    assert overlap[0] > 300
    assert overlap[1] < overlap[0] / 4


@pytest.mark.parametrize("shape", [(203, 2), (468, 3), (478, 2)])
def test_other_landmarks_are_refused(engine: PreviewEngine, astronaut: SourceCrops, shape: tuple[int, int]) -> None:
    with pytest.raises(UnsupportedError, match="478 x 3"):
        engine.prepare(SourceCrops(astronaut.images, np.zeros((1, *shape))))


def test_collapsed_landmarks_are_refused(engine: PreviewEngine, astronaut: SourceCrops) -> None:
    with pytest.raises(UnsupportedError, match="do not form a face"):
        engine.prepare(SourceCrops(astronaut.images, np.full((1, 478, 3), 7.0)))


def test_a_face_drawn_in_perfect_symmetry_stays_inside_the_crop(engine: PreviewEngine) -> None:
    """Some of its outline lies straight above and below its middle: rays from there meet two borders, not four."""
    mesh = canonical_mesh()
    points = np.concatenate([mesh.vertices, np.repeat(mesh.vertices[[33, 263]], 5, axis=0)])
    points = points * (14, -14, -14) + (FRAME_SIZE / 2, FRAME_SIZE / 2, 0)
    (prepared,) = engine.prepare(SourceCrops(np.zeros((1, FRAME_SIZE, FRAME_SIZE, 3), np.uint8), points[None]))
    assert prepared.mesh.rest.min() >= -1e-6 and prepared.mesh.rest.max() <= FRAME_SIZE - 1 + 1e-6
