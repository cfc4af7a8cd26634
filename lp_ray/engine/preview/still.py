"""The neutral expression for a driving that is one picture, because it has no other frame to be measured from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lp_ray.engine.preview.topology import EYES, MOUTH_CORNERS, N_VERTICES, UPPER_LIP, surrounding
from lp_ray.engine.preview.transfer import MOUTH_ZONE, DriverFrame
from lp_ray.face.mediapipe.mesh import CanonicalMesh
from lp_ray.face.pose import Array

EYE_RINGS = 2
"""Rings of skin around the lids that count as part of the eyes' expression."""


def neutral_of(frame: DriverFrame, model: CanonicalMesh) -> DriverFrame:
    """Return the frame from which a single driving picture is measured: the same pose with a neutral face.

    Mouth and eyes are those of the canonical face, stretched to the proportions of this face (least-squares affine map
    of all other vertices). Elsewhere the face's own points stay, so that only mouth and eyes move.
    """
    own = frame.canonical[:N_VERTICES]
    moving = _moving(model)
    known = np.column_stack([model.vertices, np.ones(N_VERTICES)])
    to_own, *_ = np.linalg.lstsq(known[~moving], own[~moving], rcond=None)
    canonical: Array = frame.canonical.copy()
    canonical[:N_VERTICES][moving] = (known @ to_own)[moving]
    return replace(frame, canonical=canonical)


def _moving(model: CanonicalMesh) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    moving = np.zeros(N_VERTICES, bool)
    for eye in EYES:
        for ring in (list(eye.loop), *surrounding(eye.loop, model.triangles, EYE_RINGS)):
            moving[ring] = True
    middle = model.vertices[[UPPER_LIP[4], *MOUTH_CORNERS]].mean(0)
    moving |= np.linalg.norm((model.vertices - middle)[:, :2], axis=1) < MOUTH_ZONE[0]
    return moving
