"""Real pictures with faces, decoded once for the whole room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import cv2
import insightface
import numpy as np
import pytest

from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.protocol import Image

GROUP_PHOTO = Path(insightface.__file__).parent / "data" / "images" / "t1.jpg"


def read_rgb(path: Path) -> Image:
    picture = cv2.imread(str(path))
    assert picture is not None, path
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def read_clip(path: Path, seconds: float) -> Iterator[Image]:
    """Yield the first seconds of a clip."""
    capture = cv2.VideoCapture(str(path))
    try:
        for _ in range(round(seconds * capture.get(cv2.CAP_PROP_FPS))):
            ok, frame = capture.read()
            if not ok:
                return
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    finally:
        capture.release()


@pytest.fixture(scope="session")
def landmarker() -> MediaPipeLandmarker:
    cv2.setNumThreads(1)
    return MediaPipeLandmarker()


@pytest.fixture(scope="session")
def portrait(media: Path) -> Callable[[str], Image]:
    """Read a portrait of the media folder by name ("s9")."""
    return cache(lambda name: read_rgb(media / "source" / f"{name}.jpg"))


@pytest.fixture(scope="session")
def group_photo() -> Image:
    """Six people around a table."""
    return read_rgb(GROUP_PHOTO)
