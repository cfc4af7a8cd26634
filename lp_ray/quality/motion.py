"""Metrics of motion: does the result move as it was asked to?"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from lp_ray.quality.running import Array, LaggedCorrelation, Mean
from lp_ray.quality.tracks import FaceTracks

REACH_S = 0.4
"""Largest lag that is searched, in seconds: more than any pipeline delays, less than two syllables."""

LEAST_LIPS, LEAST_EYES, LEAST_LOUDNESS = 0.01, 0.01, 0.02
"""If lips, eyes or loudness have a smaller standard deviation, they hardly move and no correlation is computed."""


@dataclass(frozen=True)
class Asked:
    """The motion that n frames of a result were asked to show. None: not known. NaN: not in this frame.

    `angles` n x 3: yaw, pitch, roll in degrees, as in FaceTracks. `lips`, `eyes` n: ratios of the driving.
    `blendshapes` n x 52: asked_blendshapes. `loudness` n: of the sound, in any unit.
    """

    angles: Array | None = None
    lips: Array | None = None
    eyes: Array | None = None
    blendshapes: NDArray[np.floating] | None = None
    loudness: Array | None = None


def asked_blendshapes(
    source: NDArray[np.floating], driving: NDArray[np.floating], reference: NDArray[np.floating]
) -> Array:
    """Return the blendshapes, n x 52, of a source (52) that moves as a driving (n x 52) from its reference (52)."""
    moved: Array = source.astype(np.float64) + driving - reference
    return np.clip(moved, 0, 1)


def angles_between(asked: Array, measured: Array) -> Array:
    """Return the angle, degrees, between two head poses of n frames (yaw, pitch, roll: n x 3); NaN where either is."""
    known = np.isfinite(asked).all(1) & np.isfinite(measured).all(1)
    between = np.full(len(asked), np.nan)
    if known.any():
        one, other = (
            Rotation.from_euler("xyz", angles[known][:, [1, 0, 2]], degrees=True) for angles in (asked, measured)
        )
        between[known] = np.degrees((one.inv() * other).magnitude())
    return between


class MotionMeter:
    """pose_error, expression_error, lip_correlation, lip_lag, lip_loudness, eye_correlation."""

    def __init__(self, fps: Fraction) -> None:
        self._fps = fps
        self._pose, self._expression = Mean(), Mean()
        self._lips = LaggedCorrelation(round(REACH_S * fps))
        self._eyes, self._loudness = LaggedCorrelation(0), LaggedCorrelation(0)

    def add(self, result: FaceTracks, asked: Asked, blendshapes: NDArray[np.floating] | None = None) -> None:
        """Add the next n frames: their tracks, the asked motion, and their own blendshapes (n x 52) if measured."""
        unknown = np.full(len(result), np.nan)
        if asked.angles is not None:
            self._pose.add(angles_between(asked.angles, result.angles))
        if asked.blendshapes is not None and blendshapes is not None:
            # The first coefficient is what the others leave over.
            self._expression.add(np.abs(asked.blendshapes - blendshapes)[:, 1:].mean(1))
        self._lips.add(unknown if asked.lips is None else asked.lips, result.lips)
        self._eyes.add(unknown if asked.eyes is None else asked.eyes, result.eyes)
        self._loudness.add(unknown if asked.loudness is None else asked.loudness, result.lips)

    def merge(self, later: MotionMeter) -> None:
        """Add what another meter measured on the next part of the video."""
        self._pose.merge(later._pose)
        self._expression.merge(later._expression)
        self._lips.merge(later._lips)
        self._eyes.merge(later._eyes)
        self._loudness.merge(later._loudness)

    def row(self) -> dict[str, float | None]:
        """Return the values by metric."""
        best = self._lips.best(LEAST_LIPS)
        return {
            "pose_error": self._pose.value,
            "expression_error": self._expression.value,
            "lip_correlation": None if best is None else best[1],
            "lip_lag": None if best is None else float(best[0] / self._fps),
            "lip_loudness": self._loudness.at(0, min(LEAST_LIPS, LEAST_LOUDNESS)),
            "eye_correlation": self._eyes.at(0, LEAST_EYES),
        }
