"""The inside of the mouth: its colours fit the portrait, and it shows only when the mouth opens."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.lips import Opening, lip_gap
from lp_ray.engine.preview.mouth import paint_mouth
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.preview.topology import INNER_LIPS, LOWER_LIP, LOWER_LIP_ROWS, UPPER_LIP
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


def test_a_wide_mouth_is_no_black_hole(engine: PreviewEngine, closed_mouth: SourceCrops) -> None:
    """It has teeth above, a tongue below, and is darkest between them."""
    prepared = engine.prepare(closed_mouth)[0]
    motion = _open(prepared, 2.2)
    frame = render(prepared, motion).astype(float)
    positions, _ = move_vertices(prepared, motion)
    top, bottom = positions[UPPER_LIP[4]], positions[LOWER_LIP[4]]
    line = [
        frame[tuple(np.rint(top + share * (bottom - top)).astype(int)[::-1])] for share in np.linspace(0.1, 0.9, 33)
    ]
    light = np.array(line).mean(1)
    darkest = int(light.argmin())
    assert 4 < darkest < 24
    teeth, tongue = np.array(line)[:darkest], np.array(line)[22:28].mean(0)
    assert teeth.mean(1).max() > 2 * light.min()
    assert tongue.mean() > 1.7 * light.min() and tongue[0] > 1.3 * tongue[2], "flesh, not the dark and not teeth"


def _two_rows(prepared: PreparedSource, image: np.ndarray) -> np.ndarray:
    """Paint an open mouth: white above, black between, yellow below."""
    lips = prepared.mouth.rest
    painted = image.copy()
    y, x = np.mgrid[0:512, 0:512]
    away = np.stack([x, y], -1) - lips.centre
    u, down = away @ lips.across / lips.half, away @ lips.down
    top, bottom = np.interp(u, *lips.upper.T), np.interp(u, *lips.lower.T)
    share = (down - top) / np.maximum(bottom - top, 1e-3)
    inside = (np.abs(u) < 0.95) & (share > 0) & (share < 1)
    for first, last, colour in ((0, 0.5, (240, 240, 240)), (0.5, 0.65, (10, 0, 0)), (0.65, 1, (230, 230, 20))):
        painted[inside & (share >= first) & (share < last)] = colour
    return painted


def test_teeth_stay_on_their_own_jaw(engine: PreviewEngine, astronaut: SourceCrops) -> None:
    """Of a source that shows both rows, the upper one stays at the upper lip, the lower one goes with the jaw."""
    (as_it_is,) = engine.prepare(astronaut)
    image = _two_rows(as_it_is, astronaut.images[0])
    (prepared,) = engine.prepare(SourceCrops(image[None], astronaut.points))
    assert prepared.mouth.bite == pytest.approx(0.57, abs=0.1) and as_it_is.mouth.bite == 1
    motion = _open(prepared, 1.5)
    frame = render(prepared, motion).astype(int)
    positions, _ = move_vertices(prepared, motion)
    top, bottom = positions[UPPER_LIP[4]], positions[LOWER_LIP[4]]
    assert bottom[1] - top[1] > 1.4 * (prepared.mesh.rest[LOWER_LIP[4], 1] - prepared.mesh.rest[UPPER_LIP[4], 1])
    column = frame[:, round((top[0] + bottom[0]) / 2)]
    white = np.flatnonzero((column.min(1) > 200)[: int(bottom[1])])
    yellow = np.flatnonzero((column[:, :2].min(1) > 120) & (column[:, 2] < 90))
    white, yellow = white[white > top[1] - 2], yellow[(yellow > top[1]) & (yellow < bottom[1] + 2)]
    assert white.min() - top[1] < 5 and bottom[1] - yellow.max() < 5
    assert yellow.min() - white.max() > 6, "dark between them"


def test_the_mouth_opens_gradually(engine: PreviewEngine, closed_mouth: SourceCrops) -> None:
    """No pop: ten small steps of the lip each change the picture by a little."""
    prepared = engine.prepare(closed_mouth)[0]
    frames = [render(prepared, _open(prepared, drop)).astype(float) for drop in np.linspace(0, 0.5, 11)]
    steps = [np.abs(b - a).mean() for a, b in pairwise(frames)]
    assert max(steps) < 3.5 * np.median(steps)
