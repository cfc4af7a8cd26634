"""Crop geometry: the square around a face, the matrices to and from it, and cutting the crop.

Matrices are 2 x 3 and map pixels (x right, y down) of one picture to those of another. Interpolation is the same as in
the reference (bilinear `warpAffine` on black, bilinear `resize`), because the networks were trained with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image, Matrix, Plane, Points
from lp_ray.face.points import extent_points, two_points


class PointsOfClip(Protocol):
    """Landmarks of n frames, n x K x (2|3), read by slices: an array, or a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.float64]: ...


SOURCE_SCALE, SOURCE_VX, SOURCE_VY = 2.3, 0.0, -0.125
DRIVING_SCALE, DRIVING_VX, DRIVING_VY = 2.2, 0.0, -0.1
DRIVING_WARP_SIZE = 512
"""Driving crops are cut at this size, then resized to the size that the networks read."""

MOST_AVERAGED = 4
"""Pixels a side that are averaged at most, where a crop is shrunk."""

_FRAMES_AT_ONCE = 1024
_SIMILAR = 1e-5
"""Relative difference up to which a matrix's two scales count as equal: stored matrices are float32."""
_NO_DOWN = 1e-3
"""If eyes and mouth are at most so many pixels apart, the face counts as upright."""


@dataclass(frozen=True)
class Rectangle:
    """A square of `size` pixels around `centre`, rotated by `angle` radians (clockwise on the screen)."""

    centre: tuple[float, float]
    size: float
    angle: float = 0.0

    @classmethod
    def of_points(cls, points: Points, scale: float, vx: float = 0.0, vy: float = 0.0) -> Rectangle:
        """Return the square `scale` times as large as the extent of K x (2|3) points.

        Its vertical axis is the line from the eyes to the mouth. It is moved by `vx`, `vy` of its size to the face's
        right and down. Raises ValueError for an unknown number of points.
        """
        centres, sizes, angles = _rectangles(points[None], scale, vx, vy)
        return cls((float(centres[0, 0]), float(centres[0, 1])), float(sizes[0]), float(angles[0]))

    @classmethod
    def of_box(cls, box: NDArray[np.float64], angle: float = 0.0) -> Rectangle:
        """Return the square around a box (x0, y0, x1, y1), as wide as the box."""
        x0, y0, x1, y1 = (float(value) for value in box)
        return cls(((x0 + x1) / 2, (y0 + y1) / 2), x1 - x0, angle)

    @property
    def upright(self) -> Rectangle:
        """The same square, not rotated."""
        return Rectangle(self.centre, self.size)

    @property
    def corners(self) -> NDArray[np.float64]:
        """Its corners, 4 x 2, clockwise from the upper left one."""
        unit = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
        return np.array(self.centre) + self.size * unit @ _axes(self.angle)

    def to_crop(self, crop_size: int) -> Matrix:
        """Return the matrix from the picture to a `crop_size` x `crop_size` crop of this square."""
        linear = _axes(self.angle) * (crop_size / self.size)
        return np.column_stack([linear, crop_size / 2 - linear @ self.centre])


def driving_boxes(
    points: NDArray[np.float64], scale: float = DRIVING_SCALE, vx: float = DRIVING_VX, vy: float = DRIVING_VY
) -> NDArray[np.float64]:
    """Return the upright box of every frame, n x 4 (x0, y0, x1, y1), from n x K x (2|3) points."""
    centres, sizes, _ = _rectangles(points, scale, vx, vy)
    return np.hstack([centres - sizes[:, None] / 2, centres + sizes[:, None] / 2])


