"""The drawn mesh covers the face once."""

from __future__ import annotations

import numpy as np

from lp_ray.engine.preview.topology import (
    EYES,
    INNER_LIPS,
    LID_RIMS,
    LOWER_LIP,
    N_FACE,
    N_VERTICES,
    OVAL,
    UPPER_LIP,
    face_triangles,
    lid_margins,
    neighbours,
    surrounding,
)
from lp_ray.face.mediapipe.mesh import canonical_mesh


def test_loops_follow_edges_of_the_mesh() -> None:
    edges = neighbours(canonical_mesh().triangles)
    for loop in (OVAL, INNER_LIPS, *(eye.loop for eye in EYES)):
        assert all(edges[a, b] for a, b in zip(loop, loop[1:] + loop[:1], strict=True))


def test_facing_points_of_lips_and_lids_stand_above_each_other() -> None:
    vertices = canonical_mesh().vertices
    for upper, lower in ((UPPER_LIP, LOWER_LIP), *((eye.upper, eye.lower) for eye in EYES)):
        high, low = vertices[list(upper)], vertices[list(lower)]
        assert np.abs(high[:, 0] - low[:, 0]).max() < 0.5
        assert (high[:, 1] > low[:, 1] - 0.05).all()


def test_every_inner_edge_has_one_triangle_on_each_side() -> None:
    triangles = face_triangles(canonical_mesh().triangles)
    assert set(triangles.ravel()) == set(range(N_FACE))
    directed = [(int(t[i]), int(t[(i + 1) % 3])) for t in triangles for i in range(3)]
    assert len(directed) == len(set(directed)), "an edge is wound the same way twice"
    boundary = {edge for edge in directed if edge[::-1] not in set(directed)}
    assert {vertex for edge in boundary for vertex in edge} == set(OVAL)


def test_lid_margins_lie_between_rim_and_crease() -> None:
    vertices = canonical_mesh().vertices
    weights = lid_margins(canonical_mesh().triangles)
    assert weights.shape == (len(LID_RIMS), N_VERTICES)
    np.testing.assert_allclose(weights.sum(1), 1)
    lift = (weights @ vertices)[:, 1] - vertices[list(LID_RIMS), 1]
    assert (lift > -0.05).all()
    assert (np.sort(lift)[4:] > 0.05).all()


def test_surrounding_rings_are_disjoint() -> None:
    first, second = surrounding(EYES[0].loop, canonical_mesh().triangles, 2)
    assert len(first) >= 12
    assert not set(first) & set(second)
    assert not set(first) & set(EYES[0].loop)
