"""Face detection and landmarks as in LivePortrait: insightface's boxes and 106 points, then 203 points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from onnxruntime import InferenceSession

from lp_ray.base.arrays import Box, Image, Points
from lp_ray.base.errors import WeightsError
from lp_ray.face.insightface.files import REMEDY, ModelFiles
from lp_ray.face.insightface.identity import N_POINTS, NAME, landmarker_digest
from lp_ray.face.insightface.networks import FaceDetector, Network106, Network203
from lp_ray.face.insightface.sessions import Device, open_session, prepare_device
from lp_ray.face.protocol import Face

MAX_FACES = 64
"""How many boxes are processed in one picture, best first; limits the cost of a picture of a crowd."""

MIN_SIDE = 8.0
"""In pixels: if a face's bounds are smaller in either direction, its points do not count as landmarks."""

STEADY = 0.1
"""If the points move less than this since the last frame, on average and in sides of the face, one pass is trusted.

The model's crop is one and a half times as large as the face, so up to here the points are those of the reference.
"""

SETTLED = 0.03
"""If the points move less than this from one pass over a frame to the next (same measure), the two passes agree."""

MAX_PASSES = 4
"""After so many passes over one frame, the face counts as lost."""

_Network = TypeVar("_Network")


@dataclass(frozen=True)
class DetectedFace(Face):
    """A face found in a single picture: its 203 points, and the 106 points (106 x 2) that they were found by.

    As in the reference, a source picture is cropped by `crop_points`, the frames of clips by `points`. Eye and lip
    ratios are those of `points` in both cases.
    """

    points_106: Points

    @property
    def crop_points(self) -> Points:
        """The 106 points."""
        return self.points_106


class InsightFaceLandmarker:
    """203 points by LivePortrait's model, found with insightface's buffalo_l. Implements `Landmarker`.

    `detect` and `detect_in_box` return `DetectedFace`, whose `crop_points` are the 106 points by which source pictures
    are cropped. One thread at a time. Deterministic on one machine, device and version of onnxruntime and OpenCV.
    """

    name = NAME
    n_points = N_POINTS

    def __init__(self, files: ModelFiles, device: Device, threads: int = 1) -> None:
        """Load the models.

        `threads` applies to each network's work on the CPU. Raises RefusedError if `device` is "cuda" and onnxruntime
        cannot use it, WeightsError if a file is missing or is another model.
        """
        prepare_device(device)
        self.digest = landmarker_digest(files.hashes())
        self._detect = _load(FaceDetector, files.detector, device, threads)
        self._106 = _load(Network106, files.points_106, device, threads)
        self._203 = _load(Network203, files.points_203, device, threads)

    def detect(self, image: Image) -> list[Face]:
        """Return every face as a `DetectedFace` with the detector's box, best first; an empty list if there is none.

        The picture is searched once, shrunk to 512 pixels, so a face of a few per cent of the longer side is missed.
        """
        found = [self._look(image, box, score, box) for box, score in self._detect(image)[:MAX_FACES]]
        return [face for face in found if face is not None]

    def detect_in_box(self, image: Image, box: Box) -> Face | None:
        """Return the `DetectedFace` that fills `box` (x0, y0, x1, y1), or None.

        The box is used in place of a detected one. The caller guarantees that it holds a face, so the score is 1.
        """
        return self._look(image, box, 1.0, None)

    def follow(self, image: Image, previous: Face) -> Face | None:
        """Return the face of the previous frame in this one, or None if it is lost; then call `detect` again.

        If the face has not moved far, one pass is enough, as in the reference. Otherwise it repeats the pass at the new
        points, until two passes agree. A face is lost if its points wander, are not finite, are smaller than MIN_SIDE,
        or are mostly outside the picture. The 203-point model does not tell whether a face is present, so the score
        stays the same.
        """
        before = previous
        for _ in range(MAX_PASSES):
            if not _usable(before.points, image):
                return None
            face = Face(self._203(image, before.points), previous.score)
            if _usable(face.points, image) and face.move_from(before) < (STEADY if before is previous else SETTLED):
                return face
            before = face
        return None

    def _look(self, image: Image, box: Box, score: float, detected: Box | None) -> DetectedFace | None:
        if not np.isfinite(box).all() or min(box[2] - box[0], box[3] - box[1]) < 1:
            return None
        points_106 = self._106(image, box)
        if not _usable(points_106, image):
            return None
        points = self._203(image, points_106)
        return DetectedFace(points, score, points_106, detected_box=detected) if _usable(points, image) else None


def _load(network: Callable[[Path, InferenceSession], _Network], file: Path, device: Device, threads: int) -> _Network:
    session = open_session(file, device, threads)
    try:
        return network(file, session)
    except Exception as error:  # onnxruntime's errors have no base class of their own
        raise WeightsError(f"{file}: not the model that belongs there ({error}); {REMEDY}") from error


def _usable(points: Points, image: Image) -> bool:
    """Return whether points can be a face in this picture: finite, not tiny, at least half of them inside."""
    if not np.isfinite(points).all() or np.ptp(points[:, :2], axis=0).min() < MIN_SIDE:
        return False
    height, width = image.shape[:2]
    inside = ((points[:, :2] >= 0) & (points[:, :2] < (width, height))).all(1)
    return bool(inside.mean() >= 0.5)