def mean_box(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the single box of a clip (4) from the boxes of its frames (n x 4)."""
    return np.asarray(boxes.mean(0), np.float64)


@dataclass(frozen=True)
class DrivingCrop:
    """The upright crop that all frames of a driving clip share."""

    matrix: Matrix
    """Maps the picture to a crop of DRIVING_WARP_SIZE."""
    size: int
    """Side of the returned crops, pixels."""

    @classmethod
    def of_clip(
        cls,
        points: PointsOfClip,
        size: int,
        scale: float = DRIVING_SCALE,
        vx: float = DRIVING_VX,
        vy: float = DRIVING_VY,
    ) -> DrivingCrop:
        """Place the crop by the points of all frames, n x K x (2|3), which are read in pieces."""
        starts = range(0, len(points), _FRAMES_AT_ONCE)
        boxes = np.concatenate([driving_boxes(points[i : i + _FRAMES_AT_ONCE], scale, vx, vy) for i in starts])
        return cls(Rectangle.of_box(mean_box(boxes)).to_crop(DRIVING_WARP_SIZE), size)

    def cut(self, image: Image) -> Image:
        """Return the crop of one frame, size x size x 3."""
        return resize(cut(image, self.matrix, DRIVING_WARP_SIZE), self.size)


def invert(matrix: Matrix) -> Matrix:
    """Return the inverse matrix."""
    return np.asarray(cv2.invertAffineTransform(matrix), np.float64)


def transform_points(points: Points, matrix: Matrix) -> Points:
    """Map K x (2|3) points by a similarity transform; z is scaled with the picture."""
    moved = points.astype(np.float64)
    moved[:, :2] = moved[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    moved[:, 2:] *= np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return moved


def aspect(matrix: Matrix) -> float:
    """For a matrix to a crop, return width over height that a square of the crop has in the picture.

    It is 1, except for a picture taken whole that is not square: such a picture is squeezed.
    """
    across, down = np.linalg.norm(matrix[:, :2], axis=1)
    return 1.0 if abs(down - across) <= _SIMILAR * across else float(down / across)


def in_proportion(points: NDArray[np.float64], aspect: float) -> NDArray[np.float64]:
    """Return ... x K x (2|3) points of a crop in the proportions of the picture, so that shapes can be measured."""
    return points if aspect == 1 else points * np.array([aspect, 1.0, 1.0])[: points.shape[-1]]


def cut(image: Image, matrix: Matrix, size: int) -> Image:
    """Return the size x size x 3 picture to which `matrix` maps `image`; black where `image` has no pixels."""
    return _picture(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR))


def cut_alpha(alpha: Plane, matrix: Matrix, size: int) -> Plane:
    """Like `cut`, for how opaque pixels are (H x W): the border of `alpha` is repeated, so that what is opaque ends in
    black and not in nothing."""
    border = cv2.BORDER_REPLICATE
    return _picture(cv2.warpAffine(alpha, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border))


def cut_bordered(image: Image, matrix: Matrix, size: int) -> Image:
    """Like `cut`, but repeat the border of `image` where it has no pixels, and keep edges smooth and sharp: bicubic,
    and averaged where the crop is smaller than what it shows."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    times = int(np.clip(np.ceil(0.8 / max(scale, 1e-6)), 1, MOST_AVERAGED))
    finer = matrix * times
    finer[:, 2] += (times - 1) / 2
    side = (size * times, size * times)
    whole = cv2.warpAffine(image, finer, side, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return shrink(_picture(whole), size) if times > 1 else _picture(whole)


def resize(image: Image, size: int) -> Image:
    """Resize to size x size bilinearly, as for driving crops and for pictures that are crops already."""
    return _picture(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR))


def shrink(image: Image, size: int) -> Image:
    """Resize to size x size by area averaging, as for source crops."""
    return _picture(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))


def limit_size(image: Image, max_dim: int, division: int = 2) -> Image:
    """Shrink a picture to `max_dim` on its longer side, and trim its sides to multiples of `division`.

    0 switches either off. If trimming would leave nothing of one side, neither side is trimmed.
    """
    height, width = image.shape[:2]
    if 0 < max_dim < max(height, width):
        factor = max(height, width)
        width, height = max(1, width * max_dim // factor), max(1, height * max_dim // factor)
        image = _picture(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR))
    if division > 0 and min(height, width) >= division:
        image = image[: height - height % division, : width - width % division]
    return image


def _rectangles(
    points: NDArray[np.float64], scale: float, vx: float, vy: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return centres (n x 2), sizes (n) and angles (n) of the squares around n x K x (2|3) points."""
    eyes, mouth = np.moveaxis(two_points(points), -2, 0)
    down = mouth - eyes
    length = np.linalg.norm(down, axis=1, keepdims=True)
    down = np.where(length > _NO_DOWN, down / np.maximum(length, _NO_DOWN), (0.0, 1.0))
    right = np.stack([down[:, 1], -down[:, 0]], 1)
    axes = np.stack([right, down], 1)
    along = extent_points(points) @ axes.transpose(0, 2, 1)
    low, high = along.min(1), along.max(1)
    sizes = (high - low).max(1) * scale
    middles = (low + high) / 2 + sizes[:, None] * (vx, vy)
    centres = np.einsum("nij,ni->nj", axes, middles)
    # + 0.0 turns -0.0 into 0.0: a face on its head is turned by pi, not -pi.
    return centres, sizes, np.arctan2(right[:, 1] + 0.0, right[:, 0])


def _axes(angle: float) -> NDArray[np.float64]:
    """Return the rotated square's axes in the picture, as rows: right, down."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin], [-sin, cos]])


def _picture(array: NDArray[np.generic]) -> Image:
    return array.astype(np.uint8, copy=False)
