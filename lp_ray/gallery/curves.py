"""What the page draws under a video: curves of a pair's labels, asked and measured, one small script a pair."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray.face.mediapipe.blendshapes import NAMES
from lp_ray.gallery.columns import script
from lp_ray.labels.file import Labels

POSE = ("yaw", "pitch", "roll")
_JAW = NAMES.index("jawOpen")


def curves_script(labels: Labels) -> bytes:
    """Return the script with a pair's curves: of each what was asked and what was measured, null where unknown."""
    return script("curves", labels.pair_id, {"n": labels.n_frames, "curves": curves_of(labels)})


def curves_of(labels: Labels) -> list[dict[str, Any]]:
    """Return the curves that a pair has, in the order in which they are shown."""
    found = [_curve(name, "degrees", labels, "asked_head_pose", "head_pose", axis) for axis, name in enumerate(POSE)]
    if "asked_head_pose" not in labels:
        found = [_curve(name, "degrees", labels, "asked_turn", "head_pose", axis) for axis, name in enumerate(POSE)]
    found.append(_curve("lips", "ratio", labels, "asked_lip_ratio", "lip_ratio", 0))
    found.append(_curve("eyes", "ratio", labels, "asked_eye_ratios", "eye_ratios", None))
    found.append(_curve("jaw open", "coefficient", labels, "asked_blendshapes", "blendshapes", _JAW))
    return [curve for curve in found if curve["asked"] or curve["measured"]]


def _curve(name: str, unit: str, labels: Labels, asked: str, measured: str, axis: int | None) -> dict[str, Any]:
    return {
        "name": name,
        "unit": unit,
        "asked": _values(labels, asked, axis),
        "measured": _values(labels, measured, axis),
    }


def _values(labels: Labels, name: str, axis: int | None) -> list[float | None]:
    """Return a column's values; of several and without `axis`, their mean. Empty: the pair has no such column."""
    if name not in labels:
        return []
    rows: NDArray[np.float64] = labels[name].astype(np.float64).reshape(labels.n_frames, -1)
    values = rows.mean(1) if axis is None else rows[:, min(axis, rows.shape[1] - 1)]
    return [round(float(value), 3) if np.isfinite(value) else None for value in values]
