"""The background does not swim with the head, however far that turns."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.preview.topology import N_VERTICES, OVAL
from lp_ray.engine.preview.transfer import FrameMotion, limit_turn, turn_shift
from lp_ray.engine.preview.warp import render
from lp_ray.engine.protocol import FRAME_SIZE, SourceCrops

CORNER = 48
TURNS = {"right": (0, 90, 0), "left": (0, -90, 0), "down": (90, 0, 0), "up": (-90, 0, 0), "lean": (0, 0, 90)}


@pytest.fixture(scope="module")
def on_ramps(engine: PreviewEngine, astronaut: SourceCrops) -> PreparedSource:
    """The astronaut's face over a picture whose red is each pixel's column, green its row: a level is a pixel."""
    across = np.tile(np.arange(FRAME_SIZE) % 256, (FRAME_SIZE, 1))
    ramps = np.stack([across, across.T, np.zeros_like(across)], 2).astype(np.uint8)
    return engine.prepare(SourceCrops(ramps[None], astronaut.points))[0]


def _strongest(source: PreparedSource, turn: tuple[float, float, float]) -> FrameMotion:
    rotation = limit_turn(source, np.array(turn, float))
    return FrameMotion(1.0, rotation, turn_shift(source, rotation), np.zeros((478, 3)))


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())
def test_corners_and_what_is_far_from_the_face_stay(on_ramps: PreparedSource, turn: tuple[float, float, float]) -> None:
    """By less than half a pixel in the corners of the crop and from 1.1 face heights on, in whatever direction."""
    frame = render(on_ramps, _strongest(on_ramps, turn)).astype(float)
    moved = np.abs(frame - on_ramps.image).max(2)
    assert moved[200:350, 200:240].max() > 2, "the head turns"
    for rows in (slice(0, CORNER), slice(-CORNER, None)):
        for columns in (slice(0, CORNER), slice(-CORNER, None)):
            assert moved[rows, columns].max() < 1
    outline = on_ramps.mesh.rest[:N_VERTICES][list(OVAL)]
    y, x = np.mgrid[0:FRAME_SIZE, 0:FRAME_SIZE]
    size = np.ptp(outline, axis=0).max()
    far = np.hypot(*(np.stack([x, y], -1) - outline.mean(0)).transpose(2, 0, 1)) > 1.1 * size
    assert far.mean() > 0.1
    assert moved[far].max() <= 1 and moved[far].max() < 1


def test_lines_behind_the_head_stay_whole(engine: PreviewEngine, astronaut: SourceCrops) -> None:
    """A grid's lines away from the face are where they were, pixel by pixel."""
    grid = np.full((FRAME_SIZE, FRAME_SIZE, 3), 220, np.uint8)
    for at in range(0, FRAME_SIZE, 32):
        cv2.line(grid, (at, 0), (at, FRAME_SIZE), (0, 0, 0), 2)
        cv2.line(grid, (0, at), (FRAME_SIZE, at), (0, 0, 0), 2)
    (source,) = engine.prepare(SourceCrops(grid[None], astronaut.points))
    for turn in TURNS.values():
        frame = render(source, _strongest(source, turn)).astype(int)
        for part in (np.s_[:6], np.s_[-6:], np.s_[:, :6], np.s_[:, -6:]):
            assert np.abs(frame[part] - grid[part]).max() < 60
