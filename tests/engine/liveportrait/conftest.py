"""The tiny engine with seeded weights, a source and a driving clip for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from lp_ray.engine.liveportrait.engine import LivePortraitEngine, PreparedSource
from lp_ray.engine.liveportrait.weights.load import load_weights
from lp_ray.engine.liveportrait.weights.weight_set import WeightSet
from lp_ray.engine.protocol import CROP_SIZE, SourceCrops
from lp_ray.motion.template import MotionFrames, TemplateHeader, TemplateReader, write_template

N_FRAMES = 11


@pytest.fixture(scope="session")
def weights() -> WeightSet:
    return load_weights("seeded", "tiny", "human")


@pytest.fixture(scope="session")
def engine(weights: WeightSet) -> LivePortraitEngine:
    return LivePortraitEngine(weights)


@pytest.fixture(scope="session")
def source() -> SourceCrops:
    """A portrait's crop; its landmarks only matter for the ratios."""
    crop = cv2.resize(skimage.data.astronaut(), (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA)
    return SourceCrops(crop[None], np.random.default_rng(0).uniform(0, 512, (1, 478, 3)))


@pytest.fixture(scope="session")
def crops() -> NDArray[np.uint8]:
    """A clip of 256 x 256 crops that wander over a picture: n x 256 x 256 x 3."""
    picture = cv2.resize(skimage.data.astronaut(), (300, 300), interpolation=cv2.INTER_AREA)
    return np.stack([picture[4 * i : 4 * i + CROP_SIZE, 2 * i : 2 * i + CROP_SIZE] for i in range(N_FRAMES)])


@pytest.fixture(scope="session")
def points() -> NDArray[np.float64]:
    return np.random.default_rng(1).uniform(0, 256, (N_FRAMES, 478, 3))


@pytest.fixture(scope="session")
def motion(engine: LivePortraitEngine, crops: NDArray[np.uint8], points: NDArray[np.float64]) -> MotionFrames:
    return engine.extract(crops, points)


@pytest.fixture(scope="session")
def prepared(engine: LivePortraitEngine, source: SourceCrops) -> PreparedSource:
    return engine.prepare(source)


@pytest.fixture
def make_template(tmp_path: Path, engine: LivePortraitEngine) -> Callable[[MotionFrames], TemplateReader]:
    """Writes motion to a template file and opens it."""
    count = itertools.count()

    def make(motion: MotionFrames) -> TemplateReader:
        n_frames = len(next(iter(motion.values())))
        header = TemplateHeader(engine.name, engine.digest, "test", 25, 1, n_frames)
        path = tmp_path / f"{next(count)}.npz"
        write_template(path, header, [motion])
        return TemplateReader(path)

    return make
