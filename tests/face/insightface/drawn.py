"""Pictures drawn for the models of `models.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lp_ray.base.arrays import Image, Points
from tests.face.insightface.models import DOT, pattern, turned


@dataclass(frozen=True)
class Drawn:
    """A face to draw: a blue square about (x, y), the middle of its dot, which the detector sees if `score` > 0."""

    x: int
    y: int
    side: int
    score: int = 0
    half_box: int = 0
    """In pixels of the detector's 512."""
    dot: int = DOT

    def draw(self, image: Image) -> None:
        half = self.side // 2
        image[max(self.y - half, 0) : self.y + half, max(self.x - half, 0) : self.x + half, 2] = 255
        half = self.dot // 2
        image[self.y - half : self.y + half, self.x - half : self.x + half, :2] = self.score, self.half_box

    def points(self, n_points: int, degrees: float = 0.0) -> Points:
        """Where its landmarks are: the middle of an even number of pixels lies between two of them."""
        return np.array([self.x, self.y]) - 0.5 + self.side * turned(pattern(n_points), degrees)


def draw(height: int, width: int, *faces: Drawn) -> Image:
    image = np.zeros((height, width, 3), np.uint8)
    for face in faces:
        face.draw(image)
    image.setflags(write=False)  # as Ray hands them out
    return image
