"""Portraits that packages carry, found by the real landmarker once a session."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.preview.topology import LOWER_LIP_ROWS
from lp_ray.engine.protocol import FRAME_SIZE, SourceCrops
from lp_ray.face.framing import SourceFraming
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.portrait import crop_portrait
from lp_ray.face.pose import PICTURE_AXES, rotation_from_angles
from lp_ray.motion.template import MotionFrames, TemplateHeader, TemplateReader, write_template
from tests.generated import GROUP_PHOTO, Generated


@pytest.fixture(scope="session")
def engine() -> PreviewEngine:
    return PreviewEngine()


@pytest.fixture(scope="session")
def landmarker() -> MediaPipeLandmarker:
    return MediaPipeLandmarker()


@pytest.fixture(scope="session")
def astronaut(landmarker: MediaPipeLandmarker) -> SourceCrops:
    """Looks at the camera, smiles with teeth."""
    portrait = crop_portrait(skimage.data.astronaut(), landmarker, "large-small", None, SourceFraming(), FRAME_SIZE)
    return SourceCrops(portrait.crop[None], portrait.points[None])


@pytest.fixture(scope="session")
def closed_mouth(landmarker: MediaPipeLandmarker, generated: Generated) -> SourceCrops:
    """A portrait in three-quarter view with closed lips."""
    image = cv2.cvtColor(cv2.imread(str(generated.closed_mouth)), cv2.COLOR_BGR2RGB)
    portrait = crop_portrait(image, landmarker, "large-small", None, SourceFraming(), FRAME_SIZE)
    return SourceCrops(portrait.crop[None], portrait.points[None])


@pytest.fixture(scope="session")
def turned(landmarker: MediaPipeLandmarker) -> SourceCrops:
    """The rightmost face of the group photo: it looks 15 degrees to its side."""
    image = cv2.cvtColor(cv2.imread(str(GROUP_PHOTO)), cv2.COLOR_BGR2RGB)
    portrait = crop_portrait(image, landmarker, "5", None, SourceFraming(), FRAME_SIZE)
    return SourceCrops(portrait.crop[None], portrait.points[None])


@pytest.fixture(scope="session")
def profile(landmarker: MediaPipeLandmarker) -> SourceCrops:
    """The fifth face of the group photo: all but in profile."""
    image = cv2.cvtColor(cv2.imread(str(GROUP_PHOTO)), cv2.COLOR_BGR2RGB)
    portrait = crop_portrait(image, landmarker, "4", None, SourceFraming(), FRAME_SIZE)
    return SourceCrops(portrait.crop[None], portrait.points[None])


@pytest.fixture(scope="session")
def prepared(engine: PreviewEngine, astronaut: SourceCrops) -> PreparedSource:
    return engine.prepare(astronaut)[0]


@pytest.fixture
def make_template(tmp_path: Path, engine: PreviewEngine) -> Callable[[MotionFrames], TemplateReader]:
    """Writes motion to a template file and opens it."""
    count = itertools.count()

    def make(motion: MotionFrames) -> TemplateReader:
        header = TemplateHeader(engine.name, engine.digest, "test", 25, 1, len(motion["scale"]))
        path = tmp_path / f"clip{next(count)}.npz"
        write_template(path, header, [motion])
        return TemplateReader(path)

    return make


@pytest.fixture(scope="session")
def motion(engine: PreviewEngine, astronaut: SourceCrops) -> MotionFrames:
    """Twelve frames: the astronaut's own landmarks turning, drifting and opening the mouth."""
    centre = astronaut.points[0].mean(0)
    frames = []
    for i in range(12):
        around = (astronaut.points[0] - centre) * PICTURE_AXES
        turned = around @ rotation_from_angles(0.6 * i, 1.2 * i, -0.5 * i).T
        points = turned * PICTURE_AXES + centre + [0.8 * i, -0.5 * i, 0]
        points[[vertex for row in LOWER_LIP_ROWS for vertex in row], 1] += 1.5 * i
        frames.append(points)
    return engine.extract(None, np.array(frames))
