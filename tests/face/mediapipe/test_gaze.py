"""Gaze: an iris put somewhere looks there, whatever the head does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.face.mediapipe.gaze import EYES, RADIUS, REST_HEIGHT, gaze
from lp_ray.face.mediapipe.mesh import canonical_mesh
from lp_ray.face.pose import Array, project, rotation_from_angles


def looking(yaw: float, pitch: float) -> Array:
    """Return the canonical face with irises turned by these degrees, 478 x 3."""
    face = np.zeros((478, 3))
    face[:468] = canonical_mesh().vertices
    move = RADIUS * np.sin(np.radians([yaw, -pitch])) + [0, REST_HEIGHT]
    for left, right, iris in EYES:
        face[iris] = (face[left] + face[right]) / 2
        face[iris, :2] += move
    return face


@given(st.floats(-35, 35), st.floats(-25, 25), st.tuples(*[st.floats(-40, 40)] * 3), st.floats(2, 60))
def test_gaze_is_relative_to_the_head(yaw: float, pitch: float, head: tuple[float, float, float], size: float) -> None:
    points = project(looking(yaw, pitch), size, rotation_from_angles(*head), np.array([300.0, -200.0, 5.0]))
    np.testing.assert_allclose(gaze(points[None]), [[(yaw, pitch)] * 2], atol=1e-6)


def test_signs_are_those_of_heads() -> None:
    """Irises to the right of the picture: yaw above 0; irises further down: pitch above 0. Eyes by themselves."""
    points = np.stack([looking(0, 0), looking(0, 0)]) * [1, -1, -1]
    points[1, EYES[1][2], :2] += [0.4, 0.3]
    left, right = gaze(points)[1]
    np.testing.assert_allclose(left, 0, atol=1e-6)
    assert right[0] > 15 and right[1] > 10


def test_other_landmarks_are_refused() -> None:
    with pytest.raises(ValueError, match="n x 478 x 3"):
        gaze(np.zeros((478, 3)))
