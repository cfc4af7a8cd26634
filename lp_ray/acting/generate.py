"""Natural performances made by code from a seed: curves of controls, one performance per number.

The head moves with the spectrum of real clips. Blinks come as often as people's. The jaw opens by syllables in phrases
with pauses. Brows, smiles and gaze shifts come now and then (`fitted`). Every curve is a function of time: the same
second looks the same at any frame rate and in any length. Each control has its own random stream.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lp_ray.acting.fitted import (
    BLINK_CLOSE_S,
    BLINK_OPEN_S,
    BLINK_SHUT_S,
    BLINKS_PER_MINUTE,
    FIXATION_MEDIAN_S,
    FIXATION_SIGMA,
    HEAD,
    PAUSE_S,
    SACCADE_S,
    SYLLABLES_IN_PHRASE,
    SYLLABLES_PER_SECOND,
    Spectrum,
)
from lp_ray.base.errors import RefusedError
from lp_ray.contract.edits import BY_NAME
from lp_ray.motion.performance import Array, Keys, Performance, frame_times

Random = np.random.Generator

ONSET_S = 0.2
"""Seconds before anything moves. Frame 0, from which relative motion is measured, shows a neutral face."""
RISE_S = 0.6
"""Seconds after that in which head and gaze reach their full motion."""

_WAVES = 60
_SLOWEST_HZ, _FASTEST_HZ = 0.06, 6.0


@dataclass(frozen=True)
class Ranges:
    """How far performances go: the largest value of each control (in both directions if it has two), and rates.

    0 keeps a control still. `speaking` is the share of performances that speak. The defaults are values that both
    engines show well.
    """

    head_yaw: float = 15.0
    head_pitch: float = 10.0
    head_roll: float = 10.0
    lips_open: float = 90.0
    blink: float = 1.0
    smile: float = 1.0
    brow: float = 20.0
    gaze_x: float = 12.0
    gaze_y: float = 20.0
    speaking: float = 0.8
    syllables: tuple[float, float] = SYLLABLES_PER_SECOND
    """Least and most syllables per second. Each performance has its own rate between them."""
    blinks: tuple[float, float] = BLINKS_PER_MINUTE
    """Least and most blinks per minute."""

    def __post_init__(self) -> None:
        """Raises RefusedError for values that no control can show."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in BY_NAME:
                control = BY_NAME[field.name]
                most = min(-control.low, control.high) if control.low < 0 and field.name != "smile" else control.high
                if not 0 <= value <= most:
                    raise RefusedError(f"ranges: {field.name}={value!r} must be between 0 and {most:g}")
        for name, low, high in (("syllables", 1.0, 10.0), ("blinks", 0.0, 60.0)):
            least, most = getattr(self, name)
            if not low <= least <= most <= high:
                raise RefusedError(f"ranges: {name}={least:g} to {most:g} must lie between {low:g} and {high:g}")
        if not 0 <= self.speaking <= 1:
            raise RefusedError(f"ranges: speaking={self.speaking!r} must be between 0 and 1")


def natural(
    seed: int, number: int, seconds: float, fps: Fraction, ranges: Ranges | None = None, jaw: Performance | None = None
) -> Performance:
    """Return performance `number` of a seed. The same arguments (and numpy version) give the same one on any machine.

    The lips of `jaw` (`jaw_of_sound`, of the same rate) take the place of made-up syllables. Raises RefusedError if it
    would have no frame, and for a negative seed or number.
    """
    ranges = ranges or Ranges()
    if seed < 0 or number < 0:
        raise RefusedError(f"performance {number} of seed {seed}: both must be 0 or more")
    n_frames = round(seconds * fps) if seconds > 0 and fps > 0 else 0
    if n_frames < 1:
        raise RefusedError(f"a performance of {seconds:g} s at {fps} frames a second has no frame")
    times = frame_times(np.arange(n_frames), fps)
    moved = np.maximum(times - ONSET_S, 0.0)
    curves = {}
    for name, make in _MAKERS.items():
        if getattr(ranges, name) > 0:
            values = make(_random(seed, number, name), moved, ranges)
            curves[name] = Keys(times, np.clip(values, BY_NAME[name].low, BY_NAME[name].high))
    if jaw is not None and ranges.lips_open > 0:
        curves["lips_open"] = jaw.curves["lips_open"]
    if not curves:
        raise RefusedError("ranges: every control is 0; a performance needs one that moves")
    return Performance.of_keys(fps, curves, n_frames=n_frames)


