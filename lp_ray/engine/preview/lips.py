"""Measure where the mouth is and how far it is open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lp_ray.engine.preview.topology import EYES, INNER_MOUTH_CORNERS, LOWER_LIP, MOUTH_CORNERS, UPPER_LIP
from lp_ray.face.pose import Array

CHIN_TIP = (152, 148, 377)


@dataclass(frozen=True)
class Lips:
    """The mouth opening in its own axes.

    `centre` (2, px), unit vectors `across` and `down`, `half` width (px), and the two rims as curves (k x 2): position
    across in half widths, ascending, and px below `centre`.
    """

    centre: Array
    across: Array
    down: Array
    half: float
    upper: Array
    lower: Array


@dataclass(frozen=True)
class Opening:
    """How a mouth is open.

    `gap`: between the lips, divided by the mouth's width. `jaw`: how far it has dropped from the source's, divided by
    the distance between the outer eye corners. `zoom`: size of the head, divided by the source's.
    """

    gap: float
    jaw: float
    zoom: float


def lip_gap(points: Array) -> float:
    """Return the distance between the lips divided by the mouth's width, from points in any one space (k x 3)."""
    left, right = MOUTH_CORNERS
    upper, lower = UPPER_LIP[4], LOWER_LIP[4]
    width = np.linalg.norm(points[left] - points[right])
    return float(np.linalg.norm(points[upper] - points[lower]) / max(float(width), 1e-6))


def measure_opening(canonical: Array, expression: Array, zoom: float) -> Opening:
    """Return the opening of a source's face (478 x 3, canonical) under an expression (478 x 3)."""
    eyes = float(np.linalg.norm(canonical[EYES[0].corners[0]] - canonical[EYES[1].corners[0]]))
    drop = -float(expression[list(CHIN_TIP), 1].mean())
    return Opening(lip_gap(canonical + expression), max(drop, 0.0) / max(eyes, 1e-3), zoom)


def locate_lips(positions: Array) -> Lips:
    """Find the mouth's own axes by its corners; `positions` is 468 x 2 or longer, px."""
    left, right = positions[list(INNER_MOUTH_CORNERS)]
    half = max(float(np.linalg.norm(right - left)) / 2, 1e-3)
    across = (right - left) / (2 * half)
    down = np.array([-across[1], across[0]])
    centre = (left + right) / 2

    def curve(rim: tuple[int, ...]) -> Array:
        around = positions[[INNER_MOUTH_CORNERS[0], *rim, INNER_MOUTH_CORNERS[1]]] - centre
        line = np.column_stack([around @ across / half, around @ down])
        ascending: Array = line[np.argsort(line[:, 0], kind="stable")]
        return ascending

    return Lips(centre, across, down, half, curve(UPPER_LIP), curve(LOWER_LIP))
