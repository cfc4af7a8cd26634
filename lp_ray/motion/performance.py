"""A performance: a driving made of curves of controls over time, between keys, at an exact frame rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from lp_ray.base.errors import PerformanceError
from lp_ray.contract.edits import BY_NAME

Array = NDArray[np.float64]

Interpolation = Literal["linear", "cubic"]
INTERPOLATIONS: tuple[Interpolation, ...] = get_args(Interpolation)

NEAREST_KEYS_S = 1e-6
"""Nearer to each other, keys of a cubic curve have no slope between them that a float holds."""

_SLACK = 1e-6
"""In frames: a last key may be so much earlier than its frame, because times are written with few digits."""


@dataclass(frozen=True)
class Keys:
    """Keys of one control: `times`, k seconds, ascending from 0 or later, and `values`, one for each time (k >= 1)."""

    times: Array
    values: Array


@dataclass(frozen=True)
class Performance:
    """Curves of some controls over `n_frames` frames at `fps`.

    Before its first key and after its last key, a curve has the value of that key. "cubic" curves are smooth and never
    go beyond the neighbouring keys (Fritsch and Carlson, 1980), so keys in range make a curve in range.
    """

    fps: Fraction
    n_frames: int
    curves: Mapping[str, Keys]
    interpolation: Interpolation = "linear"

    @classmethod
    def of_keys(
        cls,
        fps: Fraction,
        curves: Mapping[str, Keys],
        interpolation: Interpolation = "linear",
        n_frames: int | None = None,
    ) -> Performance:
        """Check keys and make a performance of them. Without `n_frames`, the last key gives its length.

        Raises PerformanceError if there is no curve, an unknown control, times that do not ascend from 0 on, values
        that are not numbers or out of range, no frame, or no rate.
        """
        if not curves:
            raise PerformanceError(f"a performance needs a column of a control: {', '.join(BY_NAME)}")
        if fps <= 0:
            raise PerformanceError(f"a performance of {fps} frames a second: the rate must be positive")
        if interpolation not in INTERPOLATIONS:
            raise PerformanceError(f"interpolation={interpolation!r} must be one of {', '.join(INTERPOLATIONS)}")
        for name, keys in curves.items():
            _check_keys(name, keys)
        if n_frames is None:
            last = max(float(keys.times[-1]) for keys in curves.values())
            n_frames = int(np.floor(last * float(fps) + _SLACK)) + 1
        if n_frames < 1:
            raise PerformanceError(f"a performance of {n_frames} frames: it needs one at least")
        return cls(fps, n_frames, dict(curves), interpolation)

    def __len__(self) -> int:
        return self.n_frames

    def sample(self, start: int = 0, stop: int | None = None) -> dict[str, Array]:
        """Return the curves' values at frames [start, stop): control -> stop - start values.

        Each frame is computed on its own, so a piece has the same values as the whole. Raises ValueError beyond the
        last frame.
        """
        stop = self.n_frames if stop is None else stop
        if not 0 <= start <= stop <= self.n_frames:
            raise ValueError(f"frames {start} to {stop} of a performance of {self.n_frames}")
        times = frame_times(np.arange(start, stop), self.fps)
        return {name: self._at(keys, times) for name, keys in self.curves.items()}

    def _at(self, keys: Keys, times: Array) -> Array:
        if self.interpolation == "linear" or len(keys.times) == 1:
            return np.interp(times, keys.times, keys.values)
        inside = np.clip(times, keys.times[0], keys.times[-1])
        values: Array = PchipInterpolator(keys.times, keys.values)(inside)
        # Rounding may carry a curve past a key by the last bit, and so out of a control's range.
        values = np.clip(values, keys.values.min(), keys.values.max())
        values[times <= keys.times[0]], values[times >= keys.times[-1]] = keys.values[0], keys.values[-1]
        return values


def frame_times(frames: NDArray[np.integer], fps: Fraction) -> Array:
    """Return when frames are shown, in seconds from the first one."""
    return np.asarray(frames * fps.denominator / fps.numerator, np.float64)


def _check_keys(name: str, keys: Keys) -> None:
    if name not in BY_NAME:
        raise PerformanceError(f"no control {name!r}")
    if keys.times.ndim != 1 or keys.times.shape != keys.values.shape or len(keys.times) == 0:
        raise PerformanceError(f"{name}: a curve needs as many times as values, and one at least")
    if not np.isfinite(keys.times).all() or keys.times[0] < 0 or not (np.diff(keys.times) > 0).all():
        raise PerformanceError(f"{name}: times must ascend, from 0 on, each only once")
    if (np.diff(keys.times) < NEAREST_KEYS_S).any():
        raise PerformanceError(f"{name}: keys must be {NEAREST_KEYS_S:g} s apart at least")
    control = BY_NAME[name]
    wrong = np.flatnonzero(~((keys.values >= control.low) & (keys.values <= control.high)))
    if len(wrong):
        raise PerformanceError(
            f"{name}={keys.values[wrong[0]]:g} at {keys.times[wrong[0]]:g} s must be a number between "
            f"{control.low:g} and {control.high:g}"
        )
