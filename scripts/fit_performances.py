"""Fit the numbers of lp_ray/acting/fitted.py on real clips: python -m scripts.fit_performances FOLDER

FOLDER holds driving clips (.mp4) of one person each. Prints what HEAD says, and how often people blink.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.signal import welch

from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.quality.tracks import FaceTracks, face_tracks

LEAST_S = 7.0
"""Clips shorter than this have no spectrum worth having."""
WINDOW = 128
LOW_HZ, HIGH_HZ = 0.2, 6.0
SHUT = 0.5
"""Share of the eyes' usual opening under which they are shut."""


def track(path: Path) -> tuple[FaceTracks, float]:
    """Return the tracks of a clip's largest face, and its rate."""
    capture, landmarker, face = cv2.VideoCapture(str(path)), MediaPipeLandmarker(), None
    points = []
    while True:
        read, picture = capture.read()
        if not read:
            break
        frame = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8)
        face = landmarker.follow(frame, face) if face else None
        if face is None:
            face = max(landmarker.detect(frame), key=lambda found: found.box[2] - found.box[0], default=None)
        points.append(np.full((478, 3), np.nan) if face is None else face.points)
    height, width = picture_size(capture)
    return face_tracks(np.array(points), width, height), capture.get(cv2.CAP_PROP_FPS)


def picture_size(capture: cv2.VideoCapture) -> tuple[int, int]:
    """Return height and width."""
    return int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))


def spectra(angles: NDArray[np.float64], fps: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return frequencies above 0 and the share of each in the power of every angle."""
    frequencies, power = welch(angles, fps, nperseg=WINDOW, axis=0, detrend="linear")
    return frequencies[1:], power[1:] / power[1:].sum(0)


def fit(frequencies: NDArray[np.float64], power: NDArray[np.float64]) -> tuple[float, float]:
    """Return corner and slope of (1 + (f / corner)^2)^-(slope / 2), by least squares of logarithms."""
    inside = (frequencies > LOW_HZ) & (frequencies < HIGH_HZ)
    f, logs = frequencies[inside], np.log(power[inside])
    found = least_squares(lambda p: logs - (p[0] - p[2] / 2 * np.log1p((f / np.exp(p[1])) ** 2)), [0.0, -1.0, 2.0])
    return float(np.exp(found.x[1])), float(found.x[2])


def main(folder: Path) -> None:
    """Print the numbers."""
    spreads, shares, blinks, seconds = [], [], 0, 0.0
    common = np.arange(0.25, 8, 0.25)
    for path in sorted(folder.glob("*.mp4")):
        tracks, fps = track(path)
        known = tracks.found
        spreads.append(tracks.angles[known].std(0))
        shut = tracks.eyes[known] < SHUT * np.quantile(tracks.eyes[known], 0.75)
        n_blinks = int((np.diff(shut.astype(int)) > 0).sum())
        blinks, seconds = blinks + n_blinks, seconds + len(tracks) / fps
        print(f"{path.name}: {len(tracks) / fps:.1f} s, spreads {spreads[-1].round(2)}, {n_blinks} blinks")
        if len(tracks) >= LEAST_S * fps and known.all():
            frequencies, share = spectra(tracks.angles, fps)
            shares.append([np.interp(common, frequencies, share[:, axis]) for axis in range(3)])
    mean, logs = np.exp(np.log(np.array(shares)).mean(0)), np.log(np.array(spreads))
    print(f"{blinks / seconds * 60:.0f} blinks a minute in {seconds:.0f} s; spectra of {len(shares)} clips")
    for axis, name in enumerate(("head_yaw", "head_pitch", "head_roll")):
        corner, slope = fit(common, mean[axis])
        median, sigma = np.exp(logs[:, axis].mean()), logs[:, axis].std(ddof=1)
        print(f'    "{name}": Spectrum({corner:.2f}, {slope:.2f}, {median:.2f}, {sigma:.2f}),')


if __name__ == "__main__":
    main(Path(sys.argv[1]))