def jaw_of_sound(loudness: NDArray[np.floating], fps: Fraction, most: float = Ranges.lips_open) -> Performance:
    """Return a performance whose lips open with the loudness of a sound (n values, 0 to 1: `media.loudness`).

    Loud is open, silence is shut; there are no phonemes, so this is no lip sync. Lips open within 60 ms and close
    within 120, so that they do not flutter. Raises RefusedError for no frames or a range that no control can show.
    """
    control = BY_NAME["lips_open"]
    if not len(loudness) or not 0 <= most <= control.high:
        raise RefusedError(f"a jaw of {len(loudness)} frames up to {most:g}: at most {control.high:g}, and one frame")
    opens, closes = (1 - np.exp(-1 / (float(fps) * time)) for time in (0.03, 0.06))
    follow, opening = np.zeros(len(loudness)), 0.0
    # Speech uses from a third to nearly all of the range of decibels; quieter sound is background noise.
    wanted = np.clip((loudness - 0.35) / 0.5, 0, 1)
    for i, goal in enumerate(wanted):
        opening += (goal - opening) * (opens if goal > opening else closes)
        follow[i] = opening
    times = frame_times(np.arange(len(loudness)), fps)
    return Performance.of_keys(fps, {"lips_open": Keys(times, most * follow)}, n_frames=len(loudness))


def _random(seed: int, number: int, name: str) -> Random:
    return np.random.Generator(np.random.PCG64([seed, number, zlib.crc32(name.encode())]))


def _turn(name: str) -> Callable[[Random, Array, Ranges], Array]:
    def make(random: Random, t: Array, ranges: Ranges) -> Array:
        spectrum = HEAD[name]
        spread = spectrum.median * np.exp(np.clip(random.normal(), -1.5, 1.5) * spectrum.sigma)
        return _soft(spread * _wander(random, t, spectrum) * _rise(t), getattr(ranges, name))

    return make


def _wander(random: Random, t: Array, spectrum: Spectrum) -> Array:
    """Return motion of standard deviation 1 with a given spectrum: a sum of waves, evenly spaced in log frequency."""
    edges = np.geomspace(_SLOWEST_HZ, _FASTEST_HZ, _WAVES + 1)
    frequencies = edges[:-1] * (edges[1:] / edges[:-1]) ** random.random(_WAVES)
    power = (1 + (frequencies / spectrum.corner) ** 2) ** (-spectrum.slope / 2) * np.diff(edges)
    amplitudes = np.sqrt(2 * power / power.sum())
    phases = random.uniform(0, 2 * np.pi, _WAVES)
    motion = np.zeros(len(t))
    for amplitude, frequency, phase in zip(amplitudes, frequencies, phases, strict=True):
        motion += amplitude * np.sin(2 * np.pi * frequency * t + phase)
    return motion


def _blinks(random: Random, t: Array, ranges: Ranges) -> Array:
    """Lids fall, stay, and rise more slowly. Intervals are log-normal, and one in ten blinks is only half of one."""
    rate = random.uniform(*ranges.blinks) / 60
    shut = np.zeros(len(t))
    start = 0.3
    while rate > 0 and (start := start + max(random.lognormal(np.log(1 / rate) - 0.18, 0.6), 0.4)) < t[-1]:
        held = random.uniform(*BLINK_SHUT_S)
        depth = 1.0 if random.random() > 0.1 else random.uniform(0.4, 0.8)
        ends = np.cumsum([start, BLINK_CLOSE_S, held, BLINK_OPEN_S])
        at = _during(t, start, float(ends[-1]) - start)
        lids = np.interp(t[at], ends, [0, 1, 1, 0])
        shut[at] = np.maximum(shut[at], depth * (0.5 - 0.5 * np.cos(np.pi * lids)))
    return ranges.blink * shut


