"""Real pictures with faces, decoded once for the whole room and read-only, as Ray hands them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import cv2
import insightface
import numpy as np
import pytest
import skimage.data

from lp_ray.base.arrays import Image
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from tests.face.film import Head

GROUP_PHOTO = Path(insightface.__file__).parent / "data" / "images" / "t1.jpg"


def _rgb(picture: Image) -> Image:
    image = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    image.setflags(write=False)
    return image


@pytest.fixture(scope="session")
def landmarker() -> MediaPipeLandmarker:
    cv2.setNumThreads(1)
    return MediaPipeLandmarker()


@pytest.fixture(scope="session")
def portrait(media: Path) -> Callable[[str], Image]:
    """Read a portrait of the media folder by name ("s9")."""
    return cache(lambda name: _rgb(cv2.imread(str(media / "source" / f"{name}.jpg"))))


@pytest.fixture(scope="session")
def group_photo() -> Image:
    """Six people around a table."""
    return _rgb(cv2.imread(str(GROUP_PHOTO)))


@pytest.fixture(scope="session")
def clip(media: Path) -> Callable[[str, float], list[Image]]:
    """Read the first seconds of a driving clip by name ("d0")."""

    def read(name: str, seconds: float) -> list[Image]:
        capture = cv2.VideoCapture(str(media / "driving" / f"{name}.mp4"))
        n_frames = round(seconds * capture.get(cv2.CAP_PROP_FPS))
        frames = [frame for ok, frame in (capture.read() for _ in range(n_frames)) if ok]
        capture.release()
        assert len(frames) == n_frames
        return [_rgb(frame) for frame in frames]

    return read


@pytest.fixture(scope="session")
def heads(landmarker: MediaPipeLandmarker, group_photo: Image) -> Sequence[Head]:
    """Six people of the group photo from left to right, and an astronaut."""
    group = sorted(landmarker.detect(group_photo), key=lambda face: face.box[0])
    found = [Head.of(group_photo, face) for face in group]
    astronaut = skimage.data.astronaut()
    return [*found, Head.of(astronaut, *landmarker.detect(astronaut))]
