"""Place pictures side by side, for people to compare."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from lp_ray.base.arrays import Image
from lp_ray.face.crop import resize


def side_by_side(pictures: Sequence[Image], size: int) -> Image:
    """Return n pictures of any size in a row, size x (n * size) x 3, each resized bilinearly."""
    return np.hstack([resize(picture, size) for picture in pictures])


def fit(image: Image, size: int) -> Image:
    """Return a picture resized to fit into the middle of a black square, size x size x 3."""
    height, width = image.shape[:2]
    longest = max(height, width)
    inside = max(1, round(width * size / longest)), max(1, round(height * size / longest))
    shown = cv2.resize(image, inside, interpolation=cv2.INTER_AREA)
    square = np.zeros((size, size, 3), np.uint8)
    y, x = (size - inside[1]) // 2, (size - inside[0]) // 2
    square[y : y + inside[1], x : x + inside[0]] = shown
    return square
