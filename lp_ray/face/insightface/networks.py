"""The three networks: face boxes and 106 points by insightface's own model classes, and LivePortrait's 203 points."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from insightface.app.common import Face as Record
from insightface.model_zoo.landmark import Landmark
from insightface.model_zoo.scrfd import SCRFD
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from lp_ray.base.arrays import Box, Image, Points
from lp_ray.face.crop import Rectangle, cut, invert, transform_points

DETECTOR_SIZE = 512
DETECTION_THRESHOLD = 0.15
NMS_OVERLAP = 0.4
"""If two boxes have a larger intersection over union, the one with the lower score is dropped (insightface's value)."""

CROP_203_SIZE = 224
CROP_203_SCALE, CROP_203_VY = 1.5, -0.1

_OUTPUT_203 = 2
"""Which of landmark.onnx's three outputs holds the 203 points."""

# Every network runs once when it is created, so a wrong model fails at once and the first frame is not slow.
_BLANK = np.zeros((64, 64, 3), np.uint8)


class FaceDetector:
    """Boxes of the faces in a picture, by SCRFD (arXiv 2105.04714)."""

    def __init__(self, file: Path, session: InferenceSession) -> None:
        """Raises ValueError, or an error of onnxruntime, for another type of model."""
        if len(session.get_outputs()) != 9:
            raise ValueError(f"{len(session.get_outputs())} outputs where SCRFD with key points has 9")
        self._scrfd = SCRFD(str(file), session)
        self._scrfd.nms_thresh = NMS_OVERLAP
        self(_BLANK)

    def __call__(self, image: Image) -> list[tuple[Box, float]]:
        """Return (box, score), best first, of everything that scores DETECTION_THRESHOLD or more."""
        height, width = image.shape[:2]
        # If a side shrinks to nothing, there is no face, and insightface would raise.
        if max(height, width) > min(height, width) * DETECTOR_SIZE:
            return []
        size = (DETECTOR_SIZE, DETECTOR_SIZE)
        rows, _ = self._scrfd.detect(_bgr(image), size, det_thresh=DETECTION_THRESHOLD)
        return [((x0, y0, x1, y1), score) for x0, y0, x1, y1, score in rows.tolist()]


class Network106:
    """106 landmarks of the face in a box."""

    def __init__(self, file: Path, session: InferenceSession) -> None:
        """Raises ValueError, or an error of onnxruntime, for another type of model."""
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if [tuple(i.shape[1:]) for i in inputs] != [(3, 192, 192)] or [o.shape[-1] for o in outputs] != [212]:
            raise ValueError("not a model of 1 x 3 x 192 x 192 -> 1 x 212")
        self._landmark = Landmark(str(file), session)
        self(_BLANK, (0, 0, 64, 64))

    def __call__(self, image: Image, box: Box) -> Points:
        """Return 106 x 2 in picture pixels."""
        points = self._landmark.get(_bgr(image), Record(bbox=np.array(box)))
        return np.asarray(points, np.float64)


class Network203:
    """203 landmarks of a face whose place is given by other landmarks, or by those of the previous frame."""

    def __init__(self, file: Path, session: InferenceSession) -> None:
        """Raises ValueError, or an error of onnxruntime, for another type of model."""
        outputs = [output.name for output in session.get_outputs()]
        if len(outputs) != 3:
            raise ValueError(f"{len(outputs)} outputs where the 203-point model has 3")
        self._session = session
        self._input, self._output = session.get_inputs()[0].name, outputs[_OUTPUT_203]
        self(_BLANK, np.array([(20, 24), (44, 24), (32, 36), (24, 48), (40, 48)], np.float64))

    def __call__(self, image: Image, placed_by: Points) -> Points:
        """Return 203 x 2 in picture pixels. `placed_by` is K x 2 of any known landmark set.

        Raises ValueError if the model returns another number of points.
        """
        rectangle = Rectangle.of_points(placed_by, CROP_203_SCALE, vy=CROP_203_VY)
        to_crop = rectangle.to_crop(CROP_203_SIZE)
        crop = cut(image, to_crop, CROP_203_SIZE)
        planes: NDArray[np.float32] = crop.transpose(2, 0, 1)[None].astype(np.float32, order="C") / np.float32(255)
        (raw,) = self._session.run([self._output], {self._input: planes})
        if raw.size != 2 * 203:
            raise ValueError(f"its third output has {raw.size} values where 406 belong")
        return transform_points(raw.reshape(203, 2) * CROP_203_SIZE, invert(to_crop))


def _bgr(image: Image) -> Image:
    """Return the picture as BGR, which insightface reads."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)
