"""Cut chips, the pictures that the identity network was trained on: 150 x 150 pixels, eyes and nose at fixed places."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image, Matrix, Points

CHIP_SIZE = 150

PADDING = 0.25
"""Margin around the mean face on each side, as a share of its size (dlib's face_recognition)."""

CORNERS = (263, 362, 33, 133, 2)
"""Of the 478 points: outer and inner corner of the eye on the picture's right, of that on its left, base of the nose.
"""

_MEAN_FACE = np.array(
    [
        (0.8595674595992, 0.2134981538014),
        (0.6460604764104, 0.2289674387677),
        (0.1205750620789, 0.2137274526848),
        (0.3340850613712, 0.2290642403242),
        (0.4901123135679, 0.6277975316475),
    ]
)
"""Places of those five points in the unit square: the mean shape of dlib's five-point landmarks."""

_TARGETS = (_MEAN_FACE + PADDING) / (1 + 2 * PADDING) * CHIP_SIZE - 0.5

_SHRINK_FROM = 0.5
"""Below this scale, bilinear sampling of a chip would skip pixels of the picture."""


def align(image: Image, points: Points) -> Image:
    """Return the chip, CHIP_SIZE x CHIP_SIZE x 3, of a face in a picture; black outside the picture.

    `points` is 478 x (2|3) in pixels, or the five points of CORNERS in their order (5 x 2). Raises ValueError for
    another number of points, or if all points are equal.
    """
    matrix = chip_matrix(points)
    scale = float(np.sqrt(np.linalg.det(matrix[:, :2])))
    if scale < _SHRINK_FROM:
        image, matrix = _shrunk(image, matrix, 2 * scale)
    chip = cv2.warpAffine(image, matrix, (CHIP_SIZE, CHIP_SIZE), flags=cv2.INTER_LINEAR)
    return chip.astype(np.uint8, copy=False)


def chip_matrix(points: Points) -> Matrix:
    """Return the similarity transform, 2 x 3, that best maps the five points to their places in the chip. Errors:
    `align`."""
    if len(points) not in (478, len(CORNERS)):
        raise ValueError(f"a chip is placed by 478 landmarks or five, not {len(points)}")
    five = points[list(CORNERS), :2] if len(points) == 478 else points[:, :2]
    # As complex numbers, a similarity is one factor and one shift; least squares gives both.
    here, there = (_complex(place.astype(np.float64)) for place in (five, _TARGETS))
    about = here - here.mean()
    spread = float((np.abs(about) ** 2).sum())
    if not spread > 0:
        raise ValueError("a face without extent has no chip")
    factor = (about.conj() * (there - there.mean())).sum() / spread
    shift = there.mean() - factor * here.mean()
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def _shrunk(image: Image, matrix: Matrix, factor: float) -> tuple[Image, Matrix]:
    """Shrink the part of a picture under the chip by area averaging, so that a large face does not alias."""
    back = cv2.invertAffineTransform(matrix)
    ends = np.array([(0, 0), (CHIP_SIZE, 0), (CHIP_SIZE, CHIP_SIZE), (0, CHIP_SIZE)]) @ back[:, :2].T + back[:, 2]
    limits = image.shape[1::-1]
    x0, y0 = np.clip(np.floor(ends.min(0)).astype(int) - 2, 0, limits)
    x1, y1 = np.clip(np.ceil(ends.max(0)).astype(int) + 2, 0, limits)
    if x0 >= x1 or y0 >= y1:  # nothing of the picture lies under the chip
        return image, matrix
    size = max(1, round((x1 - x0) * factor)), max(1, round((y1 - y0) * factor))
    small = cv2.resize(image[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    factors = np.array([size[0] / (x1 - x0), size[1] / (y1 - y0)])
    linear = matrix[:, :2] / factors
    # Pixel centres lie on whole numbers: place p of the part is (p + 0.5) * factor - 0.5 of the shrunk one.
    shift = matrix[:, 2] + matrix[:, :2] @ (x0, y0) - linear @ (factors / 2 - 0.5)
    return small, np.column_stack([linear, shift])


def _complex(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    return points[:, 0] + 1j * points[:, 1]
