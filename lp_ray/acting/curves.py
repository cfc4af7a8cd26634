"""The motion of a performed face: one curve over time for each of seven controls, at an exact frame rate.

Curves are functions of time only: the same second looks the same at any frame rate and in a performance of any length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import RefusedError
from lp_ray.base.names import nearest

Curve = NDArray[np.float64]

ONSET_S = 0.2
"""Seconds before anything moves or sounds: until then the face is neutral with a closed jaw."""

BLINK_CLOSE_S, BLINK_HOLD_S, BLINK_OPEN_S = 0.08, 0.15, 0.12
"""Phases of a blink: closing, shut (3 to 4 frames at 25 per second, so that every frame rate shows it), opening."""

SYLLABLE_SEED = 20
SYLLABLES_IN_PHRASE = (5, 10)
SYLLABLE_S = (0.17, 0.27)
PAUSE_S = (0.35, 0.7)
"""Rhythm of speech: syllables in a phrase, their length, and the pause between phrases (ranges)."""


@dataclass(frozen=True)
class Curves:
    """Controls of n frames. `yaw`, `pitch`, `roll` in degrees (positive: to the right of the picture, down,
    leaning to its left); `jaw`, `blink`, `smile`, `brow` from 0 at rest to 1."""

    name: str
    fps: Fraction
    yaw: Curve
    pitch: Curve
    roll: Curve
    jaw: Curve
    blink: Curve
    smile: Curve
    brow: Curve

    def __len__(self) -> int:
        return len(self.yaw)


def curves(name: str, n_frames: int, fps: Fraction) -> Curves:
    """Return `n_frames` of the named performance, one of `PERFORMANCES`. Raises RefusedError for any other name."""
    if name not in PERFORMANCES:
        raise RefusedError(f"no performance {name!r}{nearest(name, PERFORMANCES)}: {', '.join(PERFORMANCES)}")
    if n_frames < 1 or fps <= 0:
        raise RefusedError(f"a performance of {n_frames} frames at {fps} a second: both must be positive")
    seconds = np.arange(n_frames) * fps.denominator / fps.numerator
    controls = PERFORMANCES[name](np.maximum(seconds - ONSET_S, 0.0))
    still = np.zeros(n_frames)
    return Curves(
        name,
        fps,
        *(controls.get(c, still) for c in ("yaw", "pitch", "roll", "jaw", "blink", "smile", "brow")),
    )


def _talk(t: Curve) -> dict[str, Curve]:
    fade = np.minimum(t / 0.5, 1.0)
    jaw = _speech(t)
    return {
        "yaw": fade * (7.0 * np.sin(2 * np.pi * t / 3.7) + 2.5 * np.sin(2 * np.pi * t / 1.3)),
        "pitch": fade * (3.5 * np.sin(2 * np.pi * t / 2.3) + 1.5 * np.sin(2 * np.pi * t / 0.9)),
        "roll": fade * 3.0 * np.sin(2 * np.pi * t / 4.9),
        "jaw": jaw,
        "blink": _blinks(t, 2.9, 1.1),
        "smile": 0.25 * fade * (0.5 - 0.5 * np.cos(2 * np.pi * t / 5.3)),
        "brow": 0.5 * np.maximum(np.sin(2 * np.pi * t / 3.1), 0) * fade,
    }


def _nod_and_shake(t: Curve) -> dict[str, Curve]:
    """Repeat six seconds: two nods, two shakes of the head, then a lean to each side."""
    phase = t % 6.0
    nod, shake, lean = (_stretch(phase, start, 2.0) for start in (0.0, 2.0, 4.0))
    return {
        "pitch": 9.0 * nod * np.sin(2 * np.pi * phase),
        "yaw": 15.0 * shake * np.sin(2 * np.pi * phase),
        "roll": 11.0 * lean * np.sin(np.pi * phase),
        "blink": _blinks(t, 3.0, 1.9),
    }


def _expressions(t: Curve) -> dict[str, Curve]:
    """Repeat five seconds: a smile, raised brows, a wide mouth, a blink, then a laugh and a second blink.

    Each is held, so that pictures half a second apart, as on a contact sheet, show them all.
    """
    phase = t % 5.0
    smile, brow, wide, laugh = (
        _stretch(phase, start, length) for start, length in ((0.0, 1.2), (1.0, 1.1), (1.9, 1.2), (3.45, 1.3))
    )
    return {
        "smile": np.maximum(smile, laugh),
        "brow": np.maximum(brow, 0.5 * np.maximum(wide, laugh)),
        "blink": np.maximum(_blinks(phase, 5.0, 3.12), _blinks(phase, 5.0, 4.6)),
        "jaw": np.maximum(wide, 0.55 * laugh),
        "yaw": 6.0 * np.minimum(t, 1) * np.sin(2 * np.pi * t / 5.0),
    }


PERFORMANCES: dict[str, Callable[[Curve], dict[str, Curve]]] = {
    "talk": _talk,
    "nod_and_shake": _nod_and_shake,
    "expressions": _expressions,
}


def _window(t: Curve, start: float, length: float) -> Curve:
    """Raised cosine: 0 outside [start, start + length], 1 in its middle."""
    place = np.clip((t - start) / length, 0, 1)
    window: Curve = 0.5 - 0.5 * np.cos(2 * np.pi * place)
    return window


def _stretch(t: Curve, start: float, length: float) -> Curve:
    """Like `_window`, but 1 throughout except for a quarter of its length at each end."""
    edge = np.clip(np.minimum(t - start, start + length - t) / (length / 4), 0, 1)
    stretch: Curve = edge**2 * (3 - 2 * edge)
    return stretch


def _blinks(t: Curve, every: float, first: float) -> Curve:
    """One blink every `every` seconds, the first at `first` (start of the closing)."""
    since = (t - first) % every
    opened = BLINK_CLOSE_S + BLINK_HOLD_S
    shut = np.interp(since, [0.0, BLINK_CLOSE_S, opened, opened + BLINK_OPEN_S], [0.0, 1.0, 1.0, 0.0])
    return np.where(t < first, 0.0, shut)


def _speech(t: Curve) -> Curve:
    """Jaw opening: phrases of syllables, each a raised cosine of its own length and strength."""
    random = np.random.default_rng(SYLLABLE_SEED)
    jaw = np.zeros(len(t))
    start, last = 0.0, float(t[-1])
    while start <= last:
        for _ in range(int(random.integers(*SYLLABLES_IN_PHRASE))):
            length, strength = random.uniform(*SYLLABLE_S), random.uniform(0.35, 0.95)
            begin, end = np.searchsorted(t, [start, start + length])
            jaw[begin:end] = strength * _window(t[begin:end], start, length)
            start += length
        start += random.uniform(*PAUSE_S)
    return jaw
