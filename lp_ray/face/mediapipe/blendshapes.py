"""Compute the 52 blendshape coefficients of a face, with the third network of the model file.

The network and the order of its inputs are those of MediaPipe's face landmarker. The coefficients have ARKit's names.
Left and right are the person's own, not the picture's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Points
from lp_ray.face.mediapipe.bundle import BLENDSHAPES
from lp_ray.face.mediapipe.networks import N_POINTS, load_network

NAMES = (
    *("_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft"),
    *("eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft"),
    *("eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft"),
    *("jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft"),
    *("mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft"),
    *("mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower"),
    *("mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight"),
)
"""What the network's outputs are, in its order."""

INDEX = {name: i for i, name in enumerate(NAMES)}

# Which of the 478 points the network reads, in its order.
_INPUTS = (
    *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78),
    *(80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150),
    *(152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234),
    *(246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311),
    *(312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380),
    *(381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471),
    *(472, 473, 474, 475, 476, 477),
)


class BlendshapeNetwork:
    """478 landmarks -> 52 coefficients. One thread at a time; about 2 ms per face."""

    def __init__(self) -> None:
        """Raises WeightsError if the model file in the package is missing or altered."""
        self._net = load_network(BLENDSHAPES)

    def __call__(self, points: Points) -> NDArray[np.float32]:
        """Return the coefficients of one face (52, in the order of NAMES, about 0 to 1).

        `points` is 478 x (2|3) in pixels of a picture that is not stretched; the face's place and size do not matter.
        Raises ValueError for another number of points.
        """
        if points.shape[0] != N_POINTS:
            raise ValueError(f"blendshapes need {N_POINTS} landmarks, not {points.shape[0]}")
        self._net.setInput(points[None, _INPUTS, :2].astype(np.float32))
        return np.array(self._net.forward(), np.float32).ravel()

    def many(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the coefficients of n faces, n x 52, from n x 478 x (2|3) points."""
        rows = [self(face.astype(np.float64, copy=False)) for face in points]
        return np.stack(rows) if rows else np.empty((0, len(NAMES)), np.float32)
