"""Metrics over time: is the result steady where it should be, and does it keep moving?"""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.quality.running import Array, Edges, LongestRun, Mean
from lp_ray.quality.tracks import FaceTracks, sizes

REPEAT_LEVEL = 0.2
"""If the face changes less than this on average, in grey levels, a frame counts as a repeat of the one before.

An encoded repeat changes by 0.002 to 0.15; the stillest frames of people in the test clips change by 0.3.
"""


def luma(frame: Image) -> NDArray[np.uint8]:
    """Return the luma of a picture, H x W (BT.601)."""
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def inside(picture: NDArray[np.uint8], box: Array) -> NDArray[np.uint8]:
    """Return the part of a picture (H x W ...) inside a box (x0, y0, x1, y1): at least one pixel; all of it for a NaN
    box."""
    if not np.isfinite(box).all():
        return picture
    height, width = picture.shape[:2]
    x0, x1 = (int(np.clip(x, 0, width)) for x in (np.floor(box[0]), np.ceil(box[2])))
    y0, y1 = (int(np.clip(y, 0, height)) for y in (np.floor(box[1]), np.ceil(box[3])))
    part = picture[y0:y1, x0:x1]
    return part if part.size else picture


def repeats(lumas: NDArray[np.uint8], boxes: Array) -> NDArray[np.bool_]:
    """Return for n frames (n x H x W, boxes n x 4) which of the last n - 1 repeat the one before."""
    return np.array(
        [
            cv2.absdiff(inside(before, box), inside(now, box)).mean() < REPEAT_LEVEL
            for before, now, box in zip(lumas[:-1], lumas[1:], boxes[1:], strict=True)
        ],
        np.bool_,
    )


def unsteadiness(rigid: Array, face: Array) -> Array:
    """Return the second differences of n frames' rigid points (n x k x 2), mean over points, in 1/1000 of the face's
    size (n): n - 2 values, NaN around frames without a face."""
    second = np.linalg.norm(rigid[2:] - 2 * rigid[1:-1] + rigid[:-2], axis=-1).mean(-1)
    return np.asarray(1000 * second / face[1:-1], np.float64)


class TemporalMeter:
    """jitter, jitter_own, frozen_share, frozen_longest, flicker."""

    def __init__(self, fps: Fraction) -> None:
        self._fps = fps
        self._own, self._added = Mean(), Mean()
        self._flicker = Mean()
        self._repeated, self._longest = Mean(), LongestRun()
        self._rigid, self._light, self._pictures = Edges(3), Edges(3), Edges(2)
        self._boxes = Edges(2)

    def add(
        self,
        lumas: NDArray[np.uint8],
        result: FaceTracks,
        driving: FaceTracks | None = None,
        driving_repeats: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add the next n frames: luma n x H x W, their tracks, and the tracks of the driving's frames that they follow.

        `driving_repeats` (n) says which driving frames repeat the one before, so that the result may repeat there too.
        """
        light = np.array([inside(picture, box).mean() for picture, box in zip(lumas, result.boxes, strict=True)])
        allowed = np.zeros(len(lumas), bool) if driving_repeats is None else driving_repeats
        self._steadiness(self._rigid.add(_rigid_rows(result, driving)))
        self._flicker.add(_flicker(self._light.add(light)))
        placed = np.column_stack([result.boxes, allowed])
        self._moves(self._pictures.add(lumas), self._boxes.add(placed))

    def merge(self, later: TemporalMeter) -> None:
        """Add what another meter measured on the next part of the video."""
        for mine, other in (
            (self._own, later._own),
            (self._added, later._added),
            (self._flicker, later._flicker),
            (self._repeated, later._repeated),
        ):
            mine.merge(other)
        rigid, light = self._rigid.merge(later._rigid), self._light.merge(later._light)
        pictures, placed = self._pictures.merge(later._pictures), self._boxes.merge(later._boxes)
        if rigid is not None and light is not None and pictures is not None and placed is not None:
            self._steadiness(rigid)
            self._flicker.add(_flicker(light))
            self._moves(pictures, placed)
        self._longest.merge(later._longest)

    def row(self) -> dict[str, float | None]:
        """Return the values by metric."""
        return {
            "jitter": self._added.value,
            "jitter_own": self._own.value,
            "frozen_share": self._repeated.value,
            "frozen_longest": None if self._repeated.value is None else float(self._longest.value / self._fps),
            "flicker": self._flicker.value,
        }

    def _steadiness(self, rows: Array) -> None:
        """`rows` n x 2 x (1 + 2k): of result and driving the face's size and its points."""
        own, driving = (unsteadiness(_points(rows[:, i, 1:]), rows[:, i, 0]) for i in (0, 1))
        self._own.add(own)
        self._added.add(own - driving)

    def _moves(self, lumas: NDArray[np.uint8], placed: Array) -> None:
        frozen = repeats(lumas, placed[:, :4]) & ~placed[1:, 4].astype(bool)
        self._repeated.add(frozen.astype(np.float64))
        self._longest.add(frozen)


def _rigid_rows(result: FaceTracks, driving: FaceTracks | None) -> Array:
    def one(tracks: FaceTracks) -> Array:
        coordinates = tracks.rigid.reshape(len(tracks), 2 * tracks.rigid.shape[1])
        return np.column_stack([sizes(tracks.boxes), coordinates])

    own = one(result)
    return np.stack([own, np.full_like(own, np.nan) if driving is None else one(driving)], 1)


def _points(coordinates: Array) -> Array:
    return coordinates.reshape(len(coordinates), coordinates.shape[1] // 2, 2)


def _flicker(light: Array) -> Array:
    return np.abs(light[2:] - 2 * light[1:-1] + light[:-2])
