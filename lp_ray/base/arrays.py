"""Names for the array types of the package, with their shapes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""H x W x 3, RGB."""

AlphaImage = NDArray[np.uint8]
"""H x W x 4: RGB, then how opaque a pixel is, 0 to 255. `lp_ray.media.alpha` says over what the colours are."""

Plane = NDArray[np.uint8]
"""H x W: one channel of a picture."""

Points = NDArray[np.float64]
"""K x 2 or K x 3 in pixels of the picture they belong to (x right, y down, z away from the camera)."""

Matrix = NDArray[np.float64]
"""2 x 3: an affine transform of points (x, y, 1), in pixels."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels."""
