"""A real clip as a result of its own: pictures, landmarks and blendshapes, made once."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lp_ray.base.arrays import Image
from lp_ray.face.identity import IdentityNetwork
from lp_ray.face.mediapipe.blendshapes import BlendshapeNetwork
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from tests.quality.made import SHIFT, SIZE, Bench, Made, N


def read_clip(path: Path, start: int, n: int) -> Made:
    """Read n frames, shrunk to SIZE x SIZE, with the one face in each."""
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_POS_FRAMES, start)
    landmarker, network = MediaPipeLandmarker(), BlendshapeNetwork()
    frames: list[Image] = []
    points = []
    for _ in range(n):
        ok, picture = capture.read()
        assert ok
        small = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        frames.append(small.astype(np.uint8))
        points.append(landmarker.detect(frames[-1])[0].points)
    capture.release()
    return Made(np.stack(frames), np.stack(points), network.many(np.stack(points)), np.ones(n, int))


@pytest.fixture(scope="session")
def network() -> IdentityNetwork:
    return IdentityNetwork()


@pytest.fixture(scope="session")
def bench(media: Path, network: IdentityNetwork) -> Bench:
    """A woman who turns her head, talks and blinks, 60 frames."""
    return Bench(read_clip(media / "driving" / "d3.mp4", 240, N + 2 * SHIFT), network)


@pytest.fixture(scope="session")
def stranger(media: Path) -> Made:
    """Somebody else, as many frames as are embedded."""
    return read_clip(media / "driving" / "d9.mp4", 0, 8)
