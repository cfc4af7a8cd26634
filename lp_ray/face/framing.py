"""How pictures of sources and drivings are cropped for the engines: the user's choices, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lp_ray.base.arrays import Box, Image, Matrix, Plane, Points
from lp_ray.face.crop import (
    DRIVING_SCALE,
    DRIVING_VX,
    DRIVING_VY,
    SOURCE_SCALE,
    SOURCE_VX,
    SOURCE_VY,
    DrivingCrop,
    PointsOfClip,
    Rectangle,
    cut,
    cut_alpha,
    cut_bordered,
    limit_size,
    resize,
    shrink,
)


class ClipCrop(Protocol):
    """The crop that all frames of a driving share. `matrix` is None if frames are taken whole."""

    @property
    def matrix(self) -> Matrix | None: ...

    def cut(self, image: Image) -> Image:
        """Return the crop of one frame, size x size x 3."""
        ...


@dataclass(frozen=True)
class WholeFrame:
    """The crop of a driving whose frames are crops already: it only resizes them."""

    size: int
    matrix: None = None

    def cut(self, image: Image) -> Image:
        """Return one frame, size x size x 3."""
        return resize(image, self.size)


@dataclass(frozen=True)
class DrivingFraming:
    """Which part of a driving's frames the motion is extracted from."""

    track: bool = True
    """False: frames are taken whole and no face is searched for, as for animals."""
    crop_square: bool = False
    """Crop square drivings too. By default they count as crops already; drivings that are not square are always
    cropped."""
    scale: float = DRIVING_SCALE
    vx: float = DRIVING_VX
    vy: float = DRIVING_VY

    def place(self, points: PointsOfClip, width: int, height: int, size: int) -> ClipCrop:
        """Return the one crop for a clip of `width` x `height` frames with points n x K x (2|3)."""
        if not self.track or (width == height and not self.crop_square):
            return WholeFrame(size)
        return DrivingCrop.of_clip(points, size, self.scale, self.vx, self.vy)


def crop_of(matrix: Matrix | None, size: int) -> ClipCrop:
    """Return the crop for the matrix that a template holds."""
    return WholeFrame(size) if matrix is None else DrivingCrop(matrix, size)


@dataclass(frozen=True)
class SourceFraming:
    """How a source picture, or a frame of a source video, is limited in size and cropped."""

    max_dim: int = 1280
    division: int = 2
    crop: bool = True
    """False: the picture is a crop already."""
    rotate: bool = True
    scale: float = SOURCE_SCALE
    vx: float = SOURCE_VX
    vy: float = SOURCE_VY
    repeat_border: bool = False
    """Crops repeat the picture's border where they reach past it, instead of black. For engines that keep pixels."""

    def limit(self, image: Image) -> Image:
        """Shrink a picture to the size in which the pair uses it. Crop matrices refer to this size."""
        return limit_size(image, self.max_dim, self.division)

    def limit_box(self, box: Box, width: int, height: int) -> Box:
        """Convert a box in a picture of `width` x `height` to the size of the limited picture."""
        factor = min(1.0, self.max_dim / max(width, height))
        x0, y0, x1, y1 = (value * factor for value in box)
        return x0, y0, x1, y1

    def matrix(self, points: Points, size: int) -> Matrix:
        """Return the matrix from the picture to its size x size crop around K x (2|3) points."""
        square = Rectangle.of_points(points, self.scale, self.vx, self.vy)
        return (square if self.rotate else square.upright).to_crop(size)

    def matrix_of_box(self, box: Box, size: int) -> Matrix:
        """Return the matrix to the upright size x size crop around a face's bounds (x0, y0, x1, y1)."""
        x0, y0, x1, y1 = box
        side = max(x1 - x0, y1 - y0) * self.scale
        centre = ((x0 + x1) / 2 + self.vx * side, (y0 + y1) / 2 + self.vy * side)
        return Rectangle(centre, side).to_crop(size)

    def matrix_of_whole(self, image: Image, size: int) -> Matrix:
        """Return the matrix to size x size from a picture that is a crop already."""
        height, width = image.shape[:2]
        return np.array([[size / width, 0.0, 0.0], [0.0, size / height, 0.0]])

    def cut(self, image: Image, matrix: Matrix, full_size: int, size: int) -> Image:
        """Return the crop, size x size x 3, for a `matrix` that maps the picture to full_size x full_size.

        Crops are cut at full size and shrunk by area averaging. A picture that is a crop already is resized bilinearly.
        """
        if not self.crop:
            return resize(image, size)
        whole = (cut_bordered if self.repeat_border else cut)(image, matrix, full_size)
        return whole if size == full_size else shrink(whole, size)

    def cut_alpha(self, alpha: Plane, matrix: Matrix, full_size: int, size: int) -> Plane:
        """Return how opaque the pixels of the crop are, size x size, as `cut` does for the picture (H x W here)."""
        if not self.crop:
            return resize(alpha, size)
        whole = (cut_bordered if self.repeat_border else cut_alpha)(alpha, matrix, full_size)
        return whole if size == full_size else shrink(whole, size)
