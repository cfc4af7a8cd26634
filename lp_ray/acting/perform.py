"""Play a performance on a portrait: turn curves into motion of the canonical face, and render it with the preview
engine."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lp_ray.acting.curves import Curves
from lp_ray.base.arrays import Image
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.preview.topology import (
    BROWS,
    EYES,
    INNER_MOUTH_CORNERS,
    LOWER_LIP,
    LOWER_LIP_ROWS,
    MOUTH_CORNERS,
    N_POINTS,
    N_VERTICES,
    UPPER_LIP,
    UPPER_LIP_ROWS,
    surrounding,
)
from lp_ray.engine.preview.transfer import FrameMotion, limit_turn, settle, turn_shift
from lp_ray.engine.preview.warp import render
from lp_ray.face.mediapipe.mesh import CanonicalMesh, canonical_mesh
from lp_ray.face.pose import Array

JAW_DROP = 1.7
"""How far the lower lip falls, in canonical units, if the jaw is fully open."""
CHIN = 152
LID_MEETING = 0.85
"""Where closing lids meet, from the upper rim (0) to the lower (1)."""
CREASE_FOLLOWS = 0.45
"""How far the fold above the upper lid moves with the lid's rim."""


def perform(prepared: PreparedSource, curves: Curves) -> Iterator[Image]:
    """Yield the frames of a performance on a portrait, FRAME_SIZE x FRAME_SIZE x 3 RGB each."""
    model = canonical_mesh()
    jaw, smile, brow = jaw_field(model), smile_field(model), brow_field(model)
    creases = [_crease(model, eye.loop) for eye in EYES]
    for i in range(len(curves)):
        expression = curves.jaw[i] * jaw + curves.smile[i] * smile + curves.brow[i] * brow
        _close_lids(prepared.canonical, expression, float(curves.blink[i]), creases)
        turn = np.array([curves.pitch[i], curves.yaw[i], curves.roll[i]])
        yield render(prepared, _motion(prepared, turn, expression))


def _motion(prepared: PreparedSource, turn: Array, expression: Array) -> FrameMotion:
    rotation = limit_turn(prepared, turn)
    return FrameMotion(1.0, rotation, turn_shift(prepared, rotation), settle(prepared.canonical, expression))


def jaw_field(model: CanonicalMesh) -> Array:
    """Displacement (478 x 3, canonical units) of a fully open jaw: lower lip, chin and lower cheeks."""
    across, height = model.vertices[:, 0], model.vertices[:, 1]
    mouth = model.vertices[[UPPER_LIP[4], LOWER_LIP[4]], 1].mean()
    below = np.clip((mouth - height) / 1.2, 0, 1)
    drop = below**2 * (3 - 2 * below) * np.clip(1 - (np.abs(across) / 6.2) ** 2.2, 0, 1)
    for row in LOWER_LIP_ROWS:
        drop[list(row)] = np.clip(1 - (np.abs(across[list(row)]) / 2.75) ** 2.5, 0, 1)
    still = [vertex for row in UPPER_LIP_ROWS for vertex in row]
    drop[[*still, *MOUTH_CORNERS, *INNER_MOUTH_CORNERS]] = 0
    field = np.zeros((N_POINTS, 3))
    field[:N_VERTICES] = np.column_stack([-0.05 * across * drop, -drop, -0.25 * drop])
    return JAW_DROP * field


def smile_field(model: CanonicalMesh) -> Array:
    """Displacement (478 x 3, canonical units) of a full smile: mouth corners out and up, cheeks with them."""
    field = np.zeros((N_POINTS, 3))
    for corner in MOUTH_CORNERS:
        distance = np.linalg.norm((model.vertices - model.vertices[corner])[:, :2], axis=1)
        share = np.exp(-((distance / 1.8) ** 2))
        field[:N_VERTICES, 0] += 0.75 * share * np.sign(model.vertices[corner, 0])
        field[:N_VERTICES, 1] += 0.75 * share
    return field


def brow_field(model: CanonicalMesh) -> Array:
    """Displacement (478 x 3, canonical units) of fully raised brows."""
    field = np.zeros((N_POINTS, 3))
    for vertex in (vertex for brow in BROWS for vertex in brow):
        distance = np.linalg.norm((model.vertices - model.vertices[vertex])[:, :2], axis=1)
        field[:N_VERTICES, 1] = np.maximum(field[:N_VERTICES, 1], 0.9 * np.exp(-((distance / 1.2) ** 2)))
    for eye in EYES:
        field[list(eye.loop)] = 0
    return field


def _crease(model: CanonicalMesh, loop: tuple[int, ...]) -> list[int]:
    """Vertices of the fold above the upper lid: next to the eye's rim and above its middle."""
    ring = surrounding(loop, model.triangles, 1)[0]
    middle = model.vertices[list(loop), 1].mean()
    return [vertex for vertex in ring if model.vertices[vertex, 1] > middle]


def _close_lids(canonical: Array, expression: Array, blink: float, creases: list[list[int]]) -> None:
    """Add a blink (0 to 1) to an expression in place, on the source's own eyes (478 x 3)."""
    for eye, crease in zip(EYES, creases, strict=True):
        upper, lower = list(eye.upper), list(eye.lower)
        meeting = canonical[lower] * LID_MEETING + canonical[upper] * (1 - LID_MEETING)
        closing = blink * (meeting - canonical[upper])
        expression[upper] += closing
        expression[lower] += blink * (meeting - canonical[lower])
        expression[crease] += CREASE_FOLLOWS * closing.mean(0)
