"""In every frame of every clip, the tracked points are where a fresh detection finds them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from threading import local

import cv2
import numpy as np
import pytest

from lp_ray.base.arrays import Image
from lp_ray.face.follow import FaceTracker
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.mediapipe.networks import FaceDetector
from lp_ray.face.protocol import Face

NEAR = 0.05
"""Mean distance of the points from a fresh detection's, over the face's longer side."""

CLIPS = ("driving/d0", "driving/d3", "driving/d6", "driving/d9", "driving/d10", "source/s13")

_THREAD = local()


def _decoded(path: Path) -> Iterator[Image]:
    capture = cv2.VideoCapture(str(path))
    while (read := capture.read())[0]:
        yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    capture.release()


def _best(frame: Image) -> Face | None:
    """Return the face in the detector's best box, without memory of other frames: a third of `detect`'s cost."""
    if not hasattr(_THREAD, "landmarker"):
        _THREAD.detector, _THREAD.landmarker = FaceDetector(), MediaPipeLandmarker()
    boxes = _THREAD.detector(frame, 0.5)
    return _THREAD.landmarker.detect_in_box(frame, max(boxes, key=lambda found: found.score).box) if boxes else None


def _off(tracked: Face | None, frame: Image, best: Face | None, landmarker: MediaPipeLandmarker) -> float:
    """Where the quick detection disagrees, the full one has the last word."""
    if tracked is None:
        return np.inf
    if best is not None and (off := tracked.move_from(best)) <= NEAR:
        return off
    return min((tracked.move_from(face) for face in landmarker.detect(frame)), default=np.inf)


def test_no_clip_is_left_out(media: Path) -> None:
    assert {f"{path.parent.name}/{path.stem}" for path in media.glob("*/*.mp4")} == set(CLIPS)


@pytest.mark.parametrize("name", CLIPS)
def test_points_are_those_of_a_fresh_detection(landmarker: MediaPipeLandmarker, media: Path, name: str) -> None:
    """A face in every frame, within NEAR of a fresh detection."""
    tracker = FaceTracker(landmarker, "large-small", None)
    frames = _decoded(media / f"{name}.mp4")
    offsets: list[float] = []
    with ThreadPoolExecutor(2) as pool:
        while batch := list(islice(frames, 32)):
            detected = pool.map(_best, batch)
            tracked = [tracker.find(frame) for frame in batch]
            offsets += [_off(*each, landmarker) for each in zip(tracked, batch, detected, strict=True)]
    off = {number: round(value, 3) for number, value in enumerate(offsets) if value > NEAR}
    assert len(offsets) > 70 and off == {}
