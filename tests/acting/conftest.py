"""The astronaut (scikit-image, public domain) performing, and what the real landmarker sees of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from lp_ray.acting import Curves, curves, perform
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.protocol import FRAME_SIZE, SourceCrops
from lp_ray.face.framing import SourceFraming
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.portrait import crop_portrait
from lp_ray.face.pose import angles_of


@dataclass(frozen=True)
class Recovered:
    """A performance as asked for, and as tracked in its own frames: degrees relative to frame 0 (pitch, yaw,
    roll: n x 3), eye openings averaged (n) and lip opening (n)."""

    asked: Curves
    angles: NDArray[np.float64]
    eyes: NDArray[np.float64]
    lips: NDArray[np.float64]


@pytest.fixture(scope="session")
def landmarker() -> MediaPipeLandmarker:
    return MediaPipeLandmarker()


@pytest.fixture(scope="session")
def astronaut(landmarker: MediaPipeLandmarker) -> PreparedSource:
    portrait = crop_portrait(skimage.data.astronaut(), landmarker, "large-small", None, SourceFraming(), FRAME_SIZE)
    return PreviewEngine().prepare(SourceCrops(portrait.crop[None], portrait.points[None]))[0]


@pytest.fixture(scope="session")
def recover(astronaut: PreparedSource, landmarker: MediaPipeLandmarker) -> Callable[[str, int], Recovered]:
    """Perform by name for so many frames at 12.5 a second, and track the frames."""

    @cache
    def run(name: str, n_frames: int) -> Recovered:
        asked = curves(name, n_frames, Fraction(25, 2))
        points = []
        face = None
        for frame in perform(astronaut, asked):
            face = landmarker.detect(frame)[0] if face is None else landmarker.follow(frame, face)
            assert face is not None, f"{name}: the face is lost in frame {len(points)}"
            points.append(face.points)
        motion = PreviewEngine().extract(None, np.array(points))
        relative = motion["rotation"].astype(np.float64) @ motion["rotation"][0].T
        return Recovered(asked, angles_of(relative), motion["eye_ratio"].mean(1), motion["lip_ratio"][:, 0])

    return run
