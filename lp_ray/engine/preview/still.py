"""The face at rest for a driving that is one picture, because it has no other frame to be measured from.

People's eyes and mouths differ more in shape than they move. So nothing is measured against a standard face but how far
the eyes are open and the mouth's corners are drawn; all other points stay where this face has them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lp_ray.engine.preview.editing import CREASE_FOLLOWS, LID_MEETING, crease_of
from lp_ray.engine.preview.topology import EYES, LOWER_LIP, MOUTH_CORNERS, N_VERTICES, UPPER_LIP, Eye
from lp_ray.engine.preview.transfer import MOUTH_ZONE, DriverFrame
from lp_ray.face.mediapipe.mesh import CanonicalMesh
from lp_ray.face.pose import Array

OPEN_EYE = 0.30
"""Mean gap of the lids over the eye's width, of an eye that is open at rest."""
WIDEST_EYE = 1.15
"""The most that a driving's eyes count as opened, over an eye at rest: a child's or a drawing's are no fright."""


def neutral_of(frame: DriverFrame, model: CanonicalMesh) -> DriverFrame:
    """Return the frame from which a driving picture is measured: the same face with open eyes and closed lips."""
    canonical: Array = frame.canonical.copy()
    _rest_mouth(canonical, model)
    for eye in EYES:
        _rest_lids(canonical, eye, model)
    return replace(frame, canonical=canonical)


def _rest_lids(canonical: Array, eye: Eye, model: CanonicalMesh) -> None:
    """Open or shut the lids of one eye to their gap at rest, in place. Corners, iris and the skin around stay."""
    up, low = list(eye.upper), list(eye.lower)
    outer, inner = eye.corners
    width = float(np.linalg.norm(canonical[outer] - canonical[inner]))
    gap = canonical[up] - canonical[low]
    shape = model.vertices[up, 1] - model.vertices[low, 1]
    goal = max(OPEN_EYE * width, float(np.maximum(gap[:, 1], 0).mean()) / WIDEST_EYE)
    meeting = canonical[low] * LID_MEETING + canonical[up] * (1 - LID_MEETING)
    opened = np.zeros_like(gap)
    opened[:, 1] = goal * shape / shape.mean()
    was = canonical[up].copy()
    canonical[up] = meeting + LID_MEETING * opened
    canonical[low] = meeting - (1 - LID_MEETING) * opened
    canonical[crease_of(eye, model), 1] += CREASE_FOLLOWS * float((canonical[up] - was)[:, 1].mean())


def _rest_mouth(canonical: Array, model: CanonicalMesh) -> None:
    """Put the standard mouth, stretched to the proportions of this face, in place of its own."""
    middle = model.vertices[[UPPER_LIP[4], *MOUTH_CORNERS]].mean(0)
    moving = np.linalg.norm((model.vertices - middle)[:, :2], axis=1) < MOUTH_ZONE[0]
    still = ~moving
    for eye in EYES:
        still[list(eye.loop)] = False
    own = canonical[:N_VERTICES]
    known = np.column_stack([model.vertices, np.ones(N_VERTICES)])
    to_own, *_ = np.linalg.lstsq(known[still], own[still], rcond=None)
    canonical[:N_VERTICES][moving] = (known @ to_own)[moving]
    up, low = list(UPPER_LIP), list(LOWER_LIP)
    canonical[low, 1] = np.minimum(canonical[low, 1], canonical[up, 1])
