"""Edits of a warped portrait: what the controls of `lp_ray.contract.edits` add to the canonical face.

The preview engine has no learned expression. Each control is a field of displacements over the canonical mesh (478 x 3,
canonical units), made by hand to look like what the control is called, at the control's upper end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from lp_ray.base.errors import UnsupportedError
from lp_ray.contract.edits import BY_NAME
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
    Eye,
    surrounding,
)
from lp_ray.engine.protocol import FRAME_SIZE
from lp_ray.face.mediapipe.mesh import CanonicalMesh, canonical_mesh
from lp_ray.face.pose import Array

JAW_DROP = 1.7
"""How far the lower lip falls, in canonical units, if the jaw is fully open."""
LID_MEETING = 0.85
"""Where closing lids meet, from the upper rim (0) to the lower (1)."""
CREASE_FOLLOWS = 0.45
"""How far the fold above the upper lid moves with the lid's rim."""
PLACE = 0.3 * FRAME_SIZE
"""Pixels of the crop for one unit of head_x and head_y."""
GAZE = 0.8
"""Canonical units that an iris travels at the upper end of gaze_x and gaze_y; eyes are some 3 wide."""
WINKING = EYES[0]
"""The eye that `wink` closes: the one at the picture's left."""


@dataclass(frozen=True)
class Added:
    """What an edit adds to one frame: pitch, yaw and roll (degrees), natural logarithm of the size, place (3, px of the
    crop, y up), and displacement of the canonical points (478 x 3)."""

    turn: Array
    log_size: float
    place: Array
    expression: Array

    def times(self, factor: float) -> Added:
        """Return the edit at another strength."""
        return Added(self.turn * factor, self.log_size * factor, self.place * factor, self.expression * factor)


def check_shown(controls: Iterable[str]) -> None:
    """Raise UnsupportedError for controls that a warped portrait does not have."""
    if lacking := [name for name in controls if not BY_NAME[name].preview]:
        raise UnsupportedError(f"engine=preview cannot show {', '.join(lacking)}: use engine=liveportrait")


def added(values: Mapping[str, float], canonical: Array) -> Added:
    """Return what controls (name -> value) add to a source whose canonical points (478 x 3) are given."""
    model = canonical_mesh()
    give = {name: values.get(name, 0.0) for name in BY_NAME}
    expression = sum(
        (_share(name, give[name]) * _field(name) for name in _FIELDS if give[name]), np.zeros((N_POINTS, 3))
    )
    for eye in EYES:
        shut = max(give["blink"], _share("wink", give["wink"]) if eye is WINKING else 0.0)
        if shut:
            _close_lids(canonical, expression, shut, eye, crease_of(eye, model))
    return Added(
        turn=np.array([give["head_pitch"], give["head_yaw"], give["head_roll"]]),
        log_size=float(np.log(values.get("head_z", 1.0))),
        place=PLACE * np.array([give["head_x"], give["head_y"], 0.0]),
        expression=expression,
    )


def _share(name: str, value: float) -> float:
    """Return a value as a share of its control's upper end."""
    return value / BY_NAME[name].high


def jaw_field(model: CanonicalMesh) -> Array:
    """Displacement of a fully open jaw: lower lip, chin and lower cheeks."""
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
    """Displacement of a full smile: mouth corners out and up, cheeks with them."""
    field = np.zeros((N_POINTS, 3))
    for corner in MOUTH_CORNERS:
        distance = np.linalg.norm((model.vertices - model.vertices[corner])[:, :2], axis=1)
        share = np.exp(-((distance / 1.8) ** 2))
        field[:N_VERTICES, 0] += 0.75 * share * np.sign(model.vertices[corner, 0])
        field[:N_VERTICES, 1] += 0.75 * share
    return field


def brow_field(model: CanonicalMesh) -> Array:
    """Displacement of fully raised brows."""
    field = np.zeros((N_POINTS, 3))
    for vertex in (vertex for brow in BROWS for vertex in brow):
        distance = np.linalg.norm((model.vertices - model.vertices[vertex])[:, :2], axis=1)
        field[:N_VERTICES, 1] = np.maximum(field[:N_VERTICES, 1], 0.9 * np.exp(-((distance / 1.2) ** 2)))
    for eye in EYES:
        field[list(eye.loop)] = 0
    return field


def gaze_field(_: CanonicalMesh, axis: int) -> Array:
    """Displacement of both irises, to the picture's right (axis 0) or up (axis 1)."""
    field = np.zeros((N_POINTS, 3))
    field[[eye.iris for eye in EYES], axis] = GAZE
    return field


_FIELDS: Mapping[str, Callable[[CanonicalMesh], Array]] = {
    "lips_open": jaw_field,
    "smile": smile_field,
    "brow": brow_field,
    "gaze_x": partial(gaze_field, axis=0),
    "gaze_y": partial(gaze_field, axis=1),
}
"""Control -> its displacement at its upper end."""


@cache
def _field(name: str) -> Array:
    return _FIELDS[name](canonical_mesh())


def crease_of(eye: Eye, model: CanonicalMesh) -> list[int]:
    """Return the vertices of the fold above an eye's upper lid: next to its rim and above its middle."""
    ring = surrounding(eye.loop, model.triangles, 1)[0]
    middle = model.vertices[list(eye.loop), 1].mean()
    return [vertex for vertex in ring if model.vertices[vertex, 1] > middle]


def _close_lids(canonical: Array, expression: Array, share: float, eye: Eye, crease: list[int]) -> None:
    """Add the closing of an eye (0 to 1) to an expression in place, on the source's own eye (478 x 3)."""
    upper, lower = list(eye.upper), list(eye.lower)
    meeting = canonical[lower] * LID_MEETING + canonical[upper] * (1 - LID_MEETING)
    closing = share * (meeting - canonical[upper])
    expression[upper] += closing
    expression[lower] += share * (meeting - canonical[lower])
    expression[crease] += CREASE_FOLLOWS * closing.mean(0)
