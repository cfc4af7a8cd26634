"""Pictures side by side, to compare by eye."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lp_ray.face.crop import resize
from lp_ray.face.protocol import Image


def side_by_side(pictures: Sequence[Image], size: int) -> Image:
    """Return n pictures of any size in a row, size x (n * size) x 3, each resized bilinearly."""
    return np.hstack([resize(picture, size) for picture in pictures])
