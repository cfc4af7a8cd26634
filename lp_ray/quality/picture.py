"""Metrics of single pictures: is each one sharp, well lit, and does it show a face?"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Points
from lp_ray.face.crop import Rectangle
from lp_ray.quality.running import Array, Largest, Mean
from lp_ray.quality.temporal import inside
from lp_ray.quality.tracks import FaceTracks

SHARPNESS_SIZE = 256
"""Side in pixels of the upright face on which sharpness is measured, so that pictures of different sizes compare."""

BLACK, WHITE = 2, 253
"""Up to the first luma, and from the second on, a pixel counts as clipped: encoders change luma by a level or two."""

EXTREME = np.array([40.0, 30.0, 30.0])
"""In degrees: from these on, yaw, pitch and roll count as extreme, because landmarks and engines get worse there."""


def sharpness(lumas: NDArray[np.uint8], points: Points) -> float:
    """Return the standard deviation of an upright face's Laplacian divided by that of its luma, to cancel light.

    `lumas` is H x W, `points` 478 x (2|3). 0 for a face of one colour.
    """
    to_face = Rectangle.of_points(points, 1.0).to_crop(SHARPNESS_SIZE)
    # In floats: whole levels would leave noise in which a blurred face looks sharper than it is.
    face = cv2.warpAffine(lumas.astype(np.float32), to_face, (SHARPNESS_SIZE, SHARPNESS_SIZE), flags=cv2.INTER_LINEAR)
    contrast = float(face.std())
    return float(cv2.Laplacian(face, cv2.CV_32F).std()) / contrast if contrast > 0 else 0.0


@dataclass(frozen=True)
class Light:
    """Luma of a face: its mean, 0 to 255, and the share of clipped pixels."""

    mean: float
    clipped: float


def light(lumas: NDArray[np.uint8], box: Array) -> Light:
    """Measure a face in its box (x0, y0, x1, y1) of a picture's luma, H x W."""
    face = inside(lumas, box)
    return Light(float(face.mean()), float(((face <= BLACK) | (face >= WHITE)).mean()))


def face_fractions(boxes: Array, width: int, height: int) -> Array:
    """Return the share of the picture that boxes (n x 4) cover, counting only the parts inside the picture: n."""
    low = np.clip(boxes[:, :2], 0, (width, height))
    high = np.clip(boxes[:, 2:], 0, (width, height))
    return np.asarray((high - low).prod(1) / (width * height), np.float64)


class PictureMeter:
    """sharpness_ratio, luminance, clipped_share, face_fraction, lost_share, angle_worst, extreme_share, faces_mean,
    one_face_share."""

    def __init__(self, source_sharpness: float | None) -> None:
        """`source_sharpness` is the `sharpness` of the source in the size that it has in the result."""
        self._source = source_sharpness
        self._sharpness, self._light, self._clipped = Mean(), Mean(), Mean()
        self._fraction, self._lost = Mean(), Mean()
        self._angle, self._extreme = Largest(), Mean()
        self._faces, self._one = Mean(), Mean()

    def add(self, lumas: NDArray[np.uint8], points: NDArray[np.floating], tracks: FaceTracks) -> None:
        """Add n frames: luma n x H x W, landmarks n x 478 x 3 (NaN without a face) and tracks."""
        height, width = lumas.shape[1:]
        found = tracks.found
        for i in np.flatnonzero(found):
            measured = light(lumas[i], tracks.boxes[i])
            self._light.add(measured.mean)
            self._clipped.add(measured.clipped)
            self._sharpness.add(sharpness(lumas[i], points[i].astype(np.float64)))
        self._lost.add((~found).astype(np.float64))
        self._fraction.add(face_fractions(tracks.boxes[found], width, height))
        turned = np.abs(tracks.angles[found])
        self._angle.add(turned)
        self._extreme.add((turned > EXTREME).any(1).astype(np.float64))

    def add_faces(self, counts: NDArray[np.integer]) -> None:
        """Add the numbers of faces in frames in which all faces were searched for."""
        self._faces.add(counts.astype(np.float64))
        self._one.add((counts == 1).astype(np.float64))

    def merge(self, later: PictureMeter) -> None:
        """Add what another meter of the same source has measured."""
        for name, mine in vars(self).items():
            if isinstance(mine, Mean | Largest):
                mine.merge(getattr(later, name))

    def row(self) -> dict[str, float | None]:
        """Return the values by metric."""
        sharp = self._sharpness.value
        return {
            "sharpness_ratio": sharp / self._source if sharp is not None and self._source else None,
            "luminance": self._light.value,
            "clipped_share": self._clipped.value,
            "face_fraction": self._fraction.value,
            "lost_share": self._lost.value,
            "angle_worst": self._angle.value,
            "extreme_share": self._extreme.value,
            "faces_mean": self._faces.value,
            "one_face_share": self._one.value,
        }