def _speech(random: Random, t: Array, ranges: Ranges) -> Array:
    """Phrases of syllables, each a raised cosine of its own strength, with pauses between."""
    jaw = np.zeros(len(t))
    if random.random() >= ranges.speaking:
        return jaw
    rate = random.uniform(*ranges.syllables)
    start = random.uniform(0, 0.5)
    while start < t[-1]:
        for _ in range(int(random.integers(*SYLLABLES_IN_PHRASE))):
            length = min(max(random.normal(1, 0.12), 0.75), 1.25) / rate
            strength = random.uniform(0.25, 1.0)
            at = _during(t, start, 1.15 * length)  # syllables run into each other a little
            jaw[at] = np.maximum(jaw[at], strength * _bump(t[at], start, 1.15 * length))
            start += length
        start += random.uniform(*PAUSE_S)
    return ranges.lips_open * jaw


def _now_and_then(
    name: str, per_minute: float, length_s: tuple[float, float], least: float, negative: float = 0.0
) -> Callable[[Random, Array, Ranges], Array]:
    """Return events of a control that rise and fall again; a share of them goes in the other direction."""

    def make(random: Random, t: Array, ranges: Ranges) -> Array:
        curve = np.zeros(len(t))
        start = random.exponential(30 / per_minute)
        while start < t[-1]:
            length = random.uniform(*length_s)
            sign = -1.0 if random.random() < negative else 1.0
            at = _during(t, start, length)
            curve[at] += sign * random.uniform(least, 1.0) * _plateau(t[at], start, length)
            start += length + random.exponential(60 / per_minute)
        return np.asarray(getattr(ranges, name) * curve, np.float64)

    return make


def _gaze(name: str) -> Callable[[Random, Array, Ranges], Array]:
    """Every other time the eyes rest on the camera; in between they jump elsewhere."""

    def make(random: Random, t: Array, ranges: Ranges) -> Array:
        most = getattr(ranges, name)
        times, values = [0.0], [0.0]
        start = 0.0
        while (start := start + max(random.lognormal(np.log(FIXATION_MEDIAN_S), FIXATION_SIGMA), 0.2)) < t[-1]:
            goal = float(np.clip(random.normal(0, 0.4), -1, 1)) * most if random.random() < 0.5 else 0.0
            times += [start, start + SACCADE_S]
            values += [values[-1], goal]
        return np.interp(t, times, values)

    return make


_MAKERS: dict[str, Callable[[Random, Array, Ranges], Array]] = {
    "head_pitch": _turn("head_pitch"),
    "head_yaw": _turn("head_yaw"),
    "head_roll": _turn("head_roll"),
    "lips_open": _speech,
    "smile": _now_and_then("smile", per_minute=4, length_s=(1.5, 4.0), least=0.25),
    "brow": _now_and_then("brow", per_minute=7, length_s=(0.5, 1.6), least=0.2, negative=0.25),
    "gaze_x": _gaze("gaze_x"),
    "gaze_y": _gaze("gaze_y"),
    "blink": _blinks,
}


def _soft(values: Array, most: float) -> Array:
    """Limit values smoothly to `most`; small values stay as they are."""
    return np.asarray(most * np.tanh(values / most), np.float64)


def _rise(t: Array) -> Array:
    part = np.clip(t / RISE_S, 0, 1)
    return np.asarray(part**2 * (3 - 2 * part), np.float64)


def _during(t: Array, start: float, length: float) -> slice:
    """Frames in [start, start + length]."""
    return slice(*np.searchsorted(t, [start, start + length]).tolist())


def _bump(t: Array, start: float, length: float) -> Array:
    place = np.clip((t - start) / length, 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * place), np.float64)


def _plateau(t: Array, start: float, length: float) -> Array:
    """Up within a third of the length, down within another."""
    edge = np.clip(np.minimum(t - start, start + length - t) / (length / 3), 0, 1)
    return np.asarray(edge**2 * (3 - 2 * edge), np.float64)
