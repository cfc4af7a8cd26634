"""A driving of one picture gives its pose and its expression, and no more: no wide eyes, no torn skin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lp_ray.contract.options import PairOptions
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.preview.still import neutral_of
from lp_ray.engine.preview.topology import EYES, LOWER_LIP, UPPER_LIP
from lp_ray.engine.preview.transfer import DriverFrame, FrameMotion, Transfer
from lp_ray.engine.protocol import PairMotion, SourceCrops, Span
from lp_ray.face.pose import angles_of, rotation_from_angles
from lp_ray.motion.template import MotionFrames, TemplateReader
from tests.fingerprints import face_points

TemplateMaker = Callable[[MotionFrames], TemplateReader]


def _driver(engine: PreviewEngine, points: np.ndarray) -> DriverFrame:
    motion = {name: array[0].astype(float) for name, array in engine.extract(None, points[None]).items()}
    return DriverFrame(float(motion["scale"]), motion["rotation"], motion["translation"], motion["canonical"])


def _pose(engine: PreviewEngine, source: PreparedSource, points: np.ndarray) -> FrameMotion:
    driver = _driver(engine, points)
    return Transfer(source, neutral_of(driver, engine.model), engine.model, 1.0).pose(driver)


def _gap(canonical: np.ndarray) -> float:
    """Mean gap of the lids over the eye's width, both eyes."""
    gaps = []
    for eye in EYES:
        outer, inner = eye.corners
        width = np.linalg.norm(canonical[outer] - canonical[inner])
        gaps.append((canonical[list(eye.upper), 1] - canonical[list(eye.lower), 1]).mean() / width)
    return float(np.mean(gaps))


def _with_eyes(astronaut: SourceCrops, factor: float) -> np.ndarray:
    """The astronaut's landmarks with lids this many times as far apart."""
    points = astronaut.points[0].copy()
    for eye in EYES:
        up, low = list(eye.upper), list(eye.lower)
        middle = (points[up] + points[low]) / 2
        points[up], points[low] = middle + factor * (points[up] - middle), middle + factor * (points[low] - middle)
    return points


@pytest.mark.parametrize("factor", [0.05, 0.4, 1.0, 1.6, 3.0])
def test_eyes_follow_the_drivings_and_never_open_by_more_than_a_little(
    engine: PreviewEngine, prepared: PreparedSource, astronaut: SourceCrops, factor: float
) -> None:
    """Shut eyes shut, and eyes of any size or shape, a child's or a drawing's, do not blow up the source's."""
    motion = _pose(engine, prepared, _with_eyes(astronaut, factor))
    share = _gap(prepared.canonical + motion.expression) / _gap(prepared.canonical)
    assert share <= 1.17
    if factor < 0.1:
        assert share < 0.2
    if factor >= 1.6:
        assert share > 0.95


@pytest.mark.parametrize("factor", [0.05, 1.0, 3.0])
def test_the_corners_of_the_eyes_stay(
    engine: PreviewEngine, prepared: PreparedSource, astronaut: SourceCrops, factor: float
) -> None:
    motion = _pose(engine, prepared, _with_eyes(astronaut, factor))
    for eye in EYES:
        np.testing.assert_allclose(motion.expression[list(eye.corners)], 0, atol=1e-6)


def test_lips_open_as_the_drivings_are(engine: PreviewEngine, prepared: PreparedSource) -> None:
    gaps = []
    for jaw in (0.0, 1.0, 2.0):
        moved = prepared.canonical + _pose(engine, prepared, face_points(jaw=jaw)).expression
        gaps.append((moved[list(UPPER_LIP), 1] - moved[list(LOWER_LIP), 1]).mean())
    assert gaps[0] + 0.1 < gaps[1] and gaps[1] + 0.1 < gaps[2]


@pytest.mark.parametrize("yaw", [-18.0, 0.0, 12.0])
@pytest.mark.parametrize("own", [-6.0, 0.0, 6.0])
def test_the_source_takes_the_drivings_own_pose(
    engine: PreviewEngine, prepared: PreparedSource, yaw: float, own: float
) -> None:
    """Not one relative to its own: a source that looks aside looks where the driving does. Softly limited."""
    source = replace(prepared, rotation=rotation_from_angles(2.0, own, 0.0))
    motion = _pose(engine, source, face_points(yaw))
    driver = angles_of(_driver(engine, face_points(yaw)).rotation)
    shown = angles_of(motion.rotation @ source.rotation)
    assert shown[1] == pytest.approx(driver[1], abs=5.5 if abs(yaw - own) > 14 else 0.8)
    assert shown[0] == pytest.approx(driver[0], abs=1.0)


def test_size_and_place_stay_and_the_frame_turns(
    engine: PreviewEngine, astronaut: SourceCrops, make_template: TemplateMaker
) -> None:
    template = make_template(engine.extract(None, face_points(-15)[None]))
    direction = engine.direct(PairMotion(template, np.array([0])), PairOptions())
    (made,) = engine.animate(engine.prepare(astronaut), direction, Span(0, 1, 1))
    assert made.facts["scale"] == 1
    assert abs(angles_of(made.facts["rotation"][0].astype(float))[1]) > 8
    assert np.abs(made.images[0].astype(int) - astronaut.images[0]).mean() > 2
