"""The two networks of the model file, run by OpenCV: face boxes, and 478 landmarks of one face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lp_ray.base.arrays import Box, Image, Points
from lp_ray.face.mediapipe.bundle import DETECTOR, LANDMARKS, read_member
from lp_ray.face.mediapipe.region import Region

DETECTOR_SIZE = 128
LANDMARK_SIZE = 256
N_POINTS = 478

# Feature maps of the detector, (cells per side, anchors per cell): BlazeFace short range, arXiv 1907.05047.
_ANCHOR_GRIDS = ((16, 2), (8, 6))

# The detector's eight (x, y) pairs: centre, size, the eyes (left of the picture first), nose, mouth, ears.
_CENTRE, _SIZE, _LEFT_EYE, _RIGHT_EYE = range(4)


@dataclass(frozen=True)
class Detection:
    """A box that may hold a face. `angle` is that of its eyes, in radians; `score` is 0 to 1."""

    box: Box
    angle: float
    score: float


class FaceDetector:
    """Finds the boxes of faces in a picture, if they are larger than about a sixth of its longer side."""

    def __init__(self) -> None:
        self._net = load_network(DETECTOR)
        self._anchors = _anchors()

    def __call__(self, image: Image, threshold: float, x: int = 0, y: int = 0) -> list[Detection]:
        """Return all detections that score above `threshold`, including overlapping ones.

        (x, y) is the place of the upper left corner of `image` in the picture to which the boxes refer.
        """
        canvas, scale, shift = _letterbox(image, DETECTOR_SIZE)
        self._net.setInput(_planes(canvas, 1 / 127.5, -1.0))
        regressors, logits = self._net.forward(["regressors", "classificators"])
        scores = expit(logits.ravel().astype(np.float64))
        kept = scores > threshold
        pairs = regressors.reshape(-1, 8, 2)[kept].astype(np.float64)
        pairs[:, [_CENTRE, _LEFT_EYE, _RIGHT_EYE]] += DETECTOR_SIZE * self._anchors[kept, None]
        centre = (pairs[:, _CENTRE] - shift) / scale + (x, y)
        half = pairs[:, _SIZE] / scale / 2
        eyes = (pairs[:, _RIGHT_EYE] - pairs[:, _LEFT_EYE]) / scale
        angles = np.arctan2(eyes[:, 1], eyes[:, 0])
        rows = np.column_stack([centre - half, centre + half, angles, scores[kept]]).tolist()
        return [Detection((x0, y0, x1, y1), angle, score) for x0, y0, x1, y1, angle, score in rows]


class LandmarkNetwork:
    """478 landmarks of the face in a region, and a score for its presence."""

    def __init__(self) -> None:
        self._net = load_network(LANDMARKS)

    def __call__(self, image: Image, region: Region) -> tuple[Points, float]:
        """Return points (478 x 3, picture pixels) and presence (0 to 1; 0 for a region off the picture)."""
        crop = region.cut(image, LANDMARK_SIZE)
        if crop is None:
            return np.zeros((N_POINTS, 3)), 0.0
        self._net.setInput(_planes(crop, 1 / 255, 0.0))
        raw, logit = self._net.forward(["Identity", "Identity_1"])
        points = raw.reshape(N_POINTS, 3).astype(np.float64)
        # The network counts from the corner of the first pixel, pictures from its centre.
        points[:, :2] = cv2.transform(
            points[None, :, :2] - 0.5, cv2.invertAffineTransform(region.matrix(LANDMARK_SIZE))
        )[0]
        points[:, 2] *= region.side / LANDMARK_SIZE
        return points, float(expit(float(logit.item())))


def load_network(member: str) -> cv2.dnn.Net:
    """Load one network of the model file. Raises WeightsError if that file is missing or altered."""
    # OpenCV 5.0 ignores the engine when it reads from memory, and only its classic engine gives several
    # outputs at once; so the network is loaded from a file.
    with TemporaryDirectory() as folder:
        file = Path(folder) / member
        file.write_bytes(read_member(member))
        return cv2.dnn.readNetFromTFLite(str(file), cv2.dnn.ENGINE_CLASSIC)


def _anchors() -> NDArray[np.float64]:
    """Return the cell centres of all anchors, 896 x 2 (x, y), as fractions of the picture's side."""
    grids = []
    for cells, per_cell in _ANCHOR_GRIDS:
        centres = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(centres, centres), -1).reshape(-1, 2)
        grids.append(np.repeat(grid, per_cell, 0))
    return np.concatenate(grids)


def _letterbox(image: Image, size: int) -> tuple[Image, NDArray[np.float64], NDArray[np.float64]]:
    """Fit a picture into a black square; return it with scale (x, y) and shift from picture to square."""
    height, width = image.shape[:2]
    factor = size / max(height, width)
    fitted = max(1, round(width * factor)), max(1, round(height * factor))
    mode = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    left, top = (size - fitted[0]) // 2, (size - fitted[1]) // 2
    canvas = np.zeros((size, size, 3), np.uint8)
    canvas[top : top + fitted[1], left : left + fitted[0]] = cv2.resize(image, fitted, interpolation=mode)
    return canvas, np.array([fitted[0] / width, fitted[1] / height]), np.array([left, top], np.float64)


def _planes(image: Image, scale: float, offset: float) -> NDArray[np.float32]:
    """H x W x 3 -> 1 x 3 x H x W, values times `scale` plus `offset`."""
    planes = image.transpose(2, 0, 1)[None].astype(np.float32, order="C")
    return planes * np.float32(scale) + np.float32(offset)
