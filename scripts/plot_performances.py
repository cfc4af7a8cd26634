"""Hold generated performances against real clips: python -m scripts.plot_performances FOLDER OUT.png [COUNT]

FOLDER holds driving clips (.mp4) of one person each. The picture has a histogram of each measure over COUNT (1,000)
performances of 10 s, and a line where each real clip lies. Prints how many of the clips lie within the middle 98 %.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lp_ray.acting.generate import Ranges, natural
from lp_ray.dataset.plots import histograms
from scripts.fit_performances import SHUT, track

SEED, SECONDS, FPS = 7, 10.0, Fraction(25)
ANGLES = ("head_yaw", "head_pitch", "head_roll")

Measures = dict[str, float]


def of_generated(number: int) -> Measures:
    """Measure one generated performance by its curves."""
    curves = natural(SEED, number, SECONDS, FPS, Ranges()).sample()
    still = np.zeros(round(SECONDS * FPS))
    turns = np.stack([curves.get(name, still) for name in ANGLES], 1)
    shut = curves.get("blink", still) > 1 - SHUT
    return of_motion(turns, float(FPS)) | rates(shut, curves.get("lips_open", still), float(FPS))


def of_clip(path: Path) -> Measures:
    """Measure a real clip by what is tracked in it; its lips are not compared, their scale is another one."""
    tracks, fps = track(path)
    known = tracks.found
    shut = tracks.eyes[known] < SHUT * np.quantile(tracks.eyes[known], 0.75)
    return of_motion(tracks.angles[known][:, [1, 0, 2]], fps) | rates(shut, tracks.lips[known], fps)


def of_motion(turns: NDArray[np.float64], fps: float) -> Measures:
    """Return spread (degrees) and mean speed (degrees a second) of yaw, pitch and roll (n x 3)."""
    spread, speed = turns.std(0), np.abs(np.diff(turns, axis=0)).mean(0) * fps
    names = [name.removeprefix("head_") for name in ANGLES]
    spreads = {f"{name} spread, degrees": float(value) for name, value in zip(names, spread, strict=True)}
    return spreads | {f"{name} speed, degrees/s": float(value) for name, value in zip(names, speed, strict=True)}


def rates(shut: NDArray[np.bool_], lips: NDArray[np.float64], fps: float) -> Measures:
    """Return blinks a minute, and how often the lips open more than their mean, a second."""
    seconds = len(shut) / fps
    blinks = int((np.diff(shut.astype(int)) > 0).sum())
    opened = lips > lips.mean() + 0.1 * max(float(np.ptp(lips)), 1e-6)
    return {
        "blinks a minute": blinks / seconds * 60,
        "lips open, times a second": int((np.diff(opened.astype(int)) > 0).sum()) / seconds,
    }


def main(folder: Path, to: Path, count: int) -> None:
    """Measure both, draw, and say how they compare."""
    generated = [of_generated(number) for number in range(count)]
    clips = [of_clip(path) for path in sorted(folder.glob("*.mp4"))]
    numbers = {name: np.array([each[name] for each in generated]) for name in generated[0]}
    marks = {name: np.array([each[name] for each in clips]) for name in generated[0]}
    to.write_bytes(histograms(numbers, marks))
    print("| measure | generated: 1 %, median, 99 % | real clips | within |\n|---|---|---|---|")
    for name, values in numbers.items():
        low, middle, high = np.quantile(values, [0.01, 0.5, 0.99])
        inside = int(((marks[name] >= low) & (marks[name] <= high)).sum())
        shown = ", ".join(f"{value:.2f}" for value in sorted(marks[name].tolist()))
        print(f"| {name} | {low:.2f}, {middle:.2f}, {high:.2f} | {shown} | {inside} of {len(clips)} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1000)
