"""What was asked for, in the axes of what is measured."""

from __future__ import annotations

import numpy as np
import pytest

from lp_ray.engine.protocol import FRAME_SIZE
from lp_ray.face.crop import Rectangle, invert
from lp_ray.face.mediapipe.head_pose import head_poses
from lp_ray.face.mediapipe.mesh import canonical_mesh
from lp_ray.face.pose import project, rotation_from_angles
from lp_ray.labels.asked import angles, asked_angles, turns_in_picture
from lp_ray.motion.keypoints import rotation
from lp_ray.motion.records import DrivingMotion, SourceMotion
from lp_ray.motion.transfer import TransferOptions, asked_motion


def seen(turn: np.ndarray, width: int = 640, height: int = 640) -> np.ndarray:
    """Return the landmarks of the canonical face turned in front of a camera far away, 478 x 3."""
    vertices = canonical_mesh().vertices
    whole = np.concatenate([vertices, vertices[:10]])
    return project(whole, 6.0, turn, np.array([width / 2, -height / 2, 0.0]))


@pytest.mark.parametrize("pose", [(0, 20, 0), (12, 0, 0), (0, 0, -15), (5, -14, 8)])
def test_a_turn_in_a_tilted_crop_is_the_turn_seen_in_the_picture(pose: tuple[float, float, float]) -> None:
    """The crop is turned by 25 degrees; the turn in it, put into the picture, gives the pose measured there."""
    crop = invert(Rectangle((320.0, 320.0), 400.0, np.radians(25)).to_crop(FRAME_SIZE))
    source = rotation_from_angles(4, -6, 3)
    turn = rotation_from_angles(*pose)
    in_picture = turns_in_picture(turn[None], crop[None])
    measured = head_poses(seen(in_picture[0] @ source)[None], 640, 640).angles
    assert np.abs(asked_angles(in_picture, source[None]) - measured).max() < 1.5  # that camera is nearer
    # Points turned in the crop and carried to the picture are those turned in the picture.
    points = seen(turn)[:, :2] - 320
    linear = crop[:, :2] / np.sqrt(np.linalg.det(crop[:, :2]))
    straight = turns_in_picture(turn[None], crop[None])[0]
    about = np.arctan2(crop[1, 0], crop[0, 0])
    upright = rotation_from_angles(0, 0, -np.degrees(about))
    assert np.abs(points @ linear.T - (seen(straight @ upright)[:, :2] - 320)).max() < 1e-6


def test_signs_of_liveportraits_angles() -> None:
    """Keypoints have y down and z away from the camera: yaw and roll change their signs, pitch does not.

    A head whose nose points at the camera (z negative there) and turns by a positive yaw of R looks to the left.
    """
    still, moved = (rotation(*(np.array([a], np.float32) for a in pose)) for pose in ((0, 0, 0), (7, 20, -11)))
    nose = np.array([0, 0, -1], np.float32)
    assert (nose @ rotation(*(np.array([a], np.float32) for a in (0, 20, 0)))[0])[0] < 0
    kp = np.random.default_rng(0).normal(size=(1, 21, 3)).astype(np.float32)
    one, zero = np.ones((1, 1), np.float32), np.zeros((1, 3), np.float32)
    exp = np.zeros((1, 21, 3), np.float32)
    source = SourceMotion(kp, one, still, exp, zero, None, None, is_video=False, first_eye_ratio=None)
    reference = DrivingMotion(one, still, exp, zero)
    driving = DrivingMotion(1.2 * one, moved, exp + 0.01, zero)
    asked = asked_motion(source, driving, reference, TransferOptions())
    assert np.allclose(angles(asked.turn), [[-20, 7, 11]], atol=1e-4)
    assert np.allclose(asked.scale, 1.2) and np.allclose(asked.expression, 0.01)
    only_lips = asked_motion(source, driving, reference, TransferOptions(animation_region="lip"))
    assert np.allclose(angles(only_lips.turn), 0, atol=1e-4), "the region leaves the head where it is"
    animal = asked_motion(source, driving, reference, TransferOptions(variant="animal"))
    assert np.allclose(angles(animal.turn), [[-20, 7, 11]], atol=1e-4)
