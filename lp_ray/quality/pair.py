"""Measure all metrics of one pair from the frames of its finished video."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image, Points
from lp_ray.quality.identity import ArcFaceMeter, IdentityMeter
from lp_ray.quality.motion import Asked, MotionMeter
from lp_ray.quality.picture import PictureMeter, sharpness
from lp_ray.quality.reenactment import ReenactmentMeter
from lp_ray.quality.seam import SeamMeter
from lp_ray.quality.table import Level, names
from lp_ray.quality.temporal import TemporalMeter, luma
from lp_ray.quality.tracks import FaceTracks, face_tracks


@dataclass(frozen=True)
class Measured:
    """n consecutive frames of a finished video, and what was measured on them. None: not measured.

    `frames` n x H x W x 3 RGB, decoded. `points` n x 478 x 3 pixels, NaN in frames without a face. `embeddings` m x 128
    of the frames that were embedded (identity.frames_to_embed), `arcface` m x 512 of the same by ArcFace. `blendshapes`
    n x 52. `faces`: k face counts, of the frames in which all faces were searched for.
    """

    frames: NDArray[np.uint8]
    points: NDArray[np.floating]
    embeddings: NDArray[np.floating] | None = None
    blendshapes: NDArray[np.floating] | None = None
    faces: NDArray[np.integer] | None = None
    arcface: NDArray[np.floating] | None = None


@dataclass(frozen=True)
class Expected:
    """What the same n frames are compared with. None: not known.

    `driving` are tracks of the driving's frames that they follow; `driving_repeats` (n) says which of those repeat the
    one before. `targets` n x H x W x 3 are these driving frames themselves, for self-reenactment. `sources` (n or 1 x H
    x W x 3) are the pictures that crops were pasted into, by `crop_to_original` (n or 1 x 2 x 3).
    """

    asked: Asked = field(default_factory=Asked)
    driving: FaceTracks | None = None
    driving_repeats: NDArray[np.bool_] | None = None
    targets: NDArray[np.uint8] | None = None
    sources: NDArray[np.uint8] | None = None
    crop_to_original: NDArray[np.floating] | None = None


class PairMeter:
    """Measures a pair's frames piece by piece, in limited memory. Parts measured separately can be merged in order."""

    def __init__(
        self,
        level: Level,
        fps: Fraction,
        embedding: NDArray[np.floating] | None = None,
        source: tuple[Image, Points] | None = None,
        arcface: NDArray[np.floating] | None = None,
    ) -> None:
        """`embedding` (128) is the source's, `arcface` (512) the same by ArcFace; `source` its picture, in the result's
        size, and landmarks (478 x 3)."""
        self._names, self._full = names(level), level == "full"
        self._identity = None if embedding is None else IdentityMeter(embedding)
        self._arcface = None if arcface is None else ArcFaceMeter(arcface)
        self._motion, self._temporal = MotionMeter(fps), TemporalMeter(fps)
        self._picture = PictureMeter(None if source is None else sharpness(luma(source[0]), source[1]))
        self._seam, self._reenactment = SeamMeter(), ReenactmentMeter()

    def add(self, measured: Measured, expected: Expected) -> None:
        """Add the next n frames."""
        frames, points = measured.frames, measured.points
        height, width = frames.shape[1:3]
        lumas = _lumas(frames)
        tracks = face_tracks(points, width, height)
        self._motion.add(tracks, expected.asked, measured.blendshapes)
        self._temporal.add(lumas, tracks, expected.driving, expected.driving_repeats)
        self._picture.add(lumas, points, tracks)
        if self._identity is not None and measured.embeddings is not None:
            self._identity.add(measured.embeddings)
        if self._arcface is not None and measured.arcface is not None:
            self._arcface.add(measured.arcface)
        if self._full:
            self._add_full(measured, expected, lumas)

    def merge(self, later: PairMeter) -> None:
        """Add what another meter of the same level measured on the next part of the pair."""
        if self._identity is not None and later._identity is not None:
            self._identity.merge(later._identity)
        if self._arcface is not None and later._arcface is not None:
            self._arcface.merge(later._arcface)
        self._motion.merge(later._motion)
        self._temporal.merge(later._temporal)
        self._picture.merge(later._picture)
        self._seam.merge(later._seam)
        self._reenactment.merge(later._reenactment)

    def row(self) -> dict[str, float | None]:
        """Return the metrics of the level in the table's order; None if there was nothing to measure."""
        found: dict[str, float | None] = {}
        faces, pictures = (self._identity, self._arcface), (self._picture, self._seam, self._reenactment)
        for meter in (*faces, self._motion, self._temporal, *pictures):
            if meter is not None:
                found.update(meter.row())
        return {name: found.get(name) for name in self._names}

    def _add_full(self, measured: Measured, expected: Expected, lumas: NDArray[np.uint8]) -> None:
        if measured.faces is not None:
            self._picture.add_faces(measured.faces)
        if expected.sources is not None and expected.crop_to_original is not None:
            self._seam.add(lumas, _lumas(expected.sources), expected.crop_to_original)
        if expected.targets is not None:
            self._reenactment.add(measured.frames, expected.targets)


def _lumas(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luma of n x H x W x 3 frames, n x H x W."""
    lumas = np.empty(frames.shape[:3], np.uint8)
    for i, frame in enumerate(frames):
        lumas[i] = luma(frame)
    return lumas
