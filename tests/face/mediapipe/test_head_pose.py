"""Head poses: a face put in front of the camera is found where it was put."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.face.mediapipe.head_pose import FIELD_OF_VIEW, head_poses
from lp_ray.face.mediapipe.mesh import canonical_mesh
from lp_ray.face.pose import Array, rotation_from_angles

WIDTH, HEIGHT = 640, 480


def seen(rotation: Array, translation: Array) -> Array:
    """Return the landmarks, 1 x 478 x 3 pixels, of the canonical face in front of the pinhole camera.

    Depth is in the unit of pixels at the face's distance, as landmarkers give it.
    """
    camera = canonical_mesh().vertices @ rotation.T + translation
    pixels = HEIGHT / (2 * np.tan(np.radians(FIELD_OF_VIEW) / 2))
    depth = -camera[:, 2]
    points = np.zeros((1, 478, 3))
    points[0, :468, 0] = WIDTH / 2 + pixels * camera[:, 0] / depth - 0.5
    points[0, :468, 1] = HEIGHT / 2 - pixels * camera[:, 1] / depth - 0.5
    points[0, :468, 2] = pixels * (depth / depth.mean() - 1)
    return points


@given(
    st.floats(-40, 40), st.floats(-30, 30), st.floats(-30, 30), st.floats(-12, 12), st.floats(-8, 8), st.floats(40, 120)
)
def test_a_face_in_front_of_the_camera_is_found(
    yaw: float, pitch: float, roll: float, x: float, y: float, distance: float
) -> None:
    """Within a degree and 3 % of the distance, off the axis and near the camera too."""
    place = np.array([x, y, -distance])
    pose = head_poses(seen(rotation_from_angles(pitch, yaw, roll), place), WIDTH, HEIGHT)
    np.testing.assert_allclose(pose.angles[0], (yaw, pitch, roll), atol=1.0)
    np.testing.assert_allclose(pose.translation[0], place, atol=0.03 * distance)


def test_frames_do_not_know_of_each_other() -> None:
    points = np.concatenate(
        [seen(rotation_from_angles(0, yaw, 3), np.array([yaw / 4, 1.0, -60.0])) for yaw in range(-20, 25, 5)]
    )
    together = head_poses(points, WIDTH, HEIGHT)
    for i in range(len(points)):
        alone = head_poses(points[i : i + 1], WIDTH, HEIGHT)
        np.testing.assert_allclose(together.rotation[i], alone.rotation[0], atol=1e-12)
        np.testing.assert_allclose(together.translation[i], alone.translation[0], atol=1e-9)
    assert head_poses(points[:0], WIDTH, HEIGHT).angles.shape == (0, 3)


def test_the_size_of_the_picture_makes_no_difference() -> None:
    points = seen(rotation_from_angles(5, 20, -10), np.array([4.0, -2.0, -50.0]))
    edge = np.array([0.5, 0.5, 0])
    larger = (points + edge) * 3 - edge
    np.testing.assert_allclose(
        head_poses(larger, 3 * WIDTH, 3 * HEIGHT).angles, head_poses(points, WIDTH, HEIGHT).angles, atol=1e-9
    )


def test_what_is_no_face_in_a_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="n x 478 x 3 landmarks, not 1 x 203 x 2"):
        head_poses(np.zeros((1, 203, 2)), WIDTH, HEIGHT)
    with pytest.raises(ValueError, match="0 x 480 pixels"):
        head_poses(np.zeros((1, 478, 3)), 0, HEIGHT)
