"""Find the driving's reference frame, from which relative motion is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import UnsupportedError
from lp_ray.contract.driving_reference import FIRST, NEUTRAL, parse_reference
from lp_ray.motion.keypoints import F32
from lp_ray.motion.neutral import NEUTRAL_LIP
from lp_ray.motion.records import DrivingMotion
from lp_ray.motion.template import TemplateReader

LIP_UNIT = 0.1
"""Lip ratio that makes a frame as unsuitable as ..."""

EYE_UNIT = 0.1
"""... eyes whose ratio differs this much from their usual one, or ..."""

ANGLE_UNIT = np.radians(15)
"""... a head turned this far away from the camera, or ..."""

EXPRESSION_UNIT = 0.01
"""... an expression this far (root mean square over keypoints) from the clip's median expression."""


JUDGED = {"lip_ratio": "lip_ratio", "eye_ratio": "eye_ratio", "R": "R", "rotation": "R", "exp": "exp"}
"""Template arrays, of either engine, by which the most neutral frame is chosen -> their name here."""


def find_reference(template: TemplateReader, text: str) -> int:
    """Return the index of the reference frame in a driving's template, for an option's text.

    Only "neutral" reads the whole clip, and only its small arrays. Raises what `reference_index` raises.
    """
    choice = parse_reference(text)
    if choice == NEUTRAL:
        judged = template.read(names=template.names & JUDGED.keys())
        return reference_index(choice, {JUDGED[name]: rows for name, rows in judged.items()})
    return reference_index(choice, template.read(0, 1), len(template))


def neutral_face(picture: DrivingMotion) -> DrivingMotion:
    """Return the reference motion for an animal's driving of one frame: the same head with a neutral expression.

    The motion of a clip is measured from one of its frames. A single picture has no other frame, and measured from
    itself it would move nothing. So an animal takes the expression from it, and no pose, as a person does from a
    driving picture.
    """
    return replace(picture, exp=np.broadcast_to(NEUTRAL_LIP, picture.exp.shape))


def reference_index(choice: str | int, frames: Mapping[str, F32], n_frames: int | None = None) -> int:
    """Return the index of the reference among a driving's frames (template arrays, one row per frame).

    Raises UnsupportedError if the index is too high, and for "neutral" if the template has none of the arrays it needs.
    """
    if choice == FIRST:
        return 0
    if choice == NEUTRAL:
        return int(np.argmin(neutral_score(frames)))
    n_frames = len(next(iter(frames.values()))) if n_frames is None else n_frames
    if not isinstance(choice, int) or not 0 <= choice < n_frames:
        raise UnsupportedError(f"driving_reference={choice}: the driving has frames 0 to {n_frames - 1}")
    return choice


def neutral_score(frames: Mapping[str, F32]) -> NDArray[np.float64]:
    """Return how far every frame is from a neutral face, n values >= 0.

    It is the sum, each in its unit above, of the lip ratio (0 is closed), of the distance of both eyes from their usual
    opening (median of the wider half of the clip, so that blinks do not count), and of the head's angle to the camera.
    For templates without ratios, the distance from the clip's median expression is used instead. Missing arrays do not
    count; raises UnsupportedError if all are missing.
    """
    terms: list[NDArray[Any]] = []
    if "lip_ratio" in frames:
        terms.append(frames["lip_ratio"][:, 0] / LIP_UNIT)
    if "eye_ratio" in frames:
        usual = np.quantile(frames["eye_ratio"], 0.75, axis=0)
        terms.append(np.abs(frames["eye_ratio"] - usual).mean(axis=1) / EYE_UNIT)
    if "exp" in frames and not terms:
        away = frames["exp"] - np.median(frames["exp"], axis=0)
        terms.append(np.sqrt(np.square(away).mean(axis=(1, 2))) / EXPRESSION_UNIT)
    if "R" in frames:
        cosine = (np.trace(frames["R"], axis1=1, axis2=2) - 1) / 2
        terms.append(np.arccos(np.clip(cosine, -1, 1)) / ANGLE_UNIT)
    if not terms:
        raise UnsupportedError(
            f"driving_reference={NEUTRAL} needs eye or lip ratios, rotation or expression, which this motion "
            f"template lacks: use {FIRST} or a frame's index"
        )
    score: NDArray[np.float64] = np.sum(terms, axis=0, dtype=np.float64)
    return score
