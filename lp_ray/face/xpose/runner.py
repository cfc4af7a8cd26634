"""Find the faces of animals in a picture: resize it, run the network, choose among its candidates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PILImage
from torch import Tensor

from lp_ray.base.arrays import Box, Image
from lp_ray.base.errors import EngineOutputError, RefusedError, UnsupportedError
from lp_ray.face.protocol import Face
from lp_ray.face.xpose.identity import CODE_VERSION
from lp_ray.face.xpose.model import XPose
from lp_ray.face.xpose.prompts import TextPrompts

SHORT_SIDE = 800
LONG_SIDE = 1333
MAX_ASPECT = 40
"""If the ratio of sides is larger, the resized picture has fewer cells than the network has proposals."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Mean and deviation of ImageNet's red, green and blue, on a scale of 1: what the backbone was trained on."""


def network_size(height: int, width: int) -> tuple[int, int]:
    """Return the height and width to which a picture is resized: short side 800, long side at most about 1333.

    Rounds as the reference does: the short side to even, the long side down. Raises UnsupportedError for a picture more
    elongated than MAX_ASPECT.
    """
    short, long = sorted((height, width))
    if long > MAX_ASPECT * short:
        raise UnsupportedError(
            f"a picture of {width} x {height} is too elongated to look for an animal: crop it to {MAX_ASPECT}:1"
        )
    target = SHORT_SIDE
    if long / short * SHORT_SIDE > LONG_SIDE:
        target = round(LONG_SIDE * short / long)
    if short == target:
        return height, width
    other = int(target * long / short)
    return (target, other) if height <= width else (other, target)


def prepare(image: Image) -> Tensor:
    """Resize and normalise an H x W x 3 picture: 1 x 3 x h x w float32. Raises as `network_size` does.

    The resampling is Pillow's bilinear with antialiasing, as in training. OpenCV's and torch's give other pixels.
    """
    height, width = network_size(*image.shape[:2])
    resized = PILImage.fromarray(image).resize((width, height), PILImage.Resampling.BILINEAR)
    return normalise(np.asarray(resized))


def normalise(image: Image) -> Tensor:
    """H x W x 3 uint8 -> 1 x 3 x H x W float32, zero mean and unit deviation by ImageNet's numbers."""
    scaled = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (scaled - mean) / std


def survivors(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], min_score: float, max_overlap: float
) -> list[int]:
    """Greedy non-maximum suppression: return the indices of the boxes that stay, best first.

    `boxes` is G x 4 (cx, cy, w, h). A box stays if its score is above `min_score` and its overlap (intersection over
    union) with every better box that stays is at most `max_overlap`.
    """
    corners = np.concatenate((boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]), 1)
    kept = cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), min_score, max_overlap)
    return [int(place) for place in kept]


@contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """Use full float32 products, whatever the process has set: no TF32, no autocast."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
            torch.autocast(device.type, enabled=False),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)


class XPoseDetector:
    """Finds animals' faces and their landmarks; implements `Landmarker`. One per actor; about 0.4 TFLOP a picture.

    `digest` changes with the weights, the prompts, the thresholds and the code. The reference rejects nothing
    and takes its best candidate; `detect(...)[0]` is that one whenever its score is above `min_score`.
    """

    name = "xpose"

    def __init__(
        self,
        model: XPose,
        prompts: TextPrompts,
        device: str = "cpu",
        min_score: float = 0.1,
        max_overlap: float = 0.0,
    ) -> None:
        """`min_score` and `max_overlap` are as in `survivors`. Raises RefusedError if the device does not exist."""
        self.device = torch.device(device)
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise RefusedError(f"X-Pose: device {device!r} was asked for and there is none: use 'cpu'")
        self.min_score, self.max_overlap = min_score, max_overlap
        self.n_points = len(prompts.keypoints)
        self.digest = _digest(model, prompts, min_score, max_overlap)
        self._model = model.to(self.device)
        self._instance, self._keypoints = (
            torch.from_numpy(rows.copy()).to(self.device) for rows in (prompts.instance, prompts.keypoints)
        )

    def detect(self, image: Image) -> list[Face]:
        """Return the faces found, best first, each with n x 2 points in pixels of `image` (H x W x 3 RGB).

        The list is empty if no candidate scores above `min_score`. Raises UnsupportedError for a picture that is too
        elongated, EngineOutputError for a result that is not finite.
        """
        with exact_float32(self.device):
            found = self._model(prepare(image).to(self.device), self._instance, self._keypoints)
            scores, boxes, points = (x[0].cpu().numpy() for x in (found.logit.sigmoid(), found.box, found.points))
        if not (np.isfinite(scores).all() and np.isfinite(points).all()):
            raise EngineOutputError("X-Pose gave scores or points that are not finite: verify its weights")
        size = np.array(image.shape[1::-1], np.float64)
        kept = survivors(boxes, scores, self.min_score, self.max_overlap)
        return [Face(points[i].astype(np.float64) * size, float(scores[i])) for i in kept]

    def detect_in_box(self, image: Image, box: Box) -> Face | None:
        """Return the face whose middle is nearest to that of `box`, of faces with their middle in the box, or None."""
        return _nearest(box, [face for face in self.detect(image) if _holds(box, _middle(face.box))])

    def follow(self, image: Image, previous: Face) -> Face | None:
        """Return the face nearest to that of the previous frame, at most its own size away, or None."""
        found = _nearest(previous.box, self.detect(image))
        size = np.ptp(previous.points, axis=0).max()
        if found is None or np.hypot(*np.subtract(_middle(found.box), _middle(previous.box))) > size:
            return None
        return found


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _holds(box: Box, point: tuple[float, float]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _nearest(box: Box, faces: list[Face]) -> Face | None:
    middle = _middle(box)
    return min(faces, key=lambda face: float(np.hypot(*np.subtract(_middle(face.box), middle))), default=None)


def _digest(model: XPose, prompts: TextPrompts, *settings: float) -> str:
    digest = blake2b(repr(("xpose", CODE_VERSION, model.config, settings)).encode(), digest_size=16)
    for _, tensor in sorted(model.state_dict().items()):
        digest.update(tensor.cpu().contiguous().numpy())
    digest.update(prompts.instance.tobytes() + prompts.keypoints.tobytes())
    return digest.hexdigest()
