"""Clips made of real faces that are cut out and moved over a still background: where each face is, is known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.face.protocol import Face

SIDE = 160.0
"""Longer side of every face's landmarks, pixels."""

WIDTH, HEIGHT = 640, 360
_CUT = 256
"""Side of the square around a face that is cut out, pixels."""


@dataclass(frozen=True)
class Head:
    """A face cut out by a soft oval: picture and weight (0 to 1), the middle of its landmarks in the middle."""

    picture: Image
    weight: NDArray[np.float32]

    @classmethod
    def of(cls, image: Image, face: Face) -> Head:
        x0, y0, x1, y1 = face.box
        scale = SIDE / max(x1 - x0, y1 - y0)
        shift = _CUT / 2 - scale * np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        picture = _warp(image, scale, shift, (_CUT, _CUT), cv2.BORDER_REPLICATE)
        down, right = np.mgrid[:_CUT, :_CUT] - _CUT / 2
        weight = np.clip((1 - np.hypot(right / 102, (down + 16) / 120)) * 8, 0, 1)
        return cls(picture, weight.astype(np.float32))

    def paste(self, frame: Image, x: float, y: float, blur: int = 0) -> Image:
        """Return the frame with the head's middle at (x, y), smeared sideways over `blur` pixels."""
        shift = np.array([x, y]) - _CUT / 2
        size = frame.shape[1], frame.shape[0]
        layer = np.dstack([self.picture * self.weight[..., None], self.weight]).astype(np.float32)
        moved = np.asarray(cv2.warpAffine(layer, np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), size))
        if blur > 1:
            moved = np.asarray(cv2.blur(moved, (blur, 1)))
        return (frame * (1 - moved[..., 3:]) + moved[..., :3]).astype(np.uint8)


def background(seed: int, width: int = WIDTH, height: int = HEIGHT) -> Image:
    """Return large soft patches of colour, others for every seed."""
    patches = np.random.default_rng(seed).integers(40, 216, (5, 8, 3), np.uint8)
    return np.asarray(cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)).astype(np.uint8)


def middle(points: NDArray[np.float64]) -> float:
    """Return the x of the middle of a face's bounds."""
    return float(points[:, 0].min() + points[:, 0].max()) / 2


def _warp(image: Image, scale: float, shift: NDArray[np.float64], size: tuple[int, int], border: int) -> Image:
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=border)).astype(np.uint8)
