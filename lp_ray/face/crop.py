"""Cutting square crops around faces (../shared/spec/liveportrait.md, "Cropping").

A crop is a 2 x 3 matrix from original to crop pixels; everything else follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.face.points import extent_points, two_points
from lp_ray.face.protocol import Image, Points

Matrix = NDArray[np.float64]
"""2 x 3 affine."""

SOURCE_SCALE, SOURCE_VX, SOURCE_VY = 2.3, 0.0, -0.125
DRIVING_SCALE, DRIVING_VX, DRIVING_VY = 2.2, 0.0, -0.1
MIN_AXIS = 1e-3
"""Eyes and mouth closer than this, pixels, give no direction: the face counts as upright."""


@dataclass(frozen=True)
class Square:
    """A square around a face: centre (x, y), side, and its unit axes to the right and down, as rows."""

    centre: NDArray[np.float64]
    side: float
    axes: NDArray[np.float64]


def face_square(
    points: Points, scale: float, vx: float = 0.0, vy: float = 0.0, rotate: bool = True, use_lips: bool = True
) -> Square:
    """Return the square around a face, turned with it or axis-aligned.

    Its side is the larger extent of the points times `scale`; `vx`, `vy` shift the centre by shares of the side.
    """
    axes = _axes(points, use_lips) if rotate else np.eye(2)
    extent = extent_points(points).astype(np.float64)
    middle = extent.mean(0)
    turned = (extent - middle) @ axes.T
    low, high = turned.min(0), turned.max(0)
    side = float((high - low).max()) * scale
    centre = middle + ((low + high) / 2) @ axes + np.array([vx, vy]) * side @ axes
    return Square(centre, side, axes)


def _axes(points: Points, use_lips: bool) -> NDArray[np.float64]:
    upper, lower = two_points(points, use_lips)
    down = lower - upper
    length = np.linalg.norm(down)
    down = np.array([0.0, 1.0]) if length <= MIN_AXIS else down / length
    return np.array([[down[1], -down[0]], down])


def crop_matrix(square: Square, size: int) -> Matrix:
    """Return the matrix that maps the square onto size x size pixels."""
    linear = square.axes * (size / square.side)
    return np.hstack([linear, (size / 2 - linear @ square.centre)[:, None]])


def source_matrix(points: Points, size: int, scale: float = SOURCE_SCALE) -> Matrix:
    """Return the matrix of a source crop, turned upright."""
    return crop_matrix(face_square(points, scale, SOURCE_VX, SOURCE_VY), size)


def invert(matrix: Matrix) -> Matrix:
    """Return the matrix of the way back."""
    return cast(Matrix, cv2.invertAffineTransform(np.asarray(matrix, np.float64)))


def transform_points(points: Points, matrix: Matrix) -> Points:
    """Map points; a third coordinate is scaled with the picture."""
    moved = points.astype(np.float64).copy()
    moved[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    moved[:, 2:] *= np.linalg.norm(matrix[0, :2])
    return moved


def cut(image: Image, matrix: Matrix, size: int) -> Image:
    """Return the size x size crop; what lies outside the picture is black."""
    return cast(Image, cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR))


def limit_size(image: Image, max_dim: int) -> Image:
    """Shrink to a longest side of `max_dim`, then drop a row or column from odd sides."""
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest > max_dim:
        scale = max_dim / longest
        image = cast(Image, cv2.resize(image, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_AREA))
        height, width = image.shape[:2]
    return image[: height - height % 2, : width - width % 2]


@dataclass(frozen=True)
class DrivingCrop:
    """One axis-aligned crop for a whole clip: the mean of its frames' squares."""

    matrix: Matrix
    size: int

    @classmethod
    def of_clip(cls, points: NDArray[np.float64], size: int) -> DrivingCrop:
        """`points`: n x K x (2|3), one row per frame."""
        corners = np.zeros(4)
        for frame in points:
            square = face_square(frame, DRIVING_SCALE, DRIVING_VX, DRIVING_VY, rotate=False)
            half = square.side / 2
            corners += [*(square.centre - half), *(square.centre + half)]
        x0, y0, x1, y1 = corners / len(points)
        mean = Square(np.array([(x0 + x1) / 2, (y0 + y1) / 2]), x1 - x0, np.eye(2))
        return cls(crop_matrix(mean, size), size)

    def cut(self, image: Image) -> Image:
        """Return the crop of one frame."""
        return cut(image, self.matrix, self.size)
