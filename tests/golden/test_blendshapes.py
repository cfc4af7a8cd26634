"""Blendshapes, head poses and gaze against MediaPipe's own numbers (blendshapes.npz)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray.face.mediapipe.blendshapes import INDEX, NAMES, BlendshapeNetwork
from lp_ray.face.mediapipe.gaze import gaze
from lp_ray.face.mediapipe.head_pose import head_poses
from lp_ray.face.pose import angles_of
from tests.goldens import Goldens

TOLERANCE = 1e-4
DEGREES = 0.01
"""The issue asks for 2; the method is MediaPipe's, so what is left is its float32."""
CENTIMETRES = 0.01

Arrays = Mapping[str, NDArray[Any]]


@pytest.fixture(scope="module")
def faces(goldens: Goldens) -> Arrays:
    with np.load(goldens / "blendshapes.npz") as file:
        return dict(file)


def _pixels(faces: Arrays) -> NDArray[np.float64]:
    """Points in pixels, n x 478 x 3: normalised ones count from the picture's edge, z goes by its width."""
    width, height = faces["size"].T
    sizes: NDArray[np.float64] = np.stack([width, height, width], 1)[:, None].astype(np.float64)
    return faces["points"] * sizes - [0.5, 0.5, 0]


def test_every_coefficient_of_every_face(faces: Arrays) -> None:
    ours = BlendshapeNetwork().many(_pixels(faces))
    assert tuple(faces["labels"]) == NAMES
    assert ours.dtype == np.float32 and ours.shape == faces["blend"].shape
    np.testing.assert_allclose(ours, faces["blend"], atol=TOLERANCE, rtol=0)


def test_every_head_pose(faces: Arrays) -> None:
    for points, (width, height), matrix in zip(_pixels(faces), faces["size"], faces["matrix"], strict=True):
        pose = head_poses(points[None], int(width), int(height))
        pitch, yaw, roll = angles_of(matrix[:3, :3].astype(np.float64))
        np.testing.assert_allclose(pose.angles[0], (yaw, pitch, roll), atol=DEGREES)
        np.testing.assert_allclose(pose.translation[0], matrix[:3, 3], atol=CENTIMETRES)


def test_gaze_goes_with_mediapipes_look_coefficients(faces: Arrays) -> None:
    """An estimate of another kind than MediaPipe's, so only their courses are compared, over all faces."""
    blend, (yaw, pitch) = faces["blend"], gaze(_pixels(faces)).mean(1).T

    def look(*names: str) -> NDArray[Any]:
        return np.sum([blend[:, INDEX[f"eyeLook{name}"]] for name in names], axis=0)

    to_the_right = look("InRight", "OutLeft") - look("OutRight", "InLeft")
    down = look("DownRight", "DownLeft") - look("UpRight", "UpLeft")
    assert np.corrcoef(yaw, to_the_right)[0, 1] > 0.95
    assert np.corrcoef(pitch, down)[0, 1] > 0.85
