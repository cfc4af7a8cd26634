"""The inside of the mouth: its colours fit the portrait, and it shows only when the mouth opens."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.lips import Opening, lip_gap
from lp_ray.engine.preview.mouth import paint_mouth
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.preview.topology import INNER_LIPS, LOWER_LIP_ROWS
from lp_ray.engine.preview.transfer import FrameMotion
from lp_ray.engine.preview.warp import move_vertices, render
from lp_ray.engine.protocol import SourceCrops


def _open(prepared: PreparedSource, drop: float) -> FrameMotion:
    expression = np.zeros((478, 3))
    expression[[vertex for row in LOWER_LIP_ROWS for vertex in row], 1] = -drop
    return FrameMotion(1.0, np.eye(3), np.zeros(3), expression)


def test_teeth_are_as_warm_as_the_picture(engine: PreviewEngine, closed_mouth: SourceCrops) -> None:
    """A yellow portrait gets no bluish teeth."""
    red, green, blue = engine.prepare(closed_mouth)[0].mouth.teeth
    assert red > green > blue
    assert blue < 0.75 * red


def test_teeth_under_white_light_are_nearly_neutral(engine: PreviewEngine, astronaut: SourceCrops) -> None:
    red, _, blue = engine.prepare(astronaut)[0].mouth.teeth
    assert 0.7 * red < blue < red


def test_at_rest_nothing_is_painted(prepared: PreparedSource, astronaut: SourceCrops) -> None:
    frame = astronaut.images[0].copy()
    opening = Opening(prepared.mouth.gap, 0.0, 1.0)
    paint_mouth(frame, astronaut.images[0], prepared.mouth, prepared.mesh.rest, opening)
    np.testing.assert_array_equal(frame, astronaut.images[0])


@pytest.mark.parametrize("drop", [0.6, 1.8])
def test_an_opening_mouth_is_dark_inside(engine: PreviewEngine, closed_mouth: SourceCrops, drop: float) -> None:
    prepared = engine.prepare(closed_mouth)[0]
    motion = _open(prepared, drop)
    frame = render(prepared, motion)
    positions, _ = move_vertices(prepared, motion)
    rim = positions[list(INNER_LIPS)]
    x0, y0 = np.ceil(rim.min(0)).astype(int)
    x1, y1 = np.floor(rim.max(0)).astype(int)
    inside = frame[y0:y1, x0:x1].astype(float)
    was = closed_mouth.images[0][y0:y1, x0:x1].astype(float)
    assert np.percentile(inside.mean(2), 20) < 0.6 * np.percentile(was.mean(2), 20)
    assert lip_gap(prepared.canonical + motion.expression) > prepared.mouth.gap + 0.05


def test_the_mouth_opens_gradually(engine: PreviewEngine, closed_mouth: SourceCrops) -> None:
    """No pop: ten small steps of the lip each change the picture by a little."""
    prepared = engine.prepare(closed_mouth)[0]
    frames = [render(prepared, _open(prepared, drop)).astype(float) for drop in np.linspace(0, 0.5, 11)]
    steps = [np.abs(b - a).mean() for a, b in pairwise(frames)]
    assert max(steps) < 3.5 * np.median(steps)
