"""Turn a performance table into the curves that `perform` can show on a portrait."""

from __future__ import annotations

import numpy as np

from lp_ray.acting.curves import Curve, Curves
from lp_ray.base.errors import RefusedError
from lp_ray.contract.edits import BY_NAME
from lp_ray.motion.performance import Performance

SHOWN = {
    "head_yaw": ("yaw", 1.0),
    "head_pitch": ("pitch", 1.0),
    "head_roll": ("roll", 1.0),
    "lips_open": ("jaw", BY_NAME["lips_open"].high),
    "blink": ("blink", 1.0),
    "smile": ("smile", BY_NAME["smile"].high),
    "brow": ("brow", BY_NAME["brow"].high),
}
"""Control -> the curve that shows it, and the control's value at which the curve is 1 (degrees stay degrees)."""


def curves_of(performance: Performance, name: str) -> Curves:
    """Return the curves of all frames; `name` is their name.

    A jaw that should close further than shut stays shut. Raises RefusedError for controls that have no curve.
    """
    lacking = [control for control in performance.curves if control not in SHOWN]
    if lacking:
        raise RefusedError(f"{name}: {', '.join(lacking)} cannot be shown by a warped portrait; leave them out")
    still = np.zeros(len(performance))
    found: dict[str, Curve] = {curve: still for curve, _ in SHOWN.values()}
    for control, values in performance.sample().items():
        curve, unit = SHOWN[control]
        found[curve] = values / unit
    found["jaw"] = np.maximum(found["jaw"], 0)
    return Curves(name, performance.fps, **found)
