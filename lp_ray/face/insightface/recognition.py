"""ArcFace: embeddings by insightface's recognition network, whose cosine papers report as CSIM.

The model (buffalo_l's `w600k_r50.onnx`, for non-commercial use only) is not carried: it comes from a weight store.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from insightface.model_zoo.arcface_onnx import ArcFaceONNX
from insightface.utils.face_align import norm_crop
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from lp_ray.base.arrays import Image, Points
from lp_ray.base.errors import WeightsError
from lp_ray.face.insightface.files import ARCFACE
from lp_ray.face.insightface.sessions import open_session, prepare_device
from lp_ray.models.cache import cached_file
from lp_ray.models.store import WeightStore

SIDE = 112
"""Side of the aligned pictures that it was trained on."""

EYES = ((263, 362), (33, 133))
"""Of MediaPipe's 478 points: the corners of the eye on the picture's right, then of that on its left."""
NOSE_TIP, MOUTH = 1, (61, 291)
"""The tip of the nose; the corners of the mouth, the picture's left first."""


class ArcFace:
    """Faces -> embeddings, n x 512. A face's embedding does not depend on the other faces of the call."""

    def __init__(self, file: Path, session: InferenceSession) -> None:
        """Raises ValueError, or an error of onnxruntime or onnx, for another type of model."""
        inputs, outputs = session.get_inputs(), session.get_outputs()
        shapes = [tuple(each.shape[1:]) for each in (*inputs, *outputs)]
        if shapes != [(3, SIDE, SIDE), (512,)]:
            raise ValueError(f"not a model of 3 x {SIDE} x {SIDE} -> 512, but of {shapes}")
        self._network = ArcFaceONNX(str(file), session)

    @classmethod
    def of_store(cls, store: WeightStore, device: str = "cpu") -> ArcFace:
        """Load the model of a weight store. Raises WeightsError if it is missing, altered or of another type."""
        prepare_device(device)
        file = cached_file(store, ARCFACE)
        session = open_session(file, "cuda" if device == "cuda" else "cpu", threads=1)
        try:
            return cls(file, session)
        except ValueError as error:
            raise WeightsError(f"{ARCFACE}: {error}; import buffalo_l's w600k_r50.onnx again") from error

    def __call__(self, pictures: list[Image], points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the embeddings, n x 512, of one face in each of n RGB pictures, by its landmarks (n x 478 x 3)."""
        aligned = [
            norm_crop(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), five_points(face), SIDE)
            for picture, face in zip(pictures, points, strict=True)
        ]
        rows = [np.asarray(self._network.get_feat(chip), np.float32) for chip in aligned]
        return np.concatenate(rows) if rows else np.empty((0, 512), np.float32)


def five_points(points: Points) -> NDArray[np.float32]:
    """Return insightface's five points, 5 x 2, of MediaPipe's 478: eyes, tip of the nose, corners of the mouth; of two,
    the picture's left first."""
    right, left = (points[list(corners), :2].mean(0) for corners in EYES)
    return np.stack([left, right, points[NOSE_TIP, :2], *points[list(MOUTH), :2]]).astype(np.float32)
