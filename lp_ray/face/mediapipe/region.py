"""The rotated square around a face that the landmark network looks at."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image, Points

MARGIN = 1.5
"""Side of the region over the longer side of the face's box (MediaPipe's face landmark graph)."""

EYE_CORNERS = (33, 263)
"""Outer eye corners of the 478 points, left of the picture first: they say which way is level."""


@dataclass(frozen=True)
class Region:
    """A square of `side` pixels about (x, y), turned by `angle` radians (clockwise on the screen)."""

    x: float
    y: float
    side: float
    angle: float

    @classmethod
    def of_box(cls, box: tuple[float, float, float, float], angle: float) -> Region:
        """Return the region of a face that fills `box` (x0, y0, x1, y1)."""
        x0, y0, x1, y1 = box
        return cls((x0 + x1) / 2, (y0 + y1) / 2, MARGIN * max(x1 - x0, y1 - y0), angle)

    @classmethod
    def of_points(cls, points: Points) -> Region:
        """Return the region of 478 landmarks: their box in the axes of the eyes."""
        right, down = points[EYE_CORNERS[1], :2] - points[EYE_CORNERS[0], :2]
        angle = float(np.arctan2(down, right))
        upright = points[:, :2] @ _rotation(angle)
        low, high = upright.min(0), upright.max(0)
        x, y = _rotation(angle) @ ((low + high) / 2)
        return cls(float(x), float(y), MARGIN * float((high - low).max()), angle)

    def matrix(self, size: int) -> NDArray[np.float64]:
        """Return the 2 x 3 similarity from picture pixels to those of a `size` x `size` crop.

        Pixel centres lie on whole numbers, so the middle of the crop is (size - 1) / 2.
        """
        linear = _rotation(-self.angle) * (size / self.side)
        shift = (size - 1) / 2 - linear @ (self.x, self.y)
        return np.column_stack([linear, shift])

    def cut(self, image: Image, size: int) -> Image | None:
        """Return the region as a `size` x `size` x 3 crop, or None when it lies outside the picture.

        A face much larger than the crop is shrunk by area first: sampling alone would alias it.
        """
        patch, corner = self._bounds(image)
        if not patch.size:
            return None
        matrix = self.matrix(size)
        matrix[:, 2] += matrix[:, :2] @ corner
        shrink = 2 * size / self.side
        if shrink < 1:
            height, width = patch.shape[:2]
            small = max(1, round(width * shrink)), max(1, round(height * shrink))
            factors = np.array([small[0] / width, small[1] / height])
            patch = cv2.resize(patch, small, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
            matrix[:, :2] /= factors
            matrix[:, 2] -= matrix[:, :2] @ (factors / 2 - 0.5)
        crop = cv2.warpAffine(patch, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return crop.astype(np.uint8, copy=False)

    def _bounds(self, image: Image) -> tuple[Image, NDArray[np.float64]]:
        """Return the part of the picture under the region and its upper left corner."""
        reach = self.side / 2 * (abs(np.cos(self.angle)) + abs(np.sin(self.angle))) + 2
        height, width = image.shape[:2]
        x0, x1 = (int(np.clip(self.x + sign * reach, 0, width)) for sign in (-1, 1))
        y0, y1 = (int(np.clip(self.y + sign * reach, 0, height)) for sign in (-1, 1))
        return image[y0:y1, x0:x1], np.array([x0, y0], np.float64)


def _rotation(angle: float) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])
